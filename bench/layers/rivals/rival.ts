// What a library that computes layers must offer. Each works in a process of its own, on a number of threads of its own.
import type { Job } from "../../serve.ts";
import type { LayerCase } from "../cases.ts";
import type { LayerData } from "../data.ts";

/** Weights are packed, and nothing is allocated in `run` that the library allows to be allocated before. It makes [height, width, channels]. */
export type LayerJob = Job<Float32Array>;

export interface LayerRival {
  version: string;
  prepare(problem: LayerCase, data: LayerData): Promise<LayerJob>;
}
