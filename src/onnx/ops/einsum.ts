// Einsum: sums of products over the indices that an equation names.
import type { Steps } from "../../engine/turns.ts";
import { LimitError } from "../../errors.ts";
import { checkSize } from "../../graph/evaluate.ts";
import { nameOf, refuse, required } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec } from "../../graph/types.ts";
import { elementsOf, isBig, newValue, numbersOf, sizeOf, stridesOf, write } from "../../graph/values.ts";
import { plural } from "../../words.ts";

/** Products that one run may take: minutes. */
const mostProducts = 2 ** 36;

/** Products between two turns of others: more only where the last axis is longer. */
const mostTogether = 2 ** 16;

/** A term: letters, and where the ellipsis stands among them (or -1). */
interface Term {
  letters: string[];
  ellipsis: number;
}

interface Equation {
  /** Sides by index; indices of the ellipsis are numbers counted from its end. */
  sides: ReadonlyMap<string, number>;
  /** The indices of each input's axes, and of the result's. */
  inputs: string[][];
  output: string[];
}

function termOf(node: GraphNode, text: string): Term {
  const parts = text.split("...");
  if (parts.length > 2 || !/^[A-Za-z]*$/.test(parts.join(""))) refuse(node, "letters and at most one ellipsis", text);
  return { letters: [...parts.join("")], ellipsis: parts.length === 2 ? parts[0]!.length : -1 };
}

/** The indices of a term whose ellipsis stands for `extra` axes. */
function indicesOf({ letters, ellipsis }: Term, extra: number): string[] {
  const names = Array.from({ length: extra }, (_, i) => `${extra - i}`);
  return ellipsis < 0 ? letters : letters.toSpliced(ellipsis, 0, ...names);
}

function equationOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): Equation {
  const { equation } = node.attributes;
  if (typeof equation !== "string") return refuse(node, "an attribute equation", equation);
  const [left = "", right, more] = equation.replaceAll(/\s/g, "").split("->");
  const terms = left.split(",").map((text) => termOf(node, text));
  if (more !== undefined || terms.length !== inputs.length)
    refuse(node, `an equation of ${plural(inputs.length, "input")}`, equation);
  const sides = new Map<string, number>();
  let broadest = 0;
  const named = terms.map((term, i) => {
    const { shape } = required(node, inputs, i, [required(node, inputs, 0).dtype]);
    const extra = shape.length - term.letters.length;
    if (extra < 0 || (extra > 0 && term.ellipsis < 0))
      refuse(node, `an input ${i} of ${term.letters.length} axes`, shape);
    broadest = Math.max(broadest, extra);
    const names = indicesOf(term, extra);
    names.forEach((name, axis) => {
      const [side, known = 1] = [shape[axis]!, sides.get(name)];
      if (side !== known && side !== 1 && known !== 1) refuse(node, `${plural(known, "element")} along ${name}`, shape);
      sides.set(name, side === 1 ? known : side);
    });
    return names;
  });
  const implied = (): string[] => {
    const letters = terms.flatMap((term) => term.letters);
    const single = [...new Set(letters)].filter((one) => letters.indexOf(one) === letters.lastIndexOf(one)).sort();
    return [...indicesOf({ letters: [], ellipsis: 0 }, broadest), ...single];
  };
  const output = right === undefined ? implied() : indicesOf(termOf(node, right), broadest);
  if (new Set(output).size !== output.length || output.some((name) => !sides.has(name)))
    refuse(node, "a result of different indices that inputs have", equation);
  return { sides, inputs: named, output };
}

/** How far apart elements are along each index; an index that stands twice walks a diagonal, sides of 1 stay. */
function stepsOf(names: readonly string[], shape: readonly number[], order: readonly string[]): number[] {
  const strides = stridesOf(shape);
  const along = (name: string): number =>
    names.reduce((sum, one, axis) => sum + (one === name && shape[axis]! > 1 ? strides[axis]! : 0), 0);
  return order.map(along);
}

