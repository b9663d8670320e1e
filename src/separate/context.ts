// The options of a separation, checked, and the context that all its phases share: the network and what is known of it,
// the engine and the samples.
import { checkRunOptions } from "../engine/calls.ts";
import type { Engine } from "../engine/engine.ts";
import type { Signal } from "../engine/platform.ts";
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkNumber,
  checkOneOf,
  checkOptions,
  describe,
  InvalidArgumentError,
} from "../errors.ts";
import type { DecompositionName } from "../factor/decompositions.ts";
import type { Found } from "../factor/fit.ts";
import type { Matrix } from "../factor/matrix.ts";
import type { MachineProfile } from "../graph/time.ts";
import type { Graph, Spec } from "../graph/types.ts";
import type { Model } from "../onnx/model.ts";
import type { Checkpoint, SeparateStore } from "./checkpoint.ts";
import type { NetworkCost } from "./decomposition.ts";
import type { Gemm } from "./gemm.ts";
import { type Heads, type LossChoice, lossChoices } from "./heads.ts";
import { checkProfile } from "./profile.ts";
import type { Sample, Samples } from "./samples.ts";
import type { Target } from "./targets.ts";

/** What the phases of a separation share. */
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
  /** Multiplications of the whole network for a sample, or for a piece of one where samples are cut. */
  work: number;
  /** Shapes that figures are for, of inputs that the network leaves open where there are no samples. */
  usual: Readonly<Record<string, readonly number[]>>;
  /** How the errors of each output are measured. */
  heads: Heads;
  gemm: Gemm;
  /** What was found before, and what is found, for another run to go on from. */
  checkpoint: Checkpoint;
  options: CheckedSeparateOptions;
}

/** The decomposition chosen for a layer, and where the search of its fit can begin; undefined: it stays as it is. */
export type Choice = { decomposition: DecompositionName; rank: number; found?: Found } | undefined;

/** The output metric of each target. */
export type Metrics = ReadonlyMap<Target, Matrix>;

/** As many samples, or pieces, as so many multiplications of the whole network allow, from `least` to `most`. */
export function affordable(
  { work }: Pick<SeparationContext, "work">,
  multiplications: number,
  least: number,
  most: number,
): number {
  return Math.max(least, Math.min(most, Math.floor(multiplications / work)));
}

/** Lets timers and abort signals run before the next step. */
export const yieldToEventLoop = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

/** The goal of a separation, and its data. */
export interface SeparateOptions {
  /**
   * Inputs of the network, a few hundred where there are so many: the fits preserve what these give. They are read several
   * times; what can be read only once is kept in memory. Without any, the weights alone are approximated.
   */
  calibration?: Iterable<Sample> | AsyncIterable<Sample>;
  /** Exactly one of these four. Divide the multiplications of the whole network by this. */
  reduce?: number;
  /** Divide the measured time of a run on one thread by this. */
  speedup?: number;
  /** Of the machine that `speedup` is for: the time is planned by it then, and nothing is measured here for that. */
  profile?: MachineProfile;
  /** Bound the loss at the outputs (see {@link Report}); 0: only what is exact. */
  tolerance?: number;
  /**
   * How errors of the outputs are measured. "kl": as the divergence of the probabilities of classes; "mse": as the square error over
   * the variance; "auto", unless given: each output as the network ends in it.
   */
  loss?: LossChoice;
  /** Give every convolution a depthwise separable decomposition with this depth multiplier. */
  rank?: number;
  /** Tune the new convolutions towards the original's outputs for the calibration inputs: takes longer, loses less. */
  tune?: boolean;
  /** Which layers: a name in which * stands for anything, or a regular expression. All unless given. */
  layers?: string | RegExp;
  /** Of all that is random: 0 unless given. */
  seed?: number;
  /**
   * Keeps what is found, layer by layer. A separation of the same model and calibration data goes on from what it holds, also
   * towards another value of the same goal, and gives the same file as one that was not stopped.
   */
  store?: SeparateStore;
  /** Called with the share of the work that is done, 0 to 1, and what is being done. */
  onProgress?: (done: number, what: string) => void;
  /** Stops the work; the call then rejects with the signal's reason. */
  signal?: Signal;
}

export type Goal = { kind: "reduce" | "speedup" | "tolerance" | "rank"; value: number };

const goals = ["reduce", "speedup", "tolerance", "rank"] as const;

export interface CheckedSeparateOptions {
  goal: Goal;
  calibration?: Iterable<Sample> | AsyncIterable<Sample>;
  takes: (layer: string) => boolean;
  profile?: MachineProfile;
  loss: LossChoice;
  tune: boolean;
  seed: number;
  store?: SeparateStore;
  onProgress: (done: number, what: string) => void;
  signal?: Signal;
}

/** Throws {@link InvalidArgumentError} that names what is wrong. */
export function checkSeparateOptions(given: SeparateOptions): CheckedSeparateOptions {
  const data = ["profile", "calibration", "loss"] as const;
  const known = [...goals, ...data, "tune", "layers", "seed", "store", "onProgress", "signal"] as const;
  const options = checkOptions<SeparateOptions>("options", given, known);
  const { calibration, loss = "auto", tune = false, layers, seed = 0, store, onProgress = () => {}, signal } = options;
  checkInteger("seed", seed, { min: -(2 ** 31), max: 2 ** 31 });
  checkOneOf("loss", loss, lossChoices);
  checkBoolean("tune", tune);
  checkFunction("onProgress", onProgress);
  if (store !== undefined) checkStore(store);
  checkRunOptions({ signal });
  const goal = checkGoal(options);
  const profile = options.profile && checkProfile(options.profile);
  if (profile && goal.kind !== "speedup") {
    throw new InvalidArgumentError({ parameter: "profile", expected: "speedup beside it", received: goal.kind });
  }
  if (tune && calibration === undefined) {
    throw new InvalidArgumentError({ parameter: "tune", expected: "calibration beside it", received: "none" });
  }
  return { goal, profile, calibration, loss, tune, takes: matcher(layers), seed, store, onProgress, signal };
}

function checkStore(store: SeparateStore): void {
  if (typeof store?.read === "function" && typeof store.write === "function") return;
  const expected = "an object with functions read and write";
  throw new InvalidArgumentError({ parameter: "store", expected, received: describe(store) });
}

function checkGoal(options: SeparateOptions): Goal {
  const named = goals.filter((name) => options[name] !== undefined);
  const [kind] = named;
  if (!kind || named.length > 1) {
    const received = named.join(" and ") || "none of them";
    throw new InvalidArgumentError({ parameter: "options", expected: `exactly one of ${goals.join(", ")}`, received });
  }
  const ranges = { reduce: { min: 1 }, speedup: { min: 1 }, tolerance: { min: 0 } };
  const value =
    kind === "rank" ? checkInteger(kind, options.rank, { min: 1 }) : checkNumber(kind, options[kind], ranges[kind]);
  return { kind, value };
}

function matcher(pattern: string | RegExp | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  if (pattern instanceof RegExp) return (name) => name.search(pattern) >= 0;
  if (typeof pattern !== "string") {
    const expected = "a name with * or a regular expression";
    throw new InvalidArgumentError({ parameter: "layers", expected, received: describe(pattern) });
  }
  const parts = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const whole = new RegExp(`^${parts.join(".*")}$`, "s");
  return (name) => whole.test(name);
}
