// What callers give for the outputs of a run, and how results get there.
import { overlap } from "../engine/calls.ts";
import type { EngineValue } from "../engine/values.ts";
import { checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { checkSidesIn, type HalfArray, type Tensor, type TypedArray } from "../tensor.ts";
import { plural } from "../words.ts";
import { asOutput, type GivenTensor } from "./evaluate.ts";
import { isHalf, isHalfArray, toBits } from "./halves.ts";
import type { Graph, Spec, Value, ValueInfo } from "./types.ts";
import { elementsOf, newValue, sizeOf } from "./values.ts";

/**
 * Where outputs go, by name: arrays of their type and exact length, tensors that hold such arrays, or values of `engine.alloc`,
 * to which they are copied; results are told as tensors all the same. Half floats are written as numbers into a Float32Array or
 * a Float16Array, and as bits into a Uint16Array.
 */
export type Outs = Readonly<Record<string, TypedArray | HalfArray | GivenTensor | EngineValue>>;

/** Whether an array may hold an output: of the class of its type, or of those that half floats have. */
function holds(data: unknown, { dtype }: Spec, declared: ValueInfo["dtype"]): data is TypedArray {
  const half = isHalf(declared) && dtype === "f32";
  const own = newValue(dtype, []).data.constructor;
  return (
    (data as object | undefined)?.constructor === own ||
    (half && data instanceof Uint16Array) ||
    (half && declared === "f16" && isHalfArray(data))
  );
}

/** The arrays for outputs, of the types and lengths that these have; those of which nothing is known yet are left out. */
export function checkOuts(
  outs: Outs | undefined,
  outputs: Graph["outputs"],
  specs: Pick<ReadonlyMap<string, Spec>, "get">,
  inputs: ReadonlyMap<string, Value>,
): Map<string, TypedArray> {
  const names = outputs.map(({ name }) => name);
  const given = checkOptions<Record<string, TypedArray | GivenTensor>>("out", outs, names);
  const taken: ArrayBufferView[] = [];
  return new Map(
    Object.entries(given).flatMap(([name, out]): [string, TypedArray][] => {
      const spec = specs.get(name);
      if (!spec) return [];
      const data: unknown = ArrayBuffer.isView(out) ? out : out?.data;
      const length = sizeOf(spec.shape);
      const parameter = `out[${describe(name)}]`;
      checkSidesIn(parameter, out, spec.shape);
      if (!holds(data, spec, outputs.find((one) => one.name === name)!.dtype) || data.length !== length) {
        const expected = `a ${newValue(spec.dtype, []).data.constructor.name} of ${plural(length, "element")}`;
        throw new InvalidArgumentError({ parameter, expected, received: describe(data) });
      }
      for (const input of inputs.values()) {
        if (input.data.buffer !== data.buffer) continue;
        throw new InvalidArgumentError({
          parameter,
          expected: "memory apart from the inputs'",
          received: "an overlap",
        });
      }
      if (taken.some((other) => overlap(other, data))) {
        const expected = "memory apart from other outputs'";
        throw new InvalidArgumentError({ parameter, expected, received: "an overlap" });
      }
      taken.push(data);
      return [[name, data]];
    }),
  );
}

/** Writes a result into the caller's array, in the form that its class says. */
export function writeOutput(data: TypedArray, value: Value, info: ValueInfo): Tensor {
  const { shape, data: found, dtype } = asOutput(value, info);
  const bits = isHalf(dtype) && data instanceof Uint16Array;
  if (bits) data.set(toBits(found as Float32Array, dtype));
  else if (data !== found) elementsOf({ data }).set(elementsOf({ data: found }));
  return { shape, data, dtype };
}
