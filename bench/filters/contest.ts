// The contest of filters: everyone filters the same picture, or as many rows from its top as take the longest time allowed.
import { type Contestant, contest, type Settings } from "../contest.ts";
import { type Entry, rounded } from "../results.ts";
import { turnsOf } from "../turn.ts";
import { type Case, rowsOf } from "./cases.ts";
import { differenceOf, errorOf } from "./check.ts";
import { makePicture, type Picture, topOf } from "./picture.ts";
import type { Check, FilterCaseResult } from "./results.ts";
import type { Job, Rival } from "./rivals/rival.ts";

export interface FilterSettings extends Settings {
  /** Milliseconds of one run: a slower contestant filters only the top of the picture. */
  longest: number;
}

interface FilterContestant extends Contestant {
  rival: Rival;
  entry: Entry<Check>;
  picture: Picture;
  job: Job;
}

export async function filterContest(
  problem: Case,
  rivals: readonly Rival[],
  settings: FilterSettings,
  say: (line: string) => void,
): Promise<FilterCaseResult> {
  const picture = makePicture(problem.width, problem.height, problem.channels);
  const entrants = rivals
    .filter(({ ours }) => !problem.alone || ours)
    .flatMap((rival) =>
      problem.threads
        .filter((threads) => rival.threads.includes(threads))
        .map((threads) => ({ rival, entry: { rival: rival.name, threads } as Entry<Check> })),
    );
  const referee = {
    prepare: (rival: Rival, entry: Entry<Check>) => prepare(problem, rival, entry, picture, settings),
    check: (contestants: readonly FilterContestant[]) => check(problem, contestants),
  };
  await contest(problem.name, entrants, referee, settings, say);
  const { name, title, width, height, channels, output, border, tolerance } = problem;
  const entries = entrants.map(({ entry }) => entry);
  return { name, title, width, height, channels, output, border, tolerance, entries };
}

async function prepare(
  problem: Case,
  rival: Rival,
  entry: Entry<Check>,
  picture: Picture,
  { longest }: FilterSettings,
): Promise<FilterContestant | string> {
  const supported = rival.supports(problem);
  if (supported !== true) return supported;
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
  await job.run();
  const take = turnsOf(() => job.run());
  const turn = async (milliseconds: number) => ({ times: await take(milliseconds), programs: [] });
  return { rival, entry, picture: part, job, turn, scale: height / rows, plans: [], dispose: () => job.dispose() };
}

/** Measures everyone's error; who exceeds what it may is left out. */
async function check(problem: Case, contestants: readonly FilterContestant[]): Promise<void> {
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
