// Public types of the engine's calls, results and info.
import type { GraphicsInfo, Verdict } from "../backend/backend.ts";
import type { GradientName } from "../factor/filter-functions.ts";
import type { FilterOptions } from "../plan/filter-problem.ts";
import type { F32Tensor, Image, ImageArray, ValueDType } from "../tensor.ts";
import type { CallHooks, CallOptions } from "./calls.ts";
import type { MaskLike } from "./masks.ts";
import type { EngineValue } from "./values.ts";

/** What `engine.run` takes. */
export interface RunOptions extends CallOptions {
  /**
   * How well each pixel is known, as weights from 0 (not at all: its value is not even read) to 1: each result is the mean of the
   * pixels, weighted by the taps and by the mask. Floats from 0 to 1; of integers the greatest of the type is 1, and since only
   * ratios count, bytes of 0 and 1 mean the same. One for each pixel: an array, an Image of one channel, a Tensor
   * [height, width], or a value of `engine.alloc`.
   */
  mask?: MaskLike | EngineValue;
}

/** What `engine.filter` takes. */
export interface FilterCallOptions extends FilterOptions, RunOptions {
  /** Takes one solver's plan instead of the cheapest, by its name in `explain`. */
  strategy?: string;
}

/** What an engine runs on. */
export interface EngineInfo {
  /** What computes: generated WebAssembly, the GPU, or plain loops in JavaScript, far slower. */
  backend: "wasm" | "webgpu" | "reference";
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
  /** Of "webgpu": the adapter and its limits, and what ran elsewhere. */
  webgpu?: GraphicsInfo;
  /** Bytes of working memory that programs and values hold. What is freed stays with the engine, for what comes next. */
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
export interface GradientOptions extends FilterOptions, CallHooks {
  /** Which pair of derivatives. Default "sobel". */
  filter?: GradientName;
  /** Takes the results: gx and gy in the type that the filters give, magnitude and angle in f32, or in f64 where those are f64, i32 or u32. */
  out?: {
    /** Takes the derivative along x. */
    gx?: ImageArray;
    /** Takes the derivative along y. */
    gy?: ImageArray;
    /** Takes √(gx² + gy²). */
    magnitude?: Float32Array | Float64Array;
    /** Takes atan2(gy, gx), in radians. */
    angle?: Float32Array | Float64Array;
  };
}

/** What `engine.plan` and `engine.prepare` take. */
export interface PlanOptions {
  /** A solver's name, as `explain` lists it; without one the cheapest plan. */
  strategy?: string;
}

/** Of a call whose result stays in the engine. */
export interface IntoValue {
  /** Takes the result: made by `engine.alloc`, and not the input. */
  out: EngineValue;
}

/** What is given room inside an engine: a picture, or a value of any shape. */
export type ValueSpec =
  | {
      /** In pixels. */
      width: number;
      /** In pixels. */
      height: number;
      /** 1 to 1024 of a picture. */
      channels: number;
      /** Element type. Default "u8". */
      dtype?: ValueDType;
    }
  | {
      /** Sides, the outermost first. */
      shape: readonly number[];
      /** Element type. Default "f32". */
      dtype?: ValueDType;
    };

/** What a layer's call resolves to: the value that takes the result, where one is given. */
export type LayerResult<O> = O extends { out: EngineValue } ? EngineValue : F32Tensor;

/** Both derivatives of a picture, and what follows from them. */
export interface Gradient {
  /** Derivative along x: positive where the picture gets brighter to the right. */
  gx: Image;
  /** Derivative along y: positive where the picture gets brighter downwards. */
  gy: Image;
  /** √(gx² + gy²), f32 or f64. */
  magnitude: Image;
  /** atan2(gy, gx) in radians, f32 or f64. */
  angle: Image;
}
