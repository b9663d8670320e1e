// What the calls of an engine take and give, and what it says of itself.
import type { GradientName } from "../factor/gradients.ts";
import type { FilterOptions } from "../plan/filter-problem.ts";
import type { SweepOptions } from "../run/sweep.ts";
import type { CallerValue } from "../run/values.ts";
import type { Verdict } from "../run/wasm.ts";
import type { Image } from "../tensor.ts";
import type { CallOptions } from "./calls.ts";

/** What `engine.filter` takes. */
export interface FilterCallOptions extends FilterOptions, CallOptions {
  /** Takes one solver's plan instead of the cheapest, by its name in `explain`. */
  strategy?: string;
}

/** What an engine runs on. */
export interface EngineInfo {
  /** What computes: generated WebAssembly, or plain loops in JavaScript, far slower. */
  backend: "wasm" | "reference";
  /** Why this backend. */
  reason: string;
  /** Elements of 32 bits that one instruction handles. */
  lanes: number;
  /** Threads that work, the caller's included. */
  threads: number;
  /** Fused multiply-adds. */
  relaxed: boolean;
  /** 256-bit code: whether it is generated, why, and what became of each kernel. */
  wide: {
    /** Whether it is generated. */
    enabled: boolean;
    /** Why, or why not. */
    reason: string;
    /** By kernel: kept wide, or narrow since results differ. For `createEngine({ verdicts })` of a later process. */
    verdicts: Record<string, Verdict>;
  };
  /** Bytes of working memory taken so far, and of it those that programs hold for the next call. */
  bytes: number;
  /** Plans that are compiled and kept. */
  programs: {
    /** How many. */
    count: number;
    /** Of working memory, held by them. */
    bytes: number;
  };
}

/** What `engine.gradient` takes. */
export interface GradientCallOptions extends FilterOptions, Omit<CallOptions, "out"> {
  /** Which pair of derivatives. Default "sobel". */
  filter?: GradientName;
}

/** What `engine.plan` and `engine.prepare` take. */
export interface PlanOptions {
  /** A solver's name, as `explain` lists it; without one the cheapest plan. */
  strategy?: string;
}

/** A network in place. */
export interface PreparedNetwork {
  readonly bytes: number;
  run(
    inputs: Iterable<readonly [id: string, value: CallerValue]>,
    outputs: Iterable<readonly [id: string, value: CallerValue]>,
    options?: SweepOptions,
  ): Promise<void>;
  dispose(): void;
}

/** Both derivatives of a picture, and what follows from them. */
export interface Gradient {
  /** Derivative along x: positive where the picture gets brighter to the right. */
  gx: Image;
  /** Derivative along y: positive where the picture gets brighter downwards. */
  gy: Image;
  /** √(gx² + gy²), f32. */
  magnitude: Image;
  /** atan2(gy, gx) in radians, f32. */
  angle: Image;
}
