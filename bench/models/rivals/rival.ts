// What a library that runs models must offer. Each works in a process of its own, on a number of threads of its own.
import type { Job } from "../../serve.ts";

/** Of all outputs, in the order of their names. */
export type ModelResult = Float32Array[];

export interface ModelRival {
  version: string;
  /** Loads a model, as far as the library does before it is run. The result of a job is that of its last run. */
  load(file: Uint8Array, shape: readonly number[], x: Float32Array<ArrayBuffer>): Promise<Job<ModelResult>>;
  /** What rank1 has learnt of its wide kernels, which the next process may be given. */
  verdicts?(): Record<string, string>;
}

export const byName = (outputs: Readonly<Record<string, { data: unknown }>>): ModelResult =>
  Object.keys(outputs)
    .sort()
    .map((name) => outputs[name]!.data as Float32Array);
