// Measures threads: layers in and out of the engine's memory, and models, on one, two and four; what comes with every call;
// what comes first in a new process.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { buildPackage } from "../../scripts/build.ts";
import { createEngine } from "../../src/index.ts";
import { measureAllocation } from "../filters/measure.ts";
import type { LayerCase } from "../layers/cases.ts";
import { layerContest, type Player } from "../layers/measure.ts";
import { type ModelCase, pathOf } from "../models/cases.ts";
import { judge } from "../models/judge.ts";
import { measureFresh, modelContest, startPlayers } from "../models/measure.ts";
import { Remote } from "../remote.ts";
import type { Request } from "../request.ts";
import { type CaseResult, rounded } from "../results.ts";
import { rank1Version } from "../rival.ts";
import { summary } from "../tables.ts";
import { freshCases, layerCases, mnist, modelCases } from "./cases.ts";
import type { Overhead } from "./mnist.ts";
import type { Deaths, ThreadCaseResult, ThreadMeasured } from "./results.ts";

export const names = [...[...layerCases, ...modelCases].map(({ name }) => name), "fresh", "garbage", "deaths", "mnist"];

const counts = [1, 2, 4];

/** Nobody sits out; everyone's runs stand in blocks of their own, after a rest. */
const settingsOf = (rounds: number, quick: boolean, longestRace: number, turn: number, warmUp: number) => ({
  ...{ rounds, rest: 60, leastRuns: Math.min(rounds, 5), budget: Infinity },
  ...(quick ? { longestRace: 0, turn: 0, warmUp: 0 } : { longestRace, turn, warmUp }),
});

export async function measure({ wanted, quick, rounds, say }: Request): Promise<ThreadMeasured> {
  const layers = layerCases.filter(({ name }) => wanted(name));
  const models = modelCases.filter((problem) => wanted(problem.name) && isThere(problem, say));
  const fresh = wanted("fresh") ? freshCases.filter((problem) => isThere(problem, say)) : [];
  if (models.length + fresh.length > 0) {
    say("building the package");
    await buildPackage(join(import.meta.dirname, "..", "..", "dist"));
  }
  const wide = await isWide();
  const name = wide ? "rank1 wide" : "rank1";
  const cases: ThreadCaseResult[] = [];
  const add = (result: CaseResult, kind: ThreadCaseResult["kind"]): void => {
    cases.push({ ...result, kind });
    say(summary(result));
  };

  const ours = layers.length > 0 ? await startLayers(name) : [];
  const settings = settingsOf(rounds, quick, 15_000, 10, 150);
  for (const problem of layers) add(await layerContest(problem, ours, settings, say), "layer");
  for (const { remote } of ours) remote.close();

  const players = models.length > 0 ? await startPlayers(name, counts, say) : [];
  if (models.length > 0) players.push(...(await startPlayers(judge, [1, 2], say)));
  const longer = settingsOf(rounds, quick, 40_000, 25, 400);
  for (const problem of models) add(await modelContest(problem, players, longer, say), "model");
  for (const { remote } of players) remote.close();

  const native = players.find((player) => player.name === judge)?.remote.version;
  return {
    rivals: [
      {
        name,
        version: rank1Version,
        note: "layers prepared, `out` given, from the sources; models by the built package",
      },
      ...(native
        ? [{ name: judge, version: native, note: "`onnxruntime-node`, native; all graph optimisations" }]
        : []),
    ],
    wide,
    cases,
    fresh: await measureFresh(fresh, [name, judge], quick ? 1 : Math.ceil(rounds / 3), say),
    garbage: wanted("garbage") ? await measureGarbage(wide, say) : [],
    deaths: wanted("deaths") ? await measureDeaths(quick ? 10 : 100, say) : [],
    mnist: wanted("mnist") ? await measureMnist(wide, say) : undefined,
  };
}

async function isWide(): Promise<boolean> {
  const engine = await createEngine({ wide: true, backend: "wasm" });
  const { enabled } = engine.info().wide;
  engine.dispose();
  return enabled;
}

function isThere(problem: ModelCase, say: Request["say"]): boolean {
  const there = existsSync(pathOf(problem));
  if (!there)
    say(`${problem.name} left out: ${pathOf(problem)} is not there (RANK1_DATA names the folder above "models")`);
  return there;
}

async function startLayers(name: string): Promise<Player[]> {
  const script = join(import.meta.dirname, "child.ts");
  const players: Player[] = [];
  for (const threads of counts) {
    const remote = await Remote.start<LayerCase, Float32Array>(script, name, threads);
    players.push({ entrant: { name }, threads, remote });
  }
  return players;
}

async function measureGarbage(wide: boolean, say: Request["say"]): Promise<ThreadMeasured["garbage"]> {
  say("garbage");
  const of = async (threads: number) => ({ ...(await measureAllocation(wide, threads)), threads });
  return [await of(1), await of(2)];
}

async function measureDeaths(calls: number, say: Request["say"]): Promise<Deaths[]> {
  say("deaths");
  const script = join(import.meta.dirname, "deaths.ts");
  const deaths: Deaths[] = [];
  for (const threads of [2, 3]) {
    const { stdout } = await promisify(execFile)(process.execPath, [script, `${threads}`, `${calls}`]);
    const { delay, worst, ...rest }: Deaths = JSON.parse(stdout);
    deaths.push({ ...rest, delay, worst: rounded(worst) });
  }
  return deaths;
}

async function measureMnist(wide: boolean, say: Request["say"]): Promise<Overhead | undefined> {
  if (!isThere(mnist, say)) return undefined;
  say("mnist");
  const script = join(import.meta.dirname, "mnist.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [script, ...(wide ? ["wide"] : [])]);
  const { whole, kernels }: Overhead = JSON.parse(stdout);
  return { whole: rounded(whole), kernels: rounded(kernels) };
}
