// The goals that rank1 set itself for models, and what was reached. A goal without the measurements that it needs is left out.
import { median } from "../gate/change.ts";
import { atLeast, atMost, geometricMean, least, measured, type Reached, timeOf, type Variant } from "../goals.ts";
import type { ZooKind } from "./cases.ts";
import type { FreshResult, ModelResults } from "./results.ts";
import { judge } from "./judge.ts";

export const webName = "ONNX Runtime Web";

export function goalsOf(results: ModelResults): Reached[] {
  const against = (name: string, rival: string, variant: Variant, threads: number): number =>
    timeOf(results, name, rival, threads) / timeOf(results, name, variant, threads);
  const races = [
    { what: "UltraFace slim", name: "ultraface-slim", native: 1.3, wasm: 3.5 },
    { what: "UltraFace RFB", name: "ultraface-rfb", native: 1.3, wasm: 3.5 },
    { what: "ResNet-20, one picture", name: "resnet20", native: 1, wasm: 4 },
    { what: "waifu2x, a tile of 156×156", name: "waifu2x", native: 1, wasm: 3.5 },
  ];
  const goals = [1, 2].flatMap((threads) => {
    const on = threads === 1 ? "1 thread" : `${threads} threads`;
    const raced = races.flatMap(({ what, name, native, wasm }): Reached[] => [
      {
        goal: `${what} against native ONNX Runtime, ${on}`,
        wide: against(name, judge, "rank1 wide", threads),
        ...atLeast(native),
      },
      {
        goal: `the same against ONNX Runtime Web, ${on}`,
        wide: against(name, webName, "rank1 wide", threads),
        ...atLeast(wasm),
      },
    ]);
    raced.push({
      goal: `waifu2x, a tile of 156×156, in 128-bit code against ONNX Runtime Web, ${on}`,
      narrow: against("waifu2x", webName, "rank1", threads),
      ...atLeast(2.5),
    });
    return [
      ...raced,
      {
        goal: `load, compile and run once in a new process, against native ONNX Runtime, worst of all models, ${on}`,
        ...freshest(results, threads, ({ first }) => first.median),
        ...atLeast(1),
      },
      {
        goal: `the same with the loading of the library, ${on}`,
        ...freshest(results, threads, ({ first, library }) => first.median + library.median),
        ...atLeast(1),
      },
      {
        goal: `UltraFace RFB: growth of memory against native ONNX Runtime's, ${on}`,
        ...growths(results, threads),
        ...atMost(1, "×"),
      },
    ];
  });
  goals.push({
    goal: "the library with models, minified and gzipped",
    narrow: results.bundle / 1000,
    ...atMost(64, "kB"),
  });
  return measured([...goals, ...zooGoals(results)]);
}

/** rank1's entry among new processes; wide with what an earlier process has learnt. */
const find = ({ fresh }: ModelResults, name: string, rival: string, threads: number): FreshResult | undefined =>
  fresh.find(
    (one) =>
      one.name === name && one.rival === rival && one.threads === threads && one.cached === (rival === "rank1 wide"),
  );

function freshest(
  results: ModelResults,
  threads: number,
  of: (one: FreshResult) => number,
): Pick<Reached, "narrow" | "wide"> {
  const names = [...new Set(results.fresh.map(({ name }) => name))];
  const worst = (variant: Variant): number =>
    least(
      names.map((name) => {
        const [theirs, ours] = [find(results, name, judge, threads), find(results, name, variant, threads)];
        return theirs && ours ? of(theirs) / of(ours) : Number.NaN;
      }),
    );
  return { narrow: worst("rank1"), wide: worst("rank1 wide") };
}

function growths(results: ModelResults, threads: number): Pick<Reached, "narrow" | "wide"> {
  const growth = (rival: string): number => find(results, "ultraface-rfb", rival, threads)?.growth.median ?? Number.NaN;
  return { narrow: growth("rank1") / growth(judge), wide: growth("rank1 wide") / growth(judge) };
}

/** Goals over the models that others published, on one thread. */
function zooGoals({ zoo = [], fresh }: ModelResults): Reached[] {
  const ratios = (kinds: readonly ZooKind[], rival: string, variant: Variant): number[] =>
    zoo
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ name }) => timeOf({ cases: zoo }, name, rival) / timeOf({ cases: zoo }, name, variant))
      .filter(Number.isFinite);
  const mean = (values: readonly number[]): number => (values.length > 0 ? geometricMean(values) : Number.NaN);
  const groups = [
    { what: "published models", kinds: ["other"] as const },
    { what: "light models", kinds: ["light"] as const },
  ];
  const apart = groups.flatMap(({ what, kinds }): Reached[] => {
    const native = ratios(kinds, judge, "rank1 wide");
    const web = (variant: Variant): number[] => ratios(kinds, webName, variant);
    return [
      { goal: `${what} against native ONNX Runtime, geometric mean`, wide: mean(native), ...atLeast(0.8) },
      { goal: "the same, median", wide: native.length > 0 ? median(native) : Number.NaN, ...atLeast(0.8) },
      { goal: "the same, worst", wide: least(native), ...atLeast(0.3) },
      { goal: `${what} against ONNX Runtime Web, geometric mean`, wide: mean(web("rank1 wide")), ...atLeast(2.5) },
      { goal: "the same in 128-bit code", narrow: mean(web("rank1")), ...atLeast(1.6) },
      { goal: "the same, worst", wide: least(web("rank1 wide")), ...atLeast(1) },
    ];
  });
  const first = (name: string, rival: string): number => find({ fresh } as ModelResults, name, rival, 1)?.first.median ?? Number.NaN;
  const firsts = zoo.map(({ name }) => first(name, "rank1 wide") / first(name, judge)).filter(Number.isFinite);
  return [
    ...apart,
    {
      goal: "quantised models against native ONNX Runtime, geometric mean",
      wide: mean(ratios(["quantised"], judge, "rank1 wide")),
      ...atLeast(0.3),
    },
    {
      goal: "quantised models against ONNX Runtime Web, geometric mean",
      wide: mean(ratios(["quantised"], webName, "rank1 wide")),
      ...atLeast(1.2),
    },
    {
      goal: "load and first run of published models over native ONNX Runtime's, median",
      wide: firsts.length > 0 ? median(firsts) : Number.NaN,
      ...atMost(1.5, "×"),
    },
  ];
}
