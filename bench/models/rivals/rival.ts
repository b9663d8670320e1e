// What a library that runs models must offer. Each works in a process of its own, on a number of threads of its own.
import type { Job } from "../../serve.ts";
import type { Feed } from "../cases.ts";

/** Of all outputs, in the order of their names. */
export type ModelResult = Float32Array[];

export interface ModelRival {
  version: string;
  /** Loads a model, as far as the library does before it is run. The result of a job is that of its last run. */
  load(file: Uint8Array, feeds: readonly Feed[]): Promise<Job<ModelResult>>;
  /** What rank1 has learnt of its wide kernels, which the next process may be given. */
  verdicts?(): Record<string, string>;
}

export const byName = (outputs: Readonly<Record<string, { data: unknown }>>): ModelResult =>
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
