// How soon a call is rejected whose worker ends with work in its hands, in a process of its own: `node deaths.ts <threads>
// <calls>` ends a worker at a random moment of each call, and prints milliseconds as JSON.
import { Worker } from "node:worker_threads";
import { createEngine } from "../../src/index.ts";
import { generator } from "../random.ts";
import { timesOf } from "../results.ts";
import type { Deaths } from "./results.ts";

const [threads, calls] = [Number(process.argv[2]), Number(process.argv[3])];
const workers: Worker[] = [];
process.on("worker", (worker) => workers.push(worker));

const next = generator(5);
const filter = Array.from({ length: 25 }, () => Array.from({ length: 25 }, () => next() - 0.5));
const image = { width: 1600, height: 1200, channels: 1, data: new Float32Array(1600 * 1200).map(() => next()) };
const engine = await createEngine({ threads, backend: "wasm" });

/** A call that succeeds, once with new workers at the start and once with all at work. */
async function recover(): Promise<void> {
  await engine.filter(image, filter);
  await new Promise((resolve) => setTimeout(resolve, 150));
  await engine.filter(image, filter);
}

await recover();
const delays: number[] = [];
for (let i = 0; i < calls; i++) {
  let ended = Number.NaN;
  const timer = setTimeout(async () => {
    await workers.at(-1)!.terminate();
    ended = performance.now();
  }, next() * 25);
  const error = await engine.filter(image, filter).catch((error: { code: string }) => error);
  clearTimeout(timer);
  if ("code" in error) {
    if (error.code !== "WORKER") throw error;
    delays.push(Math.max(0, performance.now() - ended));
  }
  await recover();
}
engine.dispose();
const deaths: Deaths = { threads, calls, rejected: delays.length, delay: timesOf(delays), worst: Math.max(...delays) };
console.log(JSON.stringify(deaths));
