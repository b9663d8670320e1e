// What the engine's calls share: their options and the checks of these.
import { checkFunction, describe, InvalidArgumentError } from "../errors.ts";
import { solvers } from "../kernels/table.ts";
import { checkTypes } from "../plan/planner.ts";
import type { Problem } from "../plan/types.ts";
import type { KnownAlpha } from "../tensor/image.ts";
import type { Elements, Image, ImageArray, ImageDType, Tensor } from "../tensor.ts";
import type { Signal } from "./platform.ts";
import type { EngineValue } from "./values.ts";

/** How a call runs. */
export interface CallHooks {
  /** Stops the call, which then rejects with the signal's reason; parts of the result may stand in `out`. The engine stays usable. */
  signal?: Signal;
  /** Called now and then with the share that is done, from 0 to 1. */
  onProgress?: (done: number) => void;
}

/** What every call of an engine takes. */
export interface CallOptions extends CallHooks {
  /**
   * Takes the result: an array of the output's type and exact length, an Image or Tensor that holds one, or a value of
   * `engine.alloc`. It must not be the input. Of a part of a picture (`region`, or `extent: "valid"`) also one of the whole
   * picture's sides, even the input itself: what lies outside the part stays as it is.
   */
  out?: ImageArray | Image | Tensor | EngineValue;
}

/** Of calls that run a filter. */
export const runKeys = ["out", "signal", "onProgress", "mask"] as const;

export function checkRunOptions({ signal, onProgress }: CallHooks): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError({ parameter: "signal", expected: "an AbortSignal", received: describe(signal) });
  }
  if (onProgress !== undefined) checkFunction("onProgress", onProgress);
}

/** A picture inside the engine. */
export interface PictureValue extends Partial<KnownAlpha> {
  width: number;
  height: number;
  channels: number;
  dtype: ImageDType;
  data: EngineValue;
}

/** Whether two views have bytes in common. */
export const overlap = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  a.buffer === b.buffer && a.byteOffset < b.byteOffset + b.byteLength && b.byteOffset < a.byteOffset + a.byteLength;

/** Checks that `out` shares no memory with the input. */
export function checkApart<T extends ArrayBufferView>(
  out: T,
  input: ArrayBufferView,
  name: string,
  parameter = "out",
): T {
  if (!overlap(out, input)) return out;
  const [expected, received] = [`memory apart from ${name}'s`, "an overlap"];
  throw new InvalidArgumentError({ parameter, expected, received });
}

const plainViews = new WeakMap<ImageArray, Uint8Array>();

/** Clamped arrays and Node's Buffers as the plain class, whose copies are the fast ones: one view for each. */
export function plainView(data: ImageArray): Elements {
  if (data.constructor === Uint8Array || !(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
    return data;
  // No view of a detached buffer can be made: the run's checks refuse what is empty.
  if (data.length === 0) return data as Uint8Array;
  const known = plainViews.get(data);
  if (known?.length === data.length) return known;
  const view = new Uint8Array(data.buffer, data.byteOffset, data.length);
  plainViews.set(data, view);
  return view;
}

/** Checks that a problem is one that an engine made; of no kind that is `excluded`. */
export function checkProblem(problem: Problem, makers: string, excluded?: Problem["kind"]): void {
  const given = (typeof problem === "object" && problem) || ({} as Problem);
  const known = given.kind !== excluded && solvers.some(({ kind }) => kind === given.kind);
  if (known && given.x && given.y && given.window && (given.kind !== "filter" || given.factors)) {
    checkTypes("problem", given);
    return;
  }
  const [expected, received] = [`a problem made by ${makers}`, describe(problem)];
  throw new InvalidArgumentError({ parameter: "problem", expected, received });
}
