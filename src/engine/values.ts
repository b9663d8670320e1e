// Values that stay in the engine's memory between calls.
import type { Part, Value } from "../backend/backend.ts";
import { checkInteger, checkOneOf, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import {
  arrayIn,
  checkShape,
  checkSidesIn,
  type Tensor,
  type TypedArray,
  type ValueDType,
  valueDTypes,
} from "../tensor.ts";

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
  readonly #inner: Value;
  readonly #enqueue: Enqueue;

  /** @internal Use `engine.alloc`. */
  constructor(inner: Value, enqueue: Enqueue) {
    this.#inner = inner;
    this.shape = inner.shape;
    this.dtype = inner.dtype;
    this.#enqueue = enqueue;
  }

  /** @internal */
  get inner(): Value {
    return this.#inner;
  }

  /** Replaces all elements by those of an array of the same type, in row-major order; an Image or a Tensor may hold it. */
  async write(data: TypedArray | Pick<Tensor, "data">): Promise<void> {
    checkSidesIn("data", data, this.shape);
    return this.#enqueue(() => this.#inner.write(arrayIn(data) as TypedArray));
  }

  /** Replaces those of a part of a picture. @internal */
  async writePart(data: TypedArray, part: Part): Promise<void> {
    return this.#enqueue(() => this.#inner.write(data, part));
  }

  /** All elements in row-major order: in a fresh array, or in `into`. */
  async read(into?: TypedArray | Pick<Tensor, "data">): Promise<TypedArray> {
    checkSidesIn("into", into, this.shape);
    return this.#enqueue(() => this.#inner.read(arrayIn(into) as TypedArray | undefined));
  }

  /** Frees its memory, after the calls that wait; later calls with it are rejected. */
  dispose(): void {
    this.#enqueue(async () => this.#inner.dispose()).catch(() => {});
  }
}

export const describeValue = ({ shape, dtype }: EngineValue): string =>
  `an EngineValue of [${shape.join(", ")}] in ${dtype}`;

/** What the backend takes: its own value, or the array. */
export const innerOf = <T>(data: T | EngineValue): T | Value => (data instanceof EngineValue ? data.inner : data);

/** Checks what is given room: sides and element type. */
export function checkValueSpec(spec: unknown): { shape: number[]; dtype: ValueDType } {
  const keys = ["width", "height", "channels", "shape", "dtype"] as const;
  type Given = Record<(typeof keys)[number], unknown>;
  if (typeof spec === "object" && spec !== null && "dims" in spec) {
    const [expected, received] = ["{ shape, dtype } or { width, height, channels, dtype }", describe(spec)];
    throw new InvalidArgumentError({ parameter: "spec", expected, received, hint: "here dims are called shape" });
  }
  const { width, height, channels, shape, dtype } = checkOptions<Given>("spec", spec, keys);
  const side = (name: string, value: unknown): number => checkInteger(`spec.${name}`, value, { min: 1 });
  const sides =
    shape === undefined
      ? [side("height", height), side("width", width), side("channels", channels)]
      : checkShape("spec.shape", shape, Array.isArray(shape) ? Math.max(1, shape.length) : 1, "");
  return { shape: sides, dtype: checkOneOf("spec.dtype", dtype ?? (shape === undefined ? "u8" : "f32"), valueDTypes) };
}
