// Values of an engine: data that stays where programs read and write it.
import type { Value } from "../backend/backend.ts";
import { checkInteger, checkOneOf, checkOptions } from "../errors.ts";
import { checkShape, type TypedArray, type ValueDType, valueDTypes } from "../tensor.ts";

type Enqueue = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * Data inside an engine, made by `engine.alloc`: what lies there is neither copied in nor out when a filter or a layer reads
 * or writes it. It holds memory until it is disposed of.
 */
export class EngineValue {
  /** Sides in row-major order: [height, width, channels] of a picture, [batch, height, width, channels] of a layer's value. */
  readonly shape: readonly number[];
  /** Element type. */
  readonly dtype: ValueDType;
  /** @internal */
  readonly inner: Value;
  private readonly enqueue: Enqueue;

  /** @internal Use `engine.alloc`. */
  constructor(inner: Value, enqueue: Enqueue) {
    this.inner = inner;
    this.shape = inner.shape;
    this.dtype = inner.dtype;
    this.enqueue = enqueue;
  }

  /** Replaces all elements by those of an array of the same type, in row-major order. */
  write(data: TypedArray): Promise<void> {
    return this.enqueue(() => this.inner.write(data));
  }

  /** All elements in row-major order: in a fresh array, or in `into`. */
  read(into?: TypedArray): Promise<TypedArray> {
    return this.enqueue(() => this.inner.read(into));
  }

  /** Frees its memory, after the calls that wait; later calls with it are rejected. */
  dispose(): void {
    this.enqueue(async () => this.inner.dispose()).catch(() => {});
  }
}

/** What the backend takes: its own value, or the array. */
export const innerOf = <T>(data: T | EngineValue): T | Value => (data instanceof EngineValue ? data.inner : data);

/** Checks what is given room: sides and element type. */
export function checkValueSpec(spec: unknown): { shape: number[]; dtype: ValueDType } {
  const keys = ["width", "height", "channels", "shape", "dtype"] as const;
  type Given = Record<(typeof keys)[number], unknown>;
  const { width, height, channels, shape, dtype } = checkOptions<Given>("spec", spec, keys);
  const side = (name: string, value: unknown): number => checkInteger(`spec.${name}`, value, { min: 1 });
  const sides =
    shape === undefined
      ? [side("height", height), side("width", width), side("channels", channels)]
      : checkShape("spec.shape", shape, Array.isArray(shape) ? Math.max(1, shape.length) : 1);
  return { shape: sides, dtype: checkOneOf("spec.dtype", dtype ?? (shape === undefined ? "u8" : "f32"), valueDTypes) };
}
