// One case: everyone prepares, is checked, and then runs in turn, round after round.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Case, rowsOf } from "./cases.ts";
import { differenceOf, errorOf } from "./check.ts";
import { makePicture, type Picture, topOf } from "./picture.ts";
import { type CaseResult, type Entry, rounded, timesOf } from "./results.ts";
import type { Job, Rival } from "./rivals/rival.ts";

export interface Settings {
  rounds: number;
  /** Milliseconds that one contestant may take in all before it sits out the remaining rounds... */
  budget: number;
  /** ...but not before so many runs. */
  leastRuns: number;
  /** Milliseconds of one run: a slower contestant filters only the top of the picture. */
  longest: number;
}

/** Below this, a turn begins with a run that is not timed: caches, clock and sleeping threads are then warm for all. */
const warmUpBelow = 250;

interface Contestant {
  rival: Rival;
  entry: Entry;
  picture: Picture;
  job: Job;
  /** The last run's milliseconds, timed or not. */
  last: number;
  times: number[];
}

// One contestant's garbage must not be collected in another's time.
setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

export async function contest(
  problem: Case,
  rivals: readonly Rival[],
  settings: Settings,
  say: (line: string) => void,
): Promise<CaseResult> {
  const picture = makePicture(problem.width, problem.height, problem.channels);
  const entries: Entry[] = [];
  const contestants: Contestant[] = [];
  for (const rival of rivals.filter(({ ours }) => !problem.alone || ours)) {
    for (const threads of problem.threads.filter((threads) => rival.threads.includes(threads))) {
      const entry: Entry = { rival: rival.name, threads };
      entries.push(entry);
      const supported = rival.supports(problem);
      if (supported !== true) {
        entry.leftOut = supported;
        continue;
      }
      try {
        say(`${problem.name}: preparing ${rival.name}, ${threads} threads`);
        contestants.push(await prepare(problem, rival, entry, picture, settings));
      } catch (error) {
        entry.leftOut = `failed: ${error instanceof Error ? error.message : error}`;
      }
    }
  }
  await check(problem, contestants);
  await race(
    contestants.filter(({ entry }) => !entry.leftOut),
    problem.height,
    settings,
    (round) => say(`${problem.name}: round ${round} of ${settings.rounds}`),
  );
  for (const { job } of contestants) await job.dispose();
  for (const entry of entries) if (entry.leftOut) say(`${problem.name}: ${entry.rival} left out: ${entry.leftOut}`);
  const { name, title, width, height, channels, output, border, tolerance } = problem;
  return { name, title, width, height, channels, output, border, tolerance, entries };
}

/** Prepares on the whole picture, or on as many rows from its top as take the longest time allowed. */
async function prepare(
  problem: Case,
  rival: Rival,
  entry: Entry,
  picture: Picture,
  { longest }: Settings,
): Promise<Contestant> {
  const { height } = picture;
  let rows = height;
  const fewest = Math.min(height, Math.max(32, rowsOf(problem.work).length));
  if (!rival.ours) {
    const trial = Math.max(fewest, height >> 5);
    const job = await rival.prepare(problem, topOf(picture, trial), entry.threads);
    // The first runs may be slow: code is still being compiled.
    const times = [await job.run()];
    for (let i = 0; i < 4 && times[0]! < longest / 8; i++) times.push(await job.run());
    const predicted = (Math.min(...times) * height) / trial;
    await job.dispose();
    if (predicted > longest) rows = Math.max(fewest, Math.min(height, Math.round((height * longest) / predicted)));
  }
  if (rows < height) entry.rows = rows;
  const part = topOf(picture, rows);
  const job = await rival.prepare(problem, part, entry.threads);
  if (job.plan) entry.plan = job.plan;
  return { rival, entry, picture: part, job, last: await job.run(), times: [] };
}

/** Measures everyone's error; who exceeds what it may is left out. */
async function check(problem: Case, contestants: readonly Contestant[]): Promise<void> {
  const first = contestants.find(({ rival }) => rival.ours);
  const ours = await first?.job.result();
  for (const { rival, entry, picture, job } of contestants) {
    const border = problem.border === "reflect" ? rival.border : problem.border;
    const levels = rival.levels?.(problem) ?? problem.levels;
    const result = await job.result();
    const { samples, worst } = errorOf(problem, border, picture, result);
    const fromRank1 = ours ? differenceOf(problem, picture, result, ours) : { worst: 0, mean: 0 };
    entry.check = {
      ...{ border, samples, worst: rounded(worst), levels },
      fromRank1: { worst: rounded(fromRank1.worst), mean: rounded(fromRank1.mean) },
    };
    if (worst > levels) entry.leftOut = `wrong: ${rounded(worst)} levels from the exact value, ${levels} are allowed`;
    else if (fromRank1.worst > levels + problem.levels) entry.leftOut = `wrong: ${fromRank1.worst} levels from rank1`;
  }
}

async function race(
  contestants: readonly Contestant[],
  height: number,
  { rounds, budget, leastRuns }: Settings,
  onRound: (round: number) => void,
): Promise<void> {
  const spent = new Map<Contestant, number>();
  for (let round = 0; round < rounds; round++) {
    onRound(round + 1);
    // Everyone is first, and after everyone else, equally often.
    const order = contestants.map((_, i) => contestants[(i + round) % contestants.length]!);
    for (const contestant of order) {
      const { job, times } = contestant;
      const before = spent.get(contestant) ?? 0;
      if (times.length >= leastRuns && before > budget) continue;
      collectGarbage();
      const untimed = contestant.last < warmUpBelow ? await job.run() : 0;
      contestant.last = await job.run();
      times.push(contestant.last);
      spent.set(contestant, before + contestant.last + untimed);
    }
  }
  for (const { entry, picture, times } of contestants) {
    const scale = height / picture.height;
    entry.times = timesOf(times.map((time) => time * scale));
  }
}
