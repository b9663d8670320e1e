// One case: everyone prepares, is checked, and then runs in turn, round after round. Each round begins with the next
// contestant and goes on in the order of the list: everyone is first, second and so on equally often (in a number of rounds
// that the contestants divide), and mostly runs after the same neighbour.
import { setTimeout } from "node:timers/promises";
import { type Entry, timesOf } from "./results.ts";

export interface Settings {
  rounds: number;
  /** Milliseconds that one contestant may take in all before it sits out the remaining rounds... */
  budget: number;
  /** ...but not before so many runs. */
  leastRuns: number;
  /** Milliseconds after which no further round begins: a busy machine gets fewer rounds, not a longer race. */
  longestRace: number;
  /** Milliseconds of one turn at least: short runs are repeated. */
  turn: number;
  /**
   * Milliseconds before each turn, none by default. Threads of native runtimes spin for some milliseconds after a run and
   * take a core from whoever is next.
   */
  rest?: number;
}

/** What one turn gave: milliseconds of each run, and of each run of each of rank1's plans alone. */
export interface Turn {
  times: number[];
  programs: number[][];
}

/** Who has prepared for a case. */
export interface Contestant {
  entry: Entry;
  turn(milliseconds: number): Promise<Turn>;
  /** What times are multiplied by: more than 1 where only a part of the case is run. */
  scale: number;
  /** rank1's plans that are timed alone. */
  plans: readonly string[];
  dispose(): unknown;
}

export interface Referee<R, C extends Contestant> {
  /** A contestant, or the reason why there is none. */
  prepare(rival: R, entry: Entry): Promise<C | string>;
  /** Notes everyone's error; who exceeds what it may is left out. */
  check(contestants: readonly C[]): Promise<void>;
}

/** Fills the entries of one case with times, or with reasons. */
export async function contest<R, C extends Contestant>(
  name: string,
  entrants: readonly { rival: R; entry: Entry }[],
  { prepare, check }: Referee<R, C>,
  settings: Settings,
  say: (line: string) => void,
): Promise<Entry[]> {
  const contestants: C[] = [];
  for (const { rival, entry } of entrants) {
    say(`${name}: preparing ${entry.rival}, ${entry.threads} threads`);
    const made = await prepare(rival, entry).catch(
      (error: unknown) => `failed: ${error instanceof Error ? error.message : error}`,
    );
    if (typeof made === "string") entry.leftOut = made;
    else contestants.push(made);
  }
  await check(contestants);
  await race(
    contestants.filter(({ entry }) => !entry.leftOut),
    settings,
    (round) => say(`${name}: round ${round} of ${settings.rounds}`),
  );
  for (const contestant of contestants) await contestant.dispose();
  const entries = entrants.map(({ entry }) => entry);
  for (const { rival, leftOut } of entries) if (leftOut) say(`${name}: ${rival} left out: ${leftOut}`);
  return entries;
}

async function race(
  contestants: readonly Contestant[],
  { rounds, budget, leastRuns, longestRace, turn, rest = 0 }: Settings,
  onRound: (round: number) => void,
): Promise<void> {
  const records = contestants.map(({ plans }) => ({
    spent: 0,
    times: [] as number[],
    programs: plans.map(() => [] as number[]),
  }));
  const end = performance.now() + longestRace;
  for (let round = 0; round < rounds && (round < leastRuns || performance.now() < end); round++) {
    onRound(round + 1);
    for (const i of contestants.keys()) {
      const at = (i + round) % contestants.length;
      const record = records[at]!;
      if (record.times.length >= leastRuns && record.spent > budget) continue;
      if (rest > 0) await setTimeout(rest);
      const start = performance.now();
      const { times, programs } = await contestants[at]!.turn(turn);
      record.spent += performance.now() - start;
      record.times.push(...times);
      for (const [plan, more] of programs.entries()) record.programs[plan]!.push(...more);
    }
  }
  for (const [i, { entry, scale, plans }] of contestants.entries()) {
    const { times, programs } = records[i]!;
    entry.times = timesOf(times.map((time) => time * scale));
    if (plans.length > 0) entry.programs = plans.map((plan, at) => ({ plan, times: timesOf(programs[at]!) }));
  }
}
