// Measures models: how long a run takes, and how long it takes, and how much memory, until a new process has the first result.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPackage } from "../../scripts/build.ts";
import { measure as measureSizes, sums } from "../../scripts/size.ts";
import { type Contestant, contest, type Settings } from "../contest.ts";
import { differenceOf } from "../difference.ts";
import { Remote } from "../remote.ts";
import type { Request } from "../request.ts";
import { type Entry, rounded, timesOf } from "../results.ts";
import { summary } from "../tables.ts";
import { cases, type ModelCase } from "./cases.ts";
import type { Fresh } from "./fresh.ts";
import type { FreshResult, ModelCaseResult, ModelCheck, ModelMeasured, ZooResult } from "./results.ts";
import { judge } from "./judge.ts";
import { entrants } from "./rivals/list.ts";
import { joined, type ModelResult } from "./rivals/rival.ts";
import { zooCase, zooFiles, zooName } from "./zoo.ts";

export const names = [...cases.map(({ name }) => name), ...zooFiles.map(zooName), "zoo", "fresh"];

export interface Player {
  name: string;
  threads: number;
  remote: Remote<ModelCase, ModelResult>;
}

interface ModelContestant extends Contestant {
  entry: Entry<ModelCheck>;
  remote: Player["remote"];
}

export async function measure({ wanted, quick, rounds, say }: Request): Promise<ModelMeasured> {
  say("building the package");
  await buildPackage(join(import.meta.dirname, "..", "..", "dist"));
  const single = cases.filter(({ inputs }) => inputs[0]!.shape[0] === 1);
  const everyone = entrants.map(({ name }) => name);
  const published = await publishedCases(wanted, say);
  const fresh: FreshResult[] = [];
  if (wanted("fresh")) {
    const repetitions = quick ? 1 : Math.ceil(rounds / 3);
    fresh.push(...(await measureFresh(single, everyone, repetitions, say)));
    fresh.push(...(await measureFresh(published, ["rank1 wide", judge], Math.min(repetitions, 3), say, [1])));
  }
  const settings = quick
    ? { rounds, budget: 0, leastRuns: 1, longestRace: 0, turn: 0, warmUp: 0 }
    : { rounds, budget: 2500, leastRuns: 3, longestRace: 20_000, turn: 20, warmUp: 400 };
  const players: Player[] = [];
  for (const { name } of entrants) players.push(...(await startPlayers(name, [1, 2], say)));
  const done: ModelCaseResult[] = [];
  for (const problem of cases.filter(({ name }) => wanted(name))) {
    const result = await modelContest(problem, players, settings, say);
    done.push(result);
    say(summary(result));
  }
  const alone = players.filter(({ threads }) => threads === 1);
  const shorter = quick ? settings : { ...settings, budget: 1200, longestRace: 5000 };
  const zoo: ZooResult[] = [];
  for (const problem of published) {
    const result = await modelContest(problem, alone, shorter, say);
    zoo.push({ ...result, kind: problem.kind! });
    say(summary(result));
  }
  for (const { remote } of players) remote.close();
  const rivals = entrants.flatMap(({ name, note }) => {
    const version = players.find((player) => player.name === name)?.remote.version;
    return version === undefined ? [] : [{ name, version, note }];
  });
  return { rivals, cases: done, zoo, fresh, bundle: sums(await measureSizes()).models };
}

/** Models that others published, of which ONNX Runtime takes the file. */
async function publishedCases(wanted: Request["wanted"], say: Request["say"]): Promise<ModelCase[]> {
  const files = zooFiles.filter((file) => wanted("zoo") || wanted(zooName(file)));
  const found = files.map((file) => zooCase(file).catch((error: Error) => say(`${file} left out: ${error.message}`)));
  return (await Promise.all(found)).filter((one) => one !== undefined);
}

/** A rival's processes; none of those that cannot start. */
export async function startPlayers(name: string, threads: readonly number[], say: Request["say"]): Promise<Player[]> {
  const players: Player[] = [];
  for (const count of threads) {
    const script = join(import.meta.dirname, "child.ts");
    const remote = await Remote.start<ModelCase, ModelResult>(script, name, count).catch((error: Error) => {
      say(`${name}, ${count} threads, does not take part: ${error.message}`);
    });
    if (remote) players.push({ name, threads: count, remote });
  }
  return players;
}