/** Adds up all products to `to`, along `order` of indices. */
function* sumProducts(
  to: Float64Array,
  all: readonly Float64Array[],
  counts: readonly number[],
  steps: readonly (readonly number[])[],
  toSteps: readonly number[],
): Steps {
  // Products along the inner axes are a part; the outer ones are counted.
  let inner = Math.max(0, counts.length - 1);
  let size = counts[inner] ?? 1;
  while (inner > 0 && size * counts[inner - 1]! <= mostTogether) size *= counts[--inner]!;
  const offsets = all.map(() => 0);
  const last = counts.length - 1;
  const walk = (axis: number, out: number): void => {
    const [count, step] = [counts[axis] ?? 1, toSteps[axis] ?? 0];
    for (let i = 0; i < count; i++) {
      if (axis < last) walk(axis + 1, out + i * step);
      else {
        let product = all[0]![offsets[0]!]!;
        for (let k = 1; k < all.length; k++) product *= all[k]![offsets[k]!]!;
        to[out + i * step]! += product;
      }
      for (let k = 0; k < offsets.length; k++) offsets[k]! += steps[k]![axis] ?? 0;
    }
    for (let k = 0; k < offsets.length; k++) offsets[k]! -= count * (steps[k]![axis] ?? 0);
  };
  const outer = counts.slice(0, inner);
  const along = (own: readonly number[], index: readonly number[]): number =>
    index.reduce((sum, i, axis) => sum + i * own[axis]!, 0);
  for (let part = 0; part < sizeOf(outer); part++) {
    const index = indexOf(part, outer);
    for (let k = 0; k < offsets.length; k++) offsets[k] = along(steps[k]!, index);
    walk(inner, along(toSteps, index));
    yield;
  }
}

/** The place of the i-th element of a shape. */
function indexOf(i: number, shape: readonly number[]): number[] {
  const index = shape.map(() => 0);
  for (let axis = shape.length - 1, left = i; axis >= 0; axis--) {
    index[axis] = left % shape[axis]!;
    left = Math.floor(left / shape[axis]!);
  }
  return index;
}

/** The product of two tensors by the indices that are wanted after it; the result has its axes in that order. */
interface Operand {
  names: string[];
  shape: number[];
  data: Float64Array;
}

function* contract(
  operands: readonly Operand[],
  wanted: string[],
  sides: ReadonlyMap<string, number>,
  big: boolean,
): Steps<Operand> {
  const names = [...wanted, ...new Set(operands.flatMap((one) => one.names).filter((name) => !wanted.includes(name)))];
  const side = (name: string): number => {
    const own = operands.map((one) => one.shape[one.names.indexOf(name)] ?? 1);
    return own.includes(0)
      ? 0
      : Math.max(...own, wanted.includes(name) && operands.length === 1 ? (sides.get(name) ?? 1) : 1);
  };
  const counts = names.map(side);
  const shape = counts.slice(0, wanted.length);
  const data = elementsOf(newValue(big ? "i64" : "f64", shape));
  if (counts.includes(0)) return { names: wanted, shape, data };
  const steps = operands.map((one) => stepsOf(one.names, one.shape, names));
  yield* sumProducts(
    data,
    operands.map((one) => one.data),
    counts,
    steps,
    stridesOf(shape),
  );
  return { names: wanted, shape, data };
}

export const einsum: Operator = {
  name: "Einsum",
  infer: (node, inputs) => {
    const { sides, output } = equationOf(node, inputs);
    return [{ dtype: inputs[0]!.dtype, shape: output.map((name) => sides.get(name)!) }];
  },
  *run(node, inputs, [y]) {
    const { sides, inputs: names, output } = equationOf(node, inputs);
    const big = isBig(y!.dtype);
    const operands = inputs.map((input, i): Operand => {
      return { names: names[i]!, shape: [...input!.shape], data: big ? elementsOf(input!) : numbersOf(input!) };
    });
    // Two at a time: what neither the result nor a later input names is summed at once.
    let product = operands.shift()!;
    while (operands.length > 0) {
      const next = operands.shift()!;
      const later = new Set([...output, ...operands.flatMap((one) => one.names)]);
      const wanted = [...new Set([...product.names, ...next.names])].filter((name) => later.has(name));
      checkSize(node, { dtype: y!.dtype, shape: wanted.map((name) => sides.get(name)!) });
      checkProducts(
        node,
        [...new Set([...product.names, ...next.names])].map((name) => sides.get(name)!),
      );
      product = yield* contract([product, next], operands.length > 0 ? wanted : output, sides, big);
    }
    if (inputs.length === 1 || product.names !== output) product = yield* contract([product], output, sides, big);
    if (big) elementsOf(y!).set(product.data);
    else write(y!, product.data);
  },
};

function checkProducts(node: GraphNode, counts: readonly number[]): void {
  if (sizeOf(counts) <= mostProducts) return;
  const [expected, received] = [`at most ${mostProducts} products`, `${sizeOf(counts)}`];
  throw new LimitError({ parameter: nameOf(node), expected, received });
}
