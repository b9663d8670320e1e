// What a library that runs models must offer. Each works in a process of its own, on a number of threads of its own.
import { timed } from "../../rival.ts";
import type { Job } from "../../serve.ts";
import type { Feed } from "../cases.ts";

/** Of all outputs, in the order of their names. */
export type ModelResult = Float32Array[];

export type Outputs = Readonly<Record<string, { data: unknown }>>;

export interface OpenModel {
  run(feeds: readonly Feed[]): Promise<Outputs>;
  dispose(): unknown;
}

/** Runs of an open model on the same inputs; the result is that of the last run. */
export function jobOf(model: OpenModel, feeds: readonly Feed[]): Job<ModelResult> {
  let last: Outputs = {};
  const run = async (): Promise<void> => {
    last = await model.run(feeds);
  };
  return {
    run: () => timed(run),
    result: () => byName(last),
    dispose: async () => void (await model.dispose()),
  };
}

export interface ModelRival {
  version: string;
  /** Loads a model, as far as the library does before it is run. */
  open(file: Uint8Array): Promise<OpenModel>;
  /** What rank1 has learnt of its wide kernels, which the next process may be given. */
  verdicts?(): Record<string, string>;
}

export const byName = (outputs: Outputs): ModelResult =>
  Object.keys(outputs)
    .sort()
    .map((name) => Float32Array.from(outputs[name]!.data as Float32Array));

/** All outputs in one. */
export function joined(outputs: ModelResult): Float32Array {
  const all = new Float32Array(outputs.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const output of outputs) {
    all.set(output, at);
    at += output.length;
  }
  return all;
}
