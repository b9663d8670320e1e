// The goals that rank1 set itself for threads and for what comes with every call, and what was reached. A goal without the
// measurements that it needs is left out.
import { atLeast, atMost, geometricMean, least, measured, type Reached, timeOf } from "../goals.ts";
import { copies, onValues } from "../layers/prepared.ts";
import { judge } from "../models/judge.ts";
import { freshCases } from "./cases.ts";
import type { ThreadCaseResult, ThreadResults } from "./results.ts";

/** Layers that take less on one thread have no goal. */
const shortest = 0.3;

export const rank1Of = ({ wide }: Pick<ThreadResults, "wide">): string => (wide ? "rank1 wide" : "rank1");

/** Milliseconds of rank1 in a layer: on plain arrays, on values of the engine, of the copies alone. */
export function layerTimes({ entries }: ThreadCaseResult, threads: number) {
  const entry = entries.find((entry) => entry.threads === threads);
  const program = (name: string): number =>
    entry?.programs?.find(({ plan }) => plan === name)?.times.median ?? Number.NaN;
  return { plain: entry?.times?.median ?? Number.NaN, values: program(onValues), copies: program(copies) };
}

/** What copies on one thread leave a call with plain arrays on two: the other thread can at best take half of it all. */
export function boundOf(result: ThreadCaseResult): number {
  const { values, copies } = layerTimes(result, 1);
  return Math.max(copies, (copies + values) / 2);
}

const races = [
  { name: "ultraface-slim", what: "UltraFace slim", faster: 1.5, native: 1.2 },
  { name: "ultraface-rfb", what: "UltraFace RFB", faster: 1.5, native: 0.9 },
  { name: "resnet20", what: "ResNet-20", faster: 1.7, native: 0.9 },
  { name: "waifu2x", what: "waifu2x, a tile of 156×156", faster: 1.85 },
];

type Goal = Omit<Reached, "narrow" | "wide"> & { value: number };

export function goalsOf(results: ThreadResults): Reached[] {
  const { wide } = results;
  const goals = [...layerGoals(results), ...modelGoals(results), ...freshGoals(results), ...callGoals(results)];
  return measured(goals.map(({ value, ...goal }) => ({ ...goal, ...(wide ? { wide: value } : { narrow: value }) })));
}

function layerGoals({ cases, machine }: ThreadResults): Goal[] {
  const layers = cases.filter(({ kind }) => kind === "layer");
  const long = layers.filter((result) => layerTimes(result, 1).values >= shortest);
  const faster = long.map((result) => layerTimes(result, 1).values / layerTimes(result, 2).values);
  const shares = long.map((result) => (100 * boundOf(result)) / layerTimes(result, 2).plain);
  const crowded = layers.map((result) => layerTimes(result, 4).plain / layerTimes(result, 2).plain);
  return [
    {
      goal: `layers of ${shortest} ms and more, on values of the engine: 2 threads against 1, mean`,
      value: geometricMean(faster),
      ...atLeast(1.7),
    },
    { goal: "the same, worst", value: least(faster), ...atLeast(1.3) },
    {
      goal: "the same layers on plain arrays, 2 threads: share of what copies allow, worst",
      value: least(shares),
      ...atLeast(85, "%"),
    },
    {
      goal: "layers on plain arrays: time on 4 threads over 2, worst",
      value: mostOn(machine, crowded),
      ...atMost(1.15, "×"),
    },
  ];
}

/** Four threads are too many for up to three cores only. */
const mostOn = ({ cores }: ThreadResults["machine"], ratios: readonly number[]): number =>
  cores < 4 && ratios.length > 0 ? Math.max(...ratios) : Number.NaN;

function modelGoals(results: ThreadResults): Goal[] {
  const rank1 = rank1Of(results);
  const ratio = (name: string, rival: string, threads: number, ours: number): number =>
    timeOf(results, name, rival, threads) / timeOf(results, name, rank1, ours);
  const raced = races.filter(({ name }) => results.cases.some((result) => result.name === name));
  const crowded = raced.map(({ name }) => 1 / ratio(name, rank1, 2, 4));
  return [
    ...raced.flatMap(({ name, what, faster, native }): Goal[] => [
      { goal: `${what}: 2 threads against 1`, value: ratio(name, rank1, 1, 2), ...atLeast(faster) },
      ...(native === undefined
        ? []
        : [
            {
              goal: `${what} against native ONNX Runtime, 2 threads`,
              value: ratio(name, judge, 2, 2),
              ...atLeast(native),
            },
          ]),
    ]),
    { goal: "models: time on 4 threads over 2, worst", value: mostOn(results.machine, crowded), ...atMost(1.15, "×") },
  ];
}

function freshGoals({ fresh, wide }: ThreadResults): Goal[] {
  return freshCases.map(({ name, title }) => {
    const first = (rival: string, cached: boolean, threads: number): number =>
      fresh.find((one) => one.name === name && one.rival === rival && one.cached === cached && one.threads === threads)
        ?.first.median ?? Number.NaN;
    const ratios = [1, 2].map((threads) => first(rank1Of({ wide }), wide, threads) / first(judge, false, threads));
    return {
      goal: `${title}: load, compile and run once in a new process, over native ONNX Runtime's time, worst of 1 and 2 threads`,
      value: Math.max(...ratios),
      ...atMost(1.3, "×"),
    };
  });
}

function callGoals({ garbage, deaths = [], mnist }: ThreadResults): Goal[] {
  const heap = garbage.map(({ heap }) => heap / 1000);
  return [
    {
      goal: "heap that a call with `out` leaves, a frame of 1280×720 RGBA, worst of 1 and 2 threads",
      value: Math.max(...heap),
      ...atMost(2, "kB"),
    },
    {
      goal: "MNIST: a run beyond its kernels, 1 thread",
      value: mnist ? mnist.whole - mnist.kernels : Number.NaN,
      ...atMost(0.05, "ms"),
    },
    {
      goal: "a worker ends with work in its hands: from its end to the call's error, worst",
      value: Math.max(...deaths.map(({ worst }) => worst)),
      ...atMost(50, "ms"),
    },
  ];
}
