// Checked access to a node's attributes, inputs and axes, for operators and passes. Every error names the node.
import { checkOneOf, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import type { DType } from "../tensor.ts";
import type { GraphNode, Spec, Value } from "./types.ts";
import { numbersOf } from "./values.ts";

export const nameOf = (node: GraphNode): string => `node ${describe(node.name || node.outputs[0])} (${node.op})`;

export function refuse(node: GraphNode, expected: string, received: unknown): never {
  throw new InvalidArgumentError({
    parameter: nameOf(node),
    expected,
    received: typeof received === "string" ? received : describe(received),
  });
}

/** A valid node of which this version cannot compute one attribute. */
export function unsupported(node: GraphNode, expected: string, received: string): never {
  throw new UnsupportedError({ parameter: nameOf(node), expected, received });
}

/**
 * Thrown by an operator's `infer` where the sizes of its results depend on elements that only a run knows: the node, and what
 * depends on it, is then typed when those have been computed.
 */
export class OpenSizeError extends UnsupportedError {
  /** The input whose elements say the sizes; absent where these follow from all that the node computes with. */
  readonly sizes: Spec | undefined;

  constructor(node: GraphNode, what: string, sizes?: Spec) {
    super({
      parameter: nameOf(node),
      expected: `${what} that is known before the network runs`,
      received: "a computed one",
    });
    this.name = "UnsupportedError";
    this.sizes = sizes;
  }
}

/** The inputs with their elements, for an operator whose results' sizes depend on all of them. */
export function computed(node: GraphNode, inputs: readonly (Spec | undefined)[]): readonly (Value | undefined)[] {
  if (inputs.every((input) => !input || input.data)) return inputs as readonly (Value | undefined)[];
  throw new OpenSizeError(node, "an input");
}

export function numberOf(node: GraphNode, name: string, fallback?: number): number {
  const value = node.attributes[name] ?? fallback;
  return typeof value === "number" ? value : refuse(node, `a number as attribute ${name}`, value);
}

/** A number of things: an integer of at least 1. */
export function countOf(node: GraphNode, name: string, fallback?: number): number {
  const count = numberOf(node, name, fallback);
  return Number.isInteger(count) && count > 0 ? count : refuse(node, `an integer of at least 1 as ${name}`, count);
}

export function listOf(node: GraphNode, name: string): readonly number[] | undefined {
  const value = node.attributes[name];
  if (value === undefined || (Array.isArray(value) && value.every((v) => typeof v === "number"))) return value;
  return refuse(node, `a list of numbers as attribute ${name}`, value);
}

/** One of some names: the first of them is the default. */
export function textOf<T extends string>(node: GraphNode, name: string, known: readonly T[]): T {
  return checkOneOf(`${nameOf(node)} attribute ${name}`, node.attributes[name] ?? known[0], known);
}

/** An input that must be there, of one of some types (any, if none is named). */
export function required<T extends Spec>(
  node: GraphNode,
  inputs: readonly (T | undefined)[],
  index: number,
  types: readonly DType[] = [],
): T {
  const input = inputs[index] ?? refuse(node, `an input ${index}`, "none");
  return types.length === 0 || types.includes(input.dtype)
    ? input
    : refuse(node, `${types.join(" or ")} as input ${index}`, input.dtype);
}

export const floats: readonly DType[] = ["f32", "f64"];

/** The elements of an input that must be known before the network runs; undefined where it is left out. */
export function knownNumbers(node: GraphNode, input: Spec | undefined, what: string): number[] | undefined {
  if (input === undefined) return undefined;
  const { data, shape } = input;
  if (data === undefined) throw new OpenSizeError(node, what, input);
  return shape.length < 2 ? Array.from(numbersOf({ data })) : refuse(node, `a list as ${what}`, shape);
}

/** Integers that say sizes, axes or the like. */
export function integersOf(node: GraphNode, input: Spec | undefined, what: string): number[] | undefined {
  const numbers = knownNumbers(node, input, what);
  return numbers?.every(Number.isInteger) === false ? refuse(node, `integers as ${what}`, numbers) : numbers;
}

/** An axis of `rank`, counted from the end where negative. */
export function axisOf(node: GraphNode, axis: number, rank: number): number {
  if (Number.isInteger(axis) && axis >= -rank && axis < rank) return axis < 0 ? axis + rank : axis;
  return refuse(node, `an axis of a tensor of rank ${rank}`, axis);
}

/** Different axes, in the order given. */
export function axesOf(node: GraphNode, axes: readonly number[], rank: number): number[] {
  const found = axes.map((axis) => axisOf(node, axis, rank));
  return new Set(found).size === found.length ? found : refuse(node, "different axes", axes);
}

/** The list in input `index` from operator set `since` on, and in the attribute before. */
export function listFrom(
  node: GraphNode,
  inputs: readonly (Spec | undefined)[],
  index: number,
  name: string,
  since: number,
): readonly number[] | undefined {
  return node.opset < since ? listOf(node, name) : integersOf(node, inputs[index], name);
}

/** Another shape of the same elements. */
export function reshaped<T extends Spec>(value: T, shape: readonly number[]): T {
  return { ...value, shape };
}
