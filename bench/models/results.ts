// What the contest of models measures.
import type { CaseResult, Measured, Results, Times } from "../results.ts";
import type { ZooKind } from "./cases.ts";

/** Largest difference from native ONNX Runtime's result, over its largest value, and what was allowed. */
export interface ModelCheck {
  difference: number;
  allowed: number;
}

export type ModelCaseResult = CaseResult<ModelCheck>;

export interface ZooResult extends ModelCaseResult {
  kind: ZooKind;
}

/** Processes that load a library, then a model, and run it once on one picture. */
export interface FreshResult {
  name: string;
  title: string;
  rival: string;
  threads: number;
  /** Wide: what an earlier process has learnt of the kernels was given, as the command line keeps it. */
  cached: boolean;
  library: Times;
  first: Times;
  /** Of all threads, for what `first` covers. */
  processor: Times;
  /** Megabytes of the peak over the state before the model was loaded, after further runs. */
  growth: Times;
}

export interface ModelMeasured extends Measured<ModelCaseResult> {
  /** Models that others published, on one thread. */
  zoo: ZooResult[];
  fresh: FreshResult[];
  /** Bytes of the library with models, minified and gzipped. */
  bundle: number;
}

export type ModelResults = Results<ModelCaseResult> & ModelMeasured;