export async function modelContest(
  problem: ModelCase,
  players: readonly Player[],
  settings: Settings & { warmUp: number },
  say: Request["say"],
): Promise<ModelCaseResult> {
  const pairs = players.map((rival) => {
    const entry: Entry<ModelCheck> = { rival: rival.name, threads: rival.threads };
    return { rival, entry };
  });
  const referee = {
    async prepare({ remote }: Player, entry: Entry<ModelCheck>): Promise<ModelContestant> {
      await remote.ask({ operation: "prepare", problem, warmUp: settings.warmUp });
      const turn = (milliseconds: number) => remote.ask({ operation: "turn", milliseconds });
      return { entry, remote, turn, scale: 1, plans: [], dispose: () => remote.ask({ operation: "dispose" }) };
    },
    check: (contestants: readonly ModelContestant[]) => check(contestants, problem.allowed),
  };
  await contest(problem.name, pairs, referee, settings, say);
  const { name, title } = problem;
  return { name, title, entries: pairs.map(({ entry }) => entry) };
}

/** Everyone's outputs against the judge's; where it does not take part, against the first one's. */
async function check(contestants: readonly ModelContestant[], allowed: number): Promise<void> {
  const results: ModelResult[] = [];
  for (const { remote } of contestants) results.push(await remote.ask({ operation: "result" }));
  const right =
    results[
      Math.max(
        0,
        contestants.findIndex(({ entry }) => entry.rival === judge),
      )
    ];
  for (const [i, { entry }] of contestants.entries()) {
    // Of the largest value of all outputs: some are next to nothing on noise.
    const difference = differenceOf(joined(results[i]!), joined(right!));
    entry.check = { difference: rounded(difference), allowed };
    if (!(difference <= allowed)) entry.leftOut = `wrong: ${entry.check.difference} from ${judge}`;
  }
}

const execute = promisify(execFile);

async function inNewProcess(...args: string[]): Promise<Fresh> {
  const { stdout } = await execute(process.execPath, [join(import.meta.dirname, "fresh.ts"), ...args]);
  return JSON.parse(stdout);
}

/** What takes part takes turns; models by themselves. */
export async function measureFresh(
  problems: readonly ModelCase[],
  rivals: readonly string[],
  repetitions: number,
  say: Request["say"],
  counts: readonly number[] = [1, 2],
): Promise<FreshResult[]> {
  const all: FreshResult[] = [];
  for (const problem of problems) {
    const [{ name, title }, given] = [problem, JSON.stringify(problem)];
    const { verdicts } = await inNewProcess("rank1 wide", "1", given).catch(() => ({ verdicts: {} }));
    const variants = rivals.flatMap((rival) =>
      (rival === "rank1 wide" ? [false, true] : [false]).flatMap((cached) =>
        counts.map((threads) => ({ name, title, rival, cached, threads, seen: [] as Fresh[] })),
      ),
    );
    for (let i = 0; i < repetitions; i++) {
      say(`fresh: ${name}, ${i + 1} of ${repetitions}`);
      for (const { rival, threads, cached, seen } of variants) {
        const known = JSON.stringify(cached ? verdicts : {});
        const found = await inNewProcess(rival, `${threads}`, given, known).catch((error: Error) => {
          say(`fresh: ${rival}, ${threads} threads, ${name}: ${error.message.split("\n")[0]}`);
        });
        if (found) seen.push(found);
      }
    }
    for (const { seen, ...variant } of variants.filter(({ seen }) => seen.length > 0)) {
      const times = (of: (one: Fresh) => number) => timesOf(seen.map(of));
      all.push({
        ...variant,
        ...{ library: times((one) => one.library), first: times((one) => one.first) },
        ...{ processor: times((one) => one.processor), growth: times((one) => one.growth / 1e6) },
      });
    }
  }
  return all;
}
