// The goals that rank1 set itself for layers, and what was reached. Times are those of calls, copies in and out included, but
// where a goal is about plans: those are timed alone. A goal without the measurements that it needs is left out.
import { atLeast, both, geometricMean, least, measured, type Reached, timeOf, type Variant } from "../goals.ts";
import type { Entry } from "../results.ts";
import type { Group } from "./cases.ts";
import type { LayerCaseResult, LayerResults } from "./results.ts";

const native = ["ONNX Runtime"];
const wasm = ["ONNX Runtime Web", "TensorFlow.js", "jax-js"];
const blocks: readonly Group[] = ["separable", "inverted"];

export function goalsOf(results: LayerResults): Reached[] {
  const { cases, peaks } = results;
  const inGroup = (...groups: readonly Group[]): LayerCaseResult[] =>
    cases.filter(({ group }) => groups.includes(group));
  const threes = cases.filter(({ name }) => name.startsWith("depthwise3-"));
  const time = (name: string, rival: string, threads: number): number => timeOf(results, name, rival, threads);
  /** How many times as long the fastest of the rivals takes: the geometric mean. */
  const against =
    (rivals: readonly string[], over: readonly LayerCaseResult[], threads: number) => (variant: Variant) =>
      geometricMean(
        over.map(({ name }) => {
          const theirs = rivals.map((rival) => time(name, rival, threads)).filter(Number.isFinite);
          return least(theirs) / time(name, variant, threads);
        }),
      );
  const goals: Reached[] = [1, 2].flatMap((threads) => {
    const on = threads === 1 ? "1 thread" : `${threads} threads`;
    const wide = (rivals: readonly string[], over: readonly LayerCaseResult[]) => ({
      wide: against(rivals, over, threads)("rank1 wide"),
    });
    const narrow = (rivals: readonly string[], over: readonly LayerCaseResult[]) => ({
      narrow: against(rivals, over, threads)("rank1"),
    });
    const families = [
      ["MobileNetV1's separable blocks", inGroup("separable")],
      ["MobileNetV2's inverted residuals", inGroup("inverted")],
    ] as const;
    return [
      ...families.flatMap(([what, over]) => [
        { goal: `${what} against native ONNX Runtime, mean, ${on}`, ...wide(native, over), ...atLeast(1.5) },
        { goal: `the same against the best of WebAssembly, ${on}`, ...wide(wasm, over), ...atLeast(4) },
        { goal: `the same with 128-bit code, ${on}`, ...narrow(wasm, over), ...atLeast(2.5) },
      ]),
      { goal: `depthwise 3×3 against native ONNX Runtime, mean, ${on}`, ...wide(native, threes), ...atLeast(3) },
      { goal: `the same against TensorFlow.js, ${on}`, ...wide(["TensorFlow.js"], threes), ...atLeast(8) },
      {
        goal: `pointwise against native ONNX Runtime, mean, ${on}`,
        ...wide(native, inGroup("pointwise")),
        ...atLeast(1),
      },
      {
        goal: `regular 3×3 against native ONNX Runtime, mean, ${on}`,
        ...wide(native, inGroup("regular")),
        ...atLeast(1),
      },
      { goal: `the same against the best of WebAssembly, ${on}`, ...wide(wasm, inGroup("regular")), ...atLeast(3) },
    ];
  });
  goals.push(
    {
      goal: "pointwise, 256 channels and more: share of the machine's peak, worst, the plan alone, 1 thread",
      ...both((variant) => {
        const peak = variant === "rank1" ? peaks.narrow : peaks.wide;
        const shares = inGroup("pointwise").filter(({ name }) => /-(256|512|1024)$/.test(name));
        return least(shares.map((result) => (100 * speedOf(result, entryOf(result, variant, 1))) / peak));
      }),
      ...atLeast(80, "%"),
    },
    {
      goal: "blocks: the best of the other plans against the chosen one, worst, 1 thread",
      ...both((variant) => least(inGroup(...blocks).map((result) => lead(entryOf(result, variant, 1))))),
      ...atLeast(1),
    },
    {
      goal: "2 threads against 1, blocks above 1 ms, worst",
      ...both((variant) => {
        const long = inGroup(...blocks).filter(({ name }) => time(name, variant, 1) > 1);
        return least(long.map(({ name }) => time(name, variant, 1) / time(name, variant, 2)));
      }),
      ...atLeast(1.7),
    },
  );
  return measured(goals);
}

export const entryOf = ({ entries }: LayerCaseResult, rival: string, threads: number): Entry | undefined =>
  entries.find((entry) => entry.rival === rival && entry.threads === threads);

/** GFLOP/s of the chosen plan alone: those that the definition asks for, whatever the plan saves. */
export function speedOf({ multiplications }: LayerCaseResult, entry: Entry | undefined): number {
  const chosen = entry?.programs?.[0]?.times.median ?? Number.NaN;
  return (2 * multiplications) / (chosen * 1e6);
}

/** How many times as long as the chosen plan the best of the others takes; NaN where there is no other. */
function lead(entry: Entry | undefined): number {
  const [chosen, ...others] = (entry?.programs ?? []).map(({ times }) => times.median);
  return least(others) / (chosen ?? Number.NaN);
}
