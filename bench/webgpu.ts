// Times plans on a GPU, of values that are there already, beside what the same GPU reaches at best: multiplications in registers, and copies
// in its memory. Of pictures without packing and borders. Whether results are right is for `npm run test:gpu`. `node webgpu.ts [--tiny] [--software]`: a few minutes; needs the package "webgpu" beside
// rank1 and a driver of Vulkan. `--tiny` shows that all runs, and measures nothing.
import { parseArgs } from "node:util";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { WebGpuBackend } from "../src/backend/webgpu/backend.ts";
import type { Station } from "../src/backend/webgpu/program.ts";
import { type Task, type TaskList, tableKey, tasksOf } from "../src/backend/webgpu/tasks.ts";
import { createEngine, type Engine } from "../src/index.ts";
import type { LayerShapes } from "../src/plan/layer-problem.ts";
import type { Plan } from "../src/plan/types.ts";

const { values } = parseArgs({
  options: { tiny: { type: "boolean", default: false }, software: { type: "boolean", default: false } },
});
const { tiny } = values;
const gpu = await WebGpuBackend.create(2 ** 32 - 2 ** 16, { allowSoftware: values.software }, async () => {
  const mode = { relaxed: true, wide: false };
  return new WasmBackend({ threads: 1, always: true, maxMemory: 2 ** 30, mode, memories: true });
});
const station: Station = await gpu.station();
const { device } = station;
const planner = await createEngine({ threads: 1 });

/** Dispatches with all that is bound to them. */
async function ready({ tasks, places }: TaskList) {
  const buffers = new Map([...places].map(([key, { elements }]) => [key, station.memory.storage(4 * elements)]));
  const pipelines = await station.pipelines.all(tasks.map(({ text }) => text));
  const owned = [...buffers.values()];
  const own = (buffer: GPUBuffer, data: Int32Array): GPUBuffer => {
    device.queue.writeBuffer(buffer, 0, data as Int32Array<ArrayBuffer>);
    owned.push(buffer);
    return buffer;
  };
  const steps = tasks.map((task: Task) => {
    const words = own(station.memory.uniform(4 * task.words.length), task.words);
    const bufferOf = (key: string): GPUBuffer =>
      key === tableKey ? own(station.memory.storage(task.table!.byteLength), task.table!) : buffers.get(key)!;
    const entries = [words, ...task.binds.map(bufferOf)].map((buffer, binding) => ({ binding, resource: { buffer } }));
    const pipeline = pipelines.get(task.text)!;
    return { pipeline, group: device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }), task };
  });
  return { steps, dispose: () => owned.forEach((buffer) => buffer.destroy()) };
}

/** The median time of one pass over all dispatches, in milliseconds: of as many in one submission as take a tenth of a second. */
async function timeOf(list: TaskList): Promise<number> {
  const { steps, dispose } = await ready(list);
  const once = async (count: number): Promise<number> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let i = 0; i < count; i++)
      for (const { pipeline, group, task } of steps) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(...task.groups);
      }
    pass.end();
    const commands = encoder.finish();
    const start = performance.now();
    device.queue.submit([commands]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  let count = 1;
  if (!tiny) for (let time = await once(1); time < 100 && count < 2 ** 14; time = await once(count)) count *= 2;
  const times: number[] = [];
  for (let i = 0; i < (tiny ? 1 : 9); i++) times.push((await once(count)) / count);
  dispose();
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}

const handmade = (text: string, elements: Record<string, number>, units: number): TaskList => {
  const binds = Object.keys(elements);
  const groups: [number, number] = [Math.min(65535, units / 64), Math.ceil(units / 64 / 65535)];
  const task = { text, binds, words: Int32Array.of(units, groups[0]), groups, stage: 0 };
  const places = new Map(binds.map((key) => [key, { key, elements: elements[key]!, first: 0, last: 0 }]));
  return { tasks: [task], places };
};
const head = "struct Words { units: i32, across: i32 }\n@group(0) @binding(0) var<uniform> p: Words;";
const main = "@compute @workgroup_size(64)\nfn main(@builtin(global_invocation_id) id: vec3u) {";

