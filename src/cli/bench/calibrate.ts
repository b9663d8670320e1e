// Learns beforehand what commands would otherwise learn at their first call of each kind: which 256-bit kernels agree with
// their 128-bit twins on this machine. The engine remembers; the command writes it down.
import type { Engine, Image, ImageDType, Plan } from "../../index.ts";
import type { Control } from "./measure.ts";

/** Between them, their plans have kernels of many kinds: integer and real, few and many terms, sums, coarse grids. */
const integer = ["sobel-x", "binomial:5", "binomial:9", "box:5", "box:15"];
const real = ["gaussian:2", "gaussian:20", "unsharp", "disk:3", "disk:9"];
const arrays = { u8: Uint8Array, u16: Uint16Array, i16: Int16Array, f32: Float32Array };
const types = Object.keys(arrays) as ImageDType[];

/** Runs every plan for every filter and type on a small picture. */
export async function calibrate(engine: Engine, { signal, onProgress }: Control): Promise<void> {
  const cases = [...integer, ...real].flatMap((filter) =>
    types.flatMap((dtype) =>
      types.flatMap((output) =>
        // Few kernels differ by the number of channels.
        (output === "u8" ? [1, 3, 4] : [1]).map((channels) => ({ filter, dtype, output, channels })),
      ),
    ),
  );
  for (const [index, { filter, dtype, output, channels }] of cases.entries()) {
    onProgress(index / cases.length);
    const [width, height] = [80, 24];
    const image: Image = { width, height, channels, data: new arrays[dtype](width * height * channels) };
    const options = { output, tolerance: filter === "gaussian:20" ? 0.01 : 0 };
    const problem = engine.filterProblem({ width, height, channels, dtype }, filter, options);
    for (const plan of everyPlan(engine, problem)) await engine.run(plan, image, { signal });
  }
}

/** The plan of each solver that applies. */
function everyPlan(engine: Engine, problem: Plan["problem"]): Plan[] {
  const best = engine.plan(problem);
  const others = best.rejected.filter(({ cost, solver }) => cost && solver !== best.solver);
  return [
    best,
    ...[...new Set(others.map(({ solver }) => solver))].map((strategy) => engine.plan(problem, { strategy })),
  ];
}
