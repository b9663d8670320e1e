// Holds every stage of the published models against what this machine can do at most: the multiplications of its steps at the
// measured peak, or the bytes of the whole values that it reads and writes at the speed of memory, whichever takes longer.
// `node bounds.ts [--only <part of a name>] [--below <percent>]`, one thread, wide code where there is some. Lists the slowest
// stages below a share of their bound, kinds of stages by the time that they take, and what share of all time is below.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { wideSupport } from "../src/backend/wasm/wide.ts";
import { measurePeaks } from "../src/backend/wasm/peaks.ts";
import { checkInputs } from "../src/graph/evaluate.ts";
import type { BackendPartition } from "../src/graph/compile.ts";
import { sizeOf } from "../src/graph/values.ts";
import { createEngine } from "../src/index.ts";
import { workOf } from "../src/kernels/table.ts";
import { loadModel } from "../src/onnx/index.ts";
import { builtInProfile, costOf, rowBytes } from "../src/plan/cost.ts";
import { median } from "./gate/change.ts";
import { describeMachine } from "./machine.ts";
import { feedsOf, type ModelCase, pathOf } from "./models/cases.ts";
import { zooCase, zooFiles } from "./models/zoo.ts";
import { number, table } from "./tables.ts";

/** One stage, or one node on the host, or a copy; nanoseconds, and the part of its model's time. */
interface Part {
  model: string;
  kind: string;
  name: string;
  shape: string;
  time: number;
  bound: number;
  part: number;
}

const { values: options } = parseArgs({
  options: { only: { type: "string", default: "" }, below: { type: "string", default: "25" } },
});
const [below, budget] = [Number(options.below) / 100, 700];
/** Of the second-level cache; what is larger comes from memory. */
const cachedBytes = 1 << 20;

const wide = wideSupport().supported;
const peaks = await measurePeaks({ mode: { relaxed: true, wide } });
const { cpu, node } = describeMachine();
const gigabytes = `${number(peaks.memory)} GB/s in memory, ${number(peaks.cache)} in the cache`;
console.log(`${cpu}, Node ${node}: ${number(peaks.multiplications.f32)} multiplications a nanosecond, ${gigabytes}`);

const parts: Part[] = [];
for (const file of zooFiles.filter((name) => name.includes(options.only))) {
  const found = await zooCase(file)
    .then(partsOf)
    .catch((error: Error) => console.log(`${file}: ${error.message}`));
  parts.push(...(found ?? []));
}
const models = new Set(parts.map(({ model }) => model)).size;
/** Of the time of all models, each of which counts as much as the next. */
const ofAll = (some: readonly Part[]): number => some.reduce((total, { part }) => total + part, 0) / models;
const slow = parts.filter(({ time, bound }) => bound < below * time).sort((a, b) => b.part - a.part);
const shown = slow
  .slice(0, 40)
  .map((one) => [one.model, one.kind, one.name.slice(0, 30), one.shape, milliseconds(one), share(one), percent(one.part)]);
console.log(table(["model", "what", "of", "result", "ms", "of its bound", "of its model's time"], shown));
const kinds = [...Map.groupBy(parts, ({ kind }) => kind)].sort(([, a], [, b]) => ofAll(b) - ofAll(a));
const byKind = kinds.slice(0, 40).map(([kind, all]) => {
  const whole = { time: sum(all), bound: all.reduce((bound, part) => bound + part.bound, 0) };
  const low = percent(ofAll(all.filter((part) => slow.includes(part))));
  return [kind, `${all.length}`, milliseconds(whole), share(whole), percent(ofAll(all)), low];
});
console.log(table(["kind", "stages", "ms", "of their bound", "of all time", `below ${options.below} %`], byKind));
console.log(`below ${options.below} % of their bound: ${percent(ofAll(slow))} of the time of ${models} models`);
process.exit();

async function partsOf(problem: ModelCase): Promise<Part[]> {
  const engine = await createEngine({ threads: 1, wide, backend: "wasm", maxMemory: 2 ** 32 - 2 ** 16 });
  const model = await loadModel(readFileSync(pathOf(problem)), { engine });
  const inputs = Object.fromEntries(feedsOf(problem).map(({ name, shape, data }) => [name, { shape, data }]));
  await model.run(inputs);
  const program = await model.programFor(checkInputs(model.graph, inputs));
  const tasks = program.tasks.flat();
  const times: number[][] = tasks.map(() => []);
  for (const end = performance.now() + budget; times[0]!.length < 5 || performance.now() < end; )
    await model.run(inputs, { onTask: (spent, i) => times[i]!.push(spent) });
  const copied = (values: readonly { name: string }[]): number =>
    values.reduce((time, { name }) => time + (2 * 4 * sizeOf(program.specOf(name)!.shape)) / peaks.memory, 0);
  const bounds = program.partitions.flatMap((partition) =>
    partition.kind === "backend"
      ? [copied(partition.reads), ...boundsOf(partition), copied(partition.writes)]
      : partition.nodes.map(() => 0),
  );
  engine.dispose();
  const medians = times.map((all) => 1e6 * median(all));
  const whole = medians.reduce((total, time) => total + time, 0);
  return tasks.map(({ name, op, place, shape = [], steps }, i) => ({
    ...{ model: problem.name, name, shape: shape.join("×") },
    ...{ time: medians[i]!, bound: bounds[i]!, part: medians[i]! / whole },
    kind: place === "backend" ? steps.join(", ") : `${place}: ${op}`,
  }));
}

/** Nanoseconds that no code can undercut. */
function boundsOf({ plan }: BackendPartition): number[] {
  return plan.stages.map((stage) => {
    const cost = costOf({ stages: [stage], buffers: plan.buffers }, builtInProfile, workOf);
    const named = new Set(stage.steps.flatMap(({ reads }) => reads));
    const weights = plan.buffers.filter(({ id, scope }) => scope === "constant" && named.has(id));
    const bytes = cost.bytes + weights.reduce((sum, buffer) => sum + rowBytes(buffer), 0);
    const moved = bytes / (bytes < cachedBytes ? peaks.cache : peaks.memory);
    return Math.max(cost.multiplications / peaks.multiplications.f32, moved);
  });
}

function sum(of: readonly Pick<Part, "time">[]): number {
  return of.reduce((time, part) => time + part.time, 0);
}
function milliseconds({ time }: Pick<Part, "time">): string {
  return number(time / 1e6);
}
function share({ time, bound }: Pick<Part, "time" | "bound">): string {
  return percent(bound / time);
}
function percent(value: number): string {
  return `${number(100 * value)} %`;
}