/** Multiplications a nanosecond in registers, and bytes a nanosecond of a copy, read and written. */
async function peaks(): Promise<{ multiplications: number; bytes: number }> {
  const units = tiny ? 256 : 2 ** 20;
  const rounds = 256;
  const sums = [0, 1, 2, 3, 4, 5, 6, 7];
  const work = handmade(
    `${head}\n@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;\n${main}
  let a = vec4f(f32(p.across) * 1e-9 + 0.999);
${sums.map((i) => `  var s${i} = vec4f(f32(id.x) + ${i}.0);`).join("\n")}
  for (var i = 0; i < ${rounds}; i++) { ${sums.map((i) => `s${i} = fma(s${i}, a, a);`).join(" ")} }
  y[id.x % 1024u] = ${sums.map((i) => `s${i}`).join(" + ")};\n}`,
    { y: 4096 },
    units,
  );
  const size = tiny ? 2 ** 10 : 2 ** 24;
  const copy = handmade(
    `${head}\n@group(0) @binding(1) var<storage, read> x0: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;\n${main}
  let u = id.y * u32(p.across) * 64u + id.x;
  if (u < u32(p.units)) { y[u] = x0[u]; }\n}`,
    { x: size, y: size },
    size / 4,
  );
  return {
    multiplications: (units * rounds * sums.length * 4) / (1e6 * (await timeOf(work))),
    bytes: (8 * size) / (1e6 * (await timeOf(copy))),
  };
}

interface Timed {
  name: string;
  plan: Plan;
  /** Of values that come and go. */
  bytes: number;
}

function layers(engine: Engine): Timed[] {
  const images = tiny ? 1 : 32;
  const layer = (name: string, kind: "pointwiseConv2d" | "separableConv2d", side: number, inputs: number, outputs: number): Timed => {
    const x = [images, tiny ? 8 : side, tiny ? 8 : side, inputs];
    const mix = [1, 1, inputs, outputs];
    const separable = kind === "separableConv2d";
    const shapes: LayerShapes = separable ? { x, depthwise: [3, 3, inputs, 1], pointwise: mix } : { x, weight: mix };
    const problem = engine.layerProblem(kind, shapes, separable ? { pads: "same", activation: "relu6" } : {});
    const plan = engine.plan(problem, separable ? { strategy: "depthwise-pointwise fused" } : {});
    return { name, plan, bytes: 4 * images * x[1]! * x[2]! * (inputs + outputs) };
  };
  return [
    layer("pointwise, 56 x 56, 128 -> 128", "pointwiseConv2d", 56, 128, 128),
    layer("pointwise, 14 x 14, 512 -> 512", "pointwiseConv2d", 14, 512, 512),
    layer("depthwise + pointwise, 112 x 112, 32 -> 64", "separableConv2d", 112, 32, 64),
    layer("depthwise + pointwise, 56 x 56, 128 -> 128", "separableConv2d", 56, 128, 128),
    layer("depthwise + pointwise, 14 x 14, 512 -> 512", "separableConv2d", 14, 512, 512),
  ];
}

function filters(engine: Engine): Timed[] {
  const picture = { width: tiny ? 40 : 4000, height: tiny ? 30 : 3000, channels: 4, dtype: "u8" } as const;
  return ["gaussian:sigma=1", "gaussian:sigma=4", "sobel-x"].map((name) => {
    const problem = engine.filterProblem(picture, name);
    const out = problem.y.dtype === "u8" ? 1 : 2;
    return { name: `${name}, 12 megapixels in RGBA`, plan: engine.plan(problem), bytes: picture.width * picture.height * 4 * (1 + out) };
  });
}

const best = await peaks();
const round = (value: number): number => Number(value.toPrecision(3));
const { adapter, software } = gpu.graphics;
console.log(JSON.stringify({ adapter, software, node: process.version, multiplicationsPerNs: round(best.multiplications), bytesPerNs: round(best.bytes) })); // biome-ignore format: a line
for (const { name, plan, bytes } of [...layers(planner), ...filters(planner)]) {
  const list = tasksOf(plan, station.limits);
  const time = await timeOf(list);
  // What the slower of its two limits takes.
  const least = Math.max(plan.cost.multiplications / best.multiplications, bytes / best.bytes) / 1e6;
  const line = { name, dispatches: list.tasks.length, ms: round(time), leastMs: round(least), share: round(least / time) };
  console.log(JSON.stringify(line));
}
planner.dispose();
gpu.dispose();
