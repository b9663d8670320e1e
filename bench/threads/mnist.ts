// What a run of a tiny model takes beyond its kernels, on one thread, in a process of its own: `node mnist.ts [wide]` prints
// milliseconds as JSON.
import { readFileSync } from "node:fs";
import { createEngine } from "../../src/index.ts";
import { explainModel, loadModel } from "../../src/onnx/index.ts";
import { median } from "../gate/change.ts";
import { feedsOf, pathOf } from "../models/cases.ts";
import { mnist } from "./cases.ts";

export interface Overhead {
  /** A run; and what is computed in it, stage by stage, without copies: as `onTask` tells it. */
  whole: number;
  kernels: number;
}

const engine = await createEngine({ threads: 1, wide: process.argv[2] === "wide", backend: "wasm" });
const model = await loadModel(readFileSync(pathOf(mnist)), { engine });
const inputs = Object.fromEntries(feedsOf(mnist).map(({ name, shape, data }) => [name, { shape, data }]));
for (let i = 0; i < 500; i++) await model.run(inputs);

const tasks = (await explainModel(model, { inputs })).partitions.flatMap((partition) => partition.tasks);
const [whole, times] = [[] as number[], tasks.map(() => [] as number[])];
// In turn, so that a busy moment of the machine hits both.
for (let round = 0; round < 100; round++) {
  for (let i = 0; i < 10; i++) {
    const start = performance.now();
    await model.run(inputs);
    whole.push(performance.now() - start);
  }
  for (let i = 0; i < 10; i++) await model.run(inputs, { onTask: (spent, index) => times[index]!.push(spent) });
}
engine.dispose();
const kernels = tasks.reduce((sum, { place }, i) => sum + (place === "copy" ? 0 : median(times[i]!)), 0);
const overhead: Overhead = { whole: median(whole), kernels };
console.log(JSON.stringify(overhead));
