// How long two networks take, measured side by side on one thread.
import { createEngine, type Engine } from "../engine/engine.ts";
import type { Graph } from "../graph/types.ts";
import { Runner, type Values } from "./network.ts";
import type { Change } from "./report.ts";

/** Runs of each, at least and at most, and for how long in all. */
const [fewest, most, milliseconds] = [5, 200, 2000];

/** Median milliseconds of a run of two networks on one thread, measured in turns. */
export async function compareTimes(
  before: Graph,
  after: Graph,
  inputs: Values,
  like: Engine,
  signal?: AbortSignal,
): Promise<Change> {
  const { backend, wide } = like.info();
  const engine = await createEngine({ backend, threads: 1, wide: wide.enabled });
  const runners = [new Runner(before, engine), new Runner(after, engine)];
  const times: number[][] = [[], []];
  try {
    for (let i = 0; i < 3; i++) for (const runner of runners) await runner.run(inputs, signal);
    const end = performance.now() + milliseconds;
    for (let i = 0; i < most && (i < fewest || performance.now() < end); i++) {
      for (const [k, runner] of runners.entries()) {
        const start = performance.now();
        await runner.run(inputs, signal);
        times[k]!.push(performance.now() - start);
      }
    }
  } finally {
    engine.dispose();
  }
  const median = (list: number[]): number => list.sort((a, b) => a - b)[list.length >> 1]!;
  return { before: median(times[0]!), after: median(times[1]!) };
}
