// What multiplications saved are worth. `node separated.ts`: layers in each form against the regular layer, on one thread, their
// strips in the cache. `node separated.ts <original.onnx> <separated.onnx> [--shape 1x3x156x156]`: whole files, on rank1 and on
// native ONNX Runtime, one thread, run in turns of blocks; the medians, and the ratios that goals are about. `--rounds 15`.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type KernelTime, timeKernels } from "../src/backend/wasm/kernel-times.ts";
import { measurePeaks } from "../src/backend/wasm/peaks.ts";
import { wideSupport } from "../src/backend/wasm/wide.ts";
import { createEngine, type Engine, type Plan } from "../src/index.ts";
import type { LayerWeights } from "../src/kernels/kernel.ts";
import { loadModel } from "../src/onnx/index.ts";
import { median } from "./gate/change.ts";
import { describeMachine } from "./machine.ts";
import type { Feed } from "./models/cases.ts";
import { onnxNative } from "./models/rivals/onnx-runtime.ts";
import { generator } from "./random.ts";
import { number, table } from "./tables.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { shape: { type: "string", default: "1x3x32x32" }, rounds: { type: "string", default: "15" } },
});
const wide = wideSupport().supported;
const rounds = Number(values.rounds);
const { cpu, node } = describeMachine();
const engine = await createEngine({ threads: 1, wide, backend: "wasm" });
console.log(`${cpu}, Node ${node}, ${wide ? 256 : 128}-bit code, one thread`);
if (positionals.length === 2) await files(positionals as [string, string]);
else await layers();
process.exit();

async function layers(): Promise<void> {
  const peaks = await measurePeaks({ mode: { relaxed: true, wide } });
  console.log(`at most ${number(peaks.multiplications.f32)} multiplications a nanosecond`);
  const shapes = [
    ...[6, 9, 12, 16, 24].map((rank) => [16, rank, 32]),
    ...[[32, 24, 16], [64, 40, 8], [64, 64, 32], [64, 96, 32], [128, 190, 146], [256, 256, 28]],
  ] as [channels: number, rank: number, side: number][];
  const rows: string[][] = [];
  for (const [channels, rank, side] of shapes) {
    const x = [1, side, side, channels];
    const pads = { pads: "same" } as const;
    const of = (size: readonly [number, number], inputs: number, outputs: number, height = side): Plan =>
      engine.plan(engine.layerProblem("conv2d", { x: [1, height, side, inputs], weight: [...size, inputs, outputs] }, pads));
    const expand = { expand: [1, 1, channels, rank], depthwise: [3, 3, rank, 1], project: [1, 1, rank, channels] };
    const split = { depthwise: [3, 3, channels, 1], pointwise: [1, 1, channels, channels] };
    const forms: [string, number, Plan[]][] = [
      ["regular", 9 * channels * channels, [of([3, 3], channels, channels)]],
      ["pointwise, depthwise, pointwise", 2 * channels * rank + 9 * rank, [engine.plan(engine.layerProblem("invertedResidual", { x, ...expand }, pads))]],
      ["column, row", 6 * channels * rank, [of([3, 1], channels, rank), of([1, 3], rank, channels)]],
      ["depthwise, pointwise", 9 * channels + channels * channels, [engine.plan(engine.layerProblem("separableConv2d", { x, ...split }, pads))]],
    ]; // biome-ignore format: rows
    const times: number[] = [];
    for (const [name, each, plans] of forms) {
      const steps = await stepsOf(plans);
      const time = steps.reduce((sum, step) => sum + step.time, 0);
      times.push(time);
      const rate = (side * side * each) / time;
      const parts = steps.map((step) => `${step.step} ${number(step.multiplications / step.time)}`);
      rows.push([
        ...[`${channels} → ${rank} → ${channels} at ${side}²`, name, number(time / 1e3), number(rate)],
        ...[`${number((100 * rate) / peaks.multiplications.f32)} %`, number(times[0]! / time), parts.join(", ")],
      ]);
    }
  }
  console.log(table(["layer", "form", "µs", "mul/ns", "of peak", "× as fast as regular", "steps, with padding"], rows));
}

