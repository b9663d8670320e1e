// Values of the reference backend: whole ones between stages, with their margins of zeros, and those of the caller.
import { describe, InvalidArgumentError, Rank1Error } from "../../errors.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { bytesOf, checkThere, type Elements, newArray, type TypedArray, type ValueDType } from "../../tensor.ts";
import { plural } from "../../words.ts";
import { isValue, type Part, type TensorBinding, type Value } from "../backend.ts";

/** A whole value of the plan, row by row; outside are zeros. */
export class WholeValue {
  readonly spec: BufferSpec;
  readonly rows: Elements[];
  private readonly zeros: Elements;

  constructor(spec: BufferSpec, rows?: Elements[]) {
    const elements = spec.width * spec.channels;
    this.spec = spec;
    this.zeros = newArray(spec.dtype, elements);
    this.rows = rows ?? Array.from({ length: (spec.images ?? 1) * spec.height! }, () => newArray(spec.dtype, elements));
  }

  row(image: number, y: number): Elements {
    const height = this.spec.height!;
    return y >= 0 && y < height ? this.rows[image * height + y]! : this.zeros;
  }
}

/** Between the caller's order of axes and rows of interleaved, padded channels. */
export function copyTensor(binding: TensorBinding, value: WholeValue, into: boolean): void {
  const { format, images, height, width, channels, members = 1 } = binding;
  const data = arrayOf(binding.data) as Float32Array;
  checkThere(into ? "data" : "out", data, images * height * width * channels);
  const { left = 0, channels: stored } = value.spec;
  const order = Array.from(
    { length: channels },
    (_, o) => (o % members) * (stored / members) + Math.floor(o / members),
  );
  for (let image = 0; image < images; image++)
    for (let y = 0; y < height; y++) {
      const row = value.row(image, y);
      for (let x = 0; x < width; x++)
        for (let c = 0; c < channels; c++) {
          const outside =
            format === "NHWC"
              ? ((image * height + y) * width + x) * channels + c
              : ((image * channels + c) * height + y) * width + x;
          const inside = (left + x) * stored + order[c]!;
          if (into) row[inside] = data[outside]!;
          else data[outside] = row[inside]!;
        }
    }
}

/** The array of a binding, or the value's own. */
export function arrayOf(data: ArrayBufferView | Value): Elements {
  return isValue(data) ? (data as ReferenceValue).elements : (data as Elements);
}

/** Counts memory. */
interface Account {
  take(bytes: number): void;
}

export class ReferenceValue implements Value {
  readonly shape: readonly number[];
  readonly dtype: ValueDType;
  readonly account: Account;
  private data: Elements | undefined;

  constructor(account: Account, shape: readonly number[], dtype: ValueDType) {
    const length = shape.reduce((product, side) => product * side, 1);
    account.take(length * bytesOf[dtype]);
    this.account = account;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.data = newArray(dtype, length);
  }

  /** Throws once it was disposed of. */
  get elements(): Elements {
    if (this.data) return this.data;
    const [expected, received] = ["one in use", "a disposed one"];
    throw new Rank1Error("DISPOSED", { parameter: "value", expected, received });
  }

  async write(data: TypedArray, part?: Part): Promise<void> {
    if (part === undefined) return this.elements.set(this.check("data", data));
    const [, pitch, channels] = this.shape as [number, number, number];
    const row = part.width * channels;
    for (let y = 0; y < part.height; y++) {
      const to = ((part.y + y) * pitch + part.x) * channels;
      this.elements.set((data as Elements).subarray(y * row, (y + 1) * row), to);
    }
  }

  async read(into?: TypedArray): Promise<TypedArray> {
    const array = into === undefined ? newArray(this.dtype, this.elements.length) : this.check("into", into);
    array.set(this.elements);
    return array;
  }

  dispose(): void {
    if (this.data) this.account.take(-this.data.byteLength);
    this.data = undefined;
  }

  private check(parameter: string, data: TypedArray): Elements {
    const { elements } = this;
    const clamped = data instanceof Uint8ClampedArray && elements instanceof Uint8Array;
    const fits = clamped || data instanceof (elements.constructor as new () => Elements);
    if (fits && data.length === elements.length) return data as Elements;
    const expected = `a ${elements.constructor.name} of ${plural(elements.length, "element")}`;
    throw new InvalidArgumentError({ parameter, expected, received: describe(data) });
  }
}
