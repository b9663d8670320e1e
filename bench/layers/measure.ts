// Measures layers: every library computes the same chain of convolutions, each on each number of threads in a process of
// its own.
import { join } from "node:path";
import { measurePeaks } from "../../src/backend/wasm/peaks.ts";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import { type Contestant, contest, type Settings } from "../contest.ts";
import { differenceOf } from "../difference.ts";
import { Remote } from "../remote.ts";
import type { Request } from "../request.ts";
import { type Entry, rounded } from "../results.ts";
import { summary } from "../tables.ts";
import { cases, type LayerCase, multiplicationsOf } from "./cases.ts";
import { allowed, checker } from "./check.ts";
import { makeData } from "./data.ts";
import type { LayerCaseResult, LayerCheck, LayerMeasured } from "./results.ts";
import { type Entrant, entrants } from "./rivals/list.ts";

const script = join(import.meta.dirname, "child.ts");

export const names = cases.map(({ name }) => name);

/** A rival's process. */
export interface Player {
  entrant: Pick<Entrant, "name">;
  threads: number;
  remote: Remote<LayerCase, Float32Array>;
}

interface LayerContestant extends Contestant {
  entry: Entry<LayerCheck>;
  remote: Remote<LayerCase, Float32Array>;
}

export async function measure({ wanted, quick, rounds, say }: Request): Promise<LayerMeasured> {
  const settings = quick
    ? { rounds, budget: 0, leastRuns: 1, longestRace: 0, turn: 0, warmUp: 0 }
    : { rounds, budget: 800, leastRuns: 3, longestRace: 12_000, turn: 12, warmUp: 150 };
  const players: Player[] = [];
  for (const entrant of entrants) {
    for (const threads of entrant.threads) {
      const remote = await Remote.start<LayerCase, Float32Array>(script, entrant.name, threads).catch(
        (error: Error) => {
          say(`${entrant.name}, ${threads} threads, does not take part: ${error.message}`);
        },
      );
      if (remote) players.push({ entrant, threads, remote });
    }
  }
  const done: LayerCaseResult[] = [];
  for (const problem of cases.filter(({ name }) => wanted(name))) {
    const result = await layerContest(problem, players, settings, say);
    done.push(result);
    say(summary(result));
  }
  for (const { remote } of players) remote.close();
  const rivals = entrants.flatMap(({ name, note }) => {
    const version = players.find(({ entrant }) => entrant.name === name)?.remote.version;
    return version === undefined ? [] : [{ name, version, note }];
  });
  return { rivals, cases: done, peaks: await peaksOf() };
}

async function peaksOf(): Promise<LayerMeasured["peaks"]> {
  const peak = async (wide: boolean): Promise<number> =>
    rounded(2 * (await measurePeaks({ mode: { relaxed: true, wide } })).multiplications.f32);
  return { narrow: await peak(false), wide: wideSupport().supported ? await peak(true) : Number.NaN };
}

export async function layerContest(
  problem: LayerCase,
  players: readonly Player[],
  settings: Settings & { warmUp: number },
  say: Request["say"],
): Promise<LayerCaseResult> {
  const pairs = players.map((rival) => {
    const entry: Entry<LayerCheck> = { rival: rival.entrant.name, threads: rival.threads };
    return { rival, entry };
  });
  const referee = {
    async prepare({ remote }: Player, entry: Entry<LayerCheck>): Promise<LayerContestant> {
      const { plans } = await remote.ask({ operation: "prepare", problem, warmUp: settings.warmUp });
      if (plans[0] !== undefined) entry.plan = plans[0];
      const turn = (milliseconds: number) => remote.ask({ operation: "turn", milliseconds });
      return { entry, remote, turn, scale: 1, plans, dispose: () => remote.ask({ operation: "dispose" }) };
    },
    check: (contestants: readonly LayerContestant[]) => check(problem, contestants),
  };
  await contest(problem.name, pairs, referee, settings, say);
  const { name, title, group } = problem;
  const entries = pairs.map(({ entry }) => entry);
  return { name, title, group, multiplications: multiplicationsOf(problem), entries };
}

async function check(problem: LayerCase, contestants: readonly LayerContestant[]): Promise<void> {
  const errorOf = checker(problem, makeData(problem));
  let ours: Float32Array | undefined;
  for (const { entry, remote } of contestants) {
    const result = await remote.ask({ operation: "result" });
    // rank1 comes first.
    ours ??= result;
    const { samples, worst } = errorOf(result);
    entry.check = { samples, worst: rounded(worst), allowed, fromRank1: rounded(differenceOf(result, ours)) };
    if (worst > allowed) entry.leftOut = `wrong: ${rounded(worst)} units from the exact value, ${allowed} are allowed`;
    else if (entry.check.fromRank1 > mostDifference) entry.leftOut = `wrong: ${entry.check.fromRank1} from rank1`;
  }
}

/** Of two results that are both right, over the largest value: the exact values tell at sampled pixels, this everywhere. */
const mostDifference = 1e-4;
