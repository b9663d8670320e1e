// What the calls of an engine have in common: their options and where results go.
import { checkFunction, describe, InvalidArgumentError } from "../errors.ts";
import type { RunOptions } from "../run/stage.ts";
import { type CheckedImage, type ImageArray, type ImageDType, imageDTypeOf, newArray } from "../tensor.ts";
import type { Signal } from "./platform.ts";

export interface CallOptions {
  signal?: Signal;
  /** Called now and then with the share that is done, from 0 to 1. */
  onProgress?: (done: number) => void;
  /** Takes the result: an array of the output's type and exact length, which must not be the input. */
  out?: ImageArray;
}

export const callKeys = ["out", "signal", "onProgress"] as const;

export function checkRunOptions({ signal, onProgress }: RunOptions): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new InvalidArgumentError({ parameter: "signal", expected: "an AbortSignal", received: describe(signal) });
  }
  if (onProgress !== undefined) checkFunction("onProgress", onProgress);
}

/** Checks `out`, or makes the array that is returned. */
export function checkOut(out: unknown, x: CheckedImage, dtype: ImageDType): ImageArray {
  if (out === undefined) return newArray(dtype, x.data.length);
  const expected = `${dtype} elements, ${x.data.length} of them`;
  const array = out as ImageArray;
  if (imageDTypeOf(out) !== dtype || array.length !== x.data.length) {
    throw new InvalidArgumentError({ parameter: "out", expected, received: describe(out) });
  }
  return checkApart(array, x.data, "the image");
}

/** Checks that `out` shares no memory with the input. */
export function checkApart<T extends ArrayBufferView>(out: T, input: ArrayBufferView, name: string): T {
  const overlap =
    out.buffer === input.buffer &&
    out.byteOffset < input.byteOffset + input.byteLength &&
    input.byteOffset < out.byteOffset + out.byteLength;
  if (!overlap) return out;
  const [expected, received] = [`memory apart from ${name}'s`, "an overlap"];
  throw new InvalidArgumentError({ parameter: "out", expected, received });
}

/** Clamped arrays and Node's Buffers as the plain class, whose copies are the fast ones. */
export function plainView(data: ImageArray): Uint8Array | Uint16Array | Int16Array | Float32Array {
  if (data.constructor === Uint8Array || !(data instanceof Uint8Array || data instanceof Uint8ClampedArray))
    return data;
  return new Uint8Array(data.buffer, data.byteOffset, data.length);
}