/** The steps of plans that run one after the other: of each the least time of five. */
async function stepsOf(plans: readonly Plan[]): Promise<KernelTime[]> {
  const all: KernelTime[] = [];
  for (const plan of plans) {
    const found: KernelTime[][] = [];
    for (let i = 0; i < 5; i++) found.push(await timeKernels(plan, { wide, verdicts: {}, weights: weightsOf(plan) }));
    all.push(...found[0]!.map((step, i) => ({ ...step, time: Math.min(...found.map((steps) => steps[i]!.time)) })));
  }
  return all;
}

function weightsOf({ stages, buffers }: Plan): Map<string, LayerWeights> {
  const random = generator(1);
  const noise = (count: number): Float32Array => Float32Array.from({ length: count }, () => random() - 0.5);
  const constants = new Set(buffers.filter(({ scope }) => scope === "constant").map(({ id }) => id));
  const steps = stages.flatMap((stage) => stage.steps);
  return new Map(
    steps.flatMap(({ kernel, reads }) => {
      const id = reads.find((read) => constants.has(read));
      if (id === undefined) return [];
      if (kernel.family === "depthwise") {
        const outputs = kernel.channels * kernel.depthMultiplier;
        return [[id, { weight: noise(kernel.size[0] * kernel.size[1] * outputs), bias: noise(outputs) }] as const];
      }
      if (kernel.family !== "conv") return [];
      const { inputs, outputs } = kernel.winograd ?? kernel;
      const taps = kernel.winograd ? 9 : (kernel.size[0] * kernel.size[1]) / kernel.groups;
      return [[id, { weight: noise(taps * inputs * outputs), bias: noise(outputs) }] as const];
    }),
  );
}

interface Contestant {
  name: string;
  run(feeds: readonly Feed[]): Promise<unknown>;
}

async function files(names: readonly [string, string]): Promise<void> {
  const native = await onnxNative(1);
  const contestants: Contestant[] = [];
  for (const [i, name] of names.entries()) {
    const [bytes, what] = [readFileSync(name), i === 0 ? "original" : "separated"];
    contestants.push({ name: `rank1, ${what}`, run: await rank1Of(bytes, engine) });
    const session = await native.open(bytes);
    contestants.push({ name: `ONNX Runtime, ${what}`, run: async (feeds) => session.run(feeds) });
  }
  const model = await loadModel(readFileSync(names[0]), { engine });
  const sides = values.shape.split("x").map(Number);
  const open = typeof (model.inputs[0]!.declared ?? model.inputs[0]!.shape)?.[0] !== "number";
  for (const pictures of open ? [1, 16] : [1]) {
    const shape = [pictures, ...sides.slice(1)];
    const random = generator(1);
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, random);
    const feeds: Feed[] = [{ name: model.inputs[0]!.name, dtype: "f32", shape, data }];
    const times = await timesOf(contestants, feeds);
    const rows = contestants.map(({ name }, i) => [name, number(times[i]!)]);
    const [own, rival, separated, rivalSeparated] = times as [number, number, number, number];
    console.log(`\n${shape.join(" × ")}, medians in milliseconds`);
    console.log(table(["of", "ms"], rows));
    console.log(`rank1 on the separated file over ONNX Runtime on the original: ${number(separated / rival)}`);
    console.log(`rank1 on the separated file over ONNX Runtime on the same: ${number(separated / rivalSeparated)}`);
    console.log(`as fast as rank1 on the original: ${number(own / separated)} ×; ONNX Runtime: ${number(rival / rivalSeparated)} ×`);
  }
}

async function rank1Of(bytes: Uint8Array, engine: Engine): Promise<Contestant["run"]> {
  const model = await loadModel(bytes, { engine });
  return (feeds) => model.run(Object.fromEntries(feeds.map(({ name, shape, data }) => [name, { shape, data }])));
}

/** Each in blocks of its own after a rest: threads of others may go on looking for work for a while. */
async function timesOf(contestants: readonly Contestant[], feeds: readonly Feed[]): Promise<number[]> {
  const times: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of contestants.entries()) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      await run(feeds);
      for (const end = performance.now() + 40; times[i]!.length <= round || performance.now() < end; ) {
        const start = performance.now();
        await run(feeds);
        times[i]!.push(performance.now() - start);
      }
    }
  }
  return times.map(median);
}
