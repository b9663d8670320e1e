// What all phases of a separation share: the network and what is known of it, the engine, the samples and the options.
import type { Engine } from "../engine/engine.ts";
import type { DecompositionName } from "../factor/decompositions.ts";
import type { Matrix } from "../factor/matrix.ts";
import type { MachineProfile } from "../graph/time.ts";
import type { Graph, Spec } from "../graph/types.ts";
import type { Model } from "../onnx/model.ts";
import type { NetworkCost } from "./decomposition.ts";
import type { Gemm } from "./gemm.ts";
import type { CheckedOptions } from "./options.ts";
import type { Samples } from "./samples.ts";
import type { Target } from "./targets.ts";

export interface SeparationContext {
  model: Model;
  engine: Engine;
  /** Of the machine that times are planned for. */
  profile?: MachineProfile;
  /** The network that is to be separated, and what is known of its values for one sample. */
  graph: Graph;
  specs: ReadonlyMap<string, Spec>;
  targets: readonly Target[];
  /** What each target costs as it is. */
  costs: ReadonlyMap<Target, NetworkCost>;
  /** What the whole network costs. */
  whole: NetworkCost;
  samples?: Samples;
  gemm: Gemm;
  options: CheckedOptions;
}

/** What a layer becomes; undefined: it stays. */
export type Choice = { decomposition: DecompositionName; rank: number } | undefined;

/** What errors of each target's outputs cost. */
export type Metrics = ReadonlyMap<Target, Matrix>;

/** As many samples as so many multiplications of the whole network allow, from `least` to `most`. */
export function affordable({ whole }: SeparationContext, multiplications: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, Math.floor(multiplications / whole.multiplications)));
}

/** Lets timers and abort signals run before the next step. */
export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
