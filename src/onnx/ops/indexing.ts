// Operators that read or write where indices say: GatherElements, GatherND, ScatterElements (once Scatter) and ScatterND; and
// OneHot, TopK and Hardmax, whose indices are of largest elements.
import { axisOf, integersOf, knownNumbers, numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { asFloat64, elementsOf, isBig, numbersOf, sizeOf, stridesOf, write } from "../../graph/values.ts";
import { forRows } from "./axes.ts";
import { axisIn, forLines, linesOf } from "./loops.ts";
import { positions } from "./pick.ts";
import { copyLists } from "./words.ts";

type Inputs = readonly (Spec | undefined)[];

/** An index that may count from the end. */
function placeOf(node: GraphNode, index: number, side: number): number {
  if (index >= -side && index < side) return index < 0 ? index + side : index;
  return refuse(node, `indices below ${side}`, index);
}

/** Where each element that indices of the same rank name lies: in place of their own axis. */
function elementPlaces(node: GraphNode, from: Spec, indices: Value, axis: number): Float64Array {
  const list = asFloat64(indices);
  const places = new Float64Array(list.length);
  const [side, step] = [from.shape[axis]!, stridesOf(from.shape)[axis]!];
  const strides = stridesOf(from.shape).with(axis, 0);
  const [length, beside] = [indices.shape.at(-1) ?? 1, strides.at(-1) ?? 0];
  forRows(indices.shape, [strides], (at, offsets) => {
    for (let i = 0; i < length; i++)
      places[at + i] = offsets[0]! + i * beside + placeOf(node, list[at + i]!, side) * step;
  });
  return places;
}

/** Indices of the same rank, that lie within the tensor along all axes but one. */
function elementsAxis(node: GraphNode, inputs: Inputs): number {
  const x = required(node, inputs, 0);
  const { shape } = required(node, inputs, 1, ["i32", "i64"]);
  const axis = axisIn(node, x, 0);
  const fits = shape.length === x.shape.length && shape.every((side, a) => a === axis || side <= x.shape[a]!);
  return fits ? axis : refuse(node, `indices within [${x.shape}] but for axis ${axis}`, shape);
}

export const gatherElements: Operator = {
  name: "GatherElements",
  infer: (node, inputs) => {
    elementsAxis(node, inputs);
    return [{ dtype: inputs[0]!.dtype, shape: inputs[1]!.shape }];
  },
  run: (node, inputs, [y]) => {
    const places = elementPlaces(node, inputs[0]!, inputs[1]!, elementsAxis(node, inputs));
    copyLists(y!.data, inputs[0]!.data, [inputs[0]!.data.length], [places]);
  },
};

type Join = (old: number, update: number) => number;

/** What an update does to the element that it meets. */
const joins = {
  none: (_old, update) => update,
  add: (old, update) => old + update,
  mul: (old, update) => old * update,
  max: (old, update) => (old > update || Number.isNaN(old) ? old : update),
  min: (old, update) => (old < update || Number.isNaN(old) ? old : update),
} satisfies Record<string, Join>;

const joinOf = (node: GraphNode): Join =>
  joins[textOf(node, "reduction", Object.keys(joins) as (keyof typeof joins)[])];

function scatterElements(name: string): Operator {
  return {
    name,
    infer: (node, inputs) => {
      const { dtype, shape } = required(node, inputs, 0);
      elementsAxis(node, inputs);
      joinOf(node);
      const updates = required(node, inputs, 2, [dtype]).shape;
      if (`${updates}` !== `${inputs[1]!.shape}`) refuse(node, `updates [${inputs[1]!.shape}]`, updates);
      return [{ dtype, shape }];
    },
    run: (node, inputs, [y]) => {
      const [data, updates, out] = [elementsOf(inputs[0]!), elementsOf(inputs[2]!), elementsOf(y!)];
      const places = elementPlaces(node, inputs[0]!, inputs[1]!, elementsAxis(node, inputs));
      const join: Join = joinOf(node);
      out.set(data);
      for (let i = 0; i < places.length; i++) out[places[i]!] = join(out[places[i]!]!, updates[i]!);
    },
  };
}

/** Blocks that rows of indices name. */
interface Blocks {
  /** Axes that the data and the indices share. */
  batch: number;
  /** How many axes a row of indices names. */
  depth: number;
  /** Sides of one block. */
  sides: readonly number[];
}

function blocksOf(node: GraphNode, inputs: Inputs): Blocks {
  const { shape } = required(node, inputs, 0);
  const indices = required(node, inputs, 1, ["i32", "i64"]).shape;
  const batch = numberOf(node, "batch_dims", 0);
  const depth = indices.at(-1) ?? refuse(node, "indices of at least one axis", indices);
  const fits = batch >= 0 && batch < indices.length && batch + depth <= shape.length;
  if (!fits || shape.slice(0, batch).some((side, axis) => side !== indices[axis]))
    refuse(node, `indices for [${shape}] with ${batch} axes in common`, indices);
  return { batch, depth, sides: shape.slice(batch + depth) };
}

/** Where the block of each row of indices begins. */
function blockPlaces(node: GraphNode, from: Spec, indices: Value, { batch, depth }: Blocks): Float64Array {
  const list = numbersOf(indices);
  const strides = stridesOf(from.shape);
  const rows = sizeOf(indices.shape.slice(0, -1));
  const each = sizeOf(indices.shape.slice(batch, -1));
  const block = sizeOf(from.shape.slice(batch));
  return Float64Array.from({ length: rows }, (_, row) => {
    let at = Math.floor(row / each) * block;
    for (let k = 0; k < depth; k++) {
      at += placeOf(node, list[row * depth + k]!, from.shape[batch + k]!) * strides[batch + k]!;
    }
    return at;
  });
}

export const gatherND: Operator = {
  name: "GatherND",
  infer: (node, inputs) => {
    const { sides } = blocksOf(node, inputs);
    return [{ dtype: inputs[0]!.dtype, shape: [...inputs[1]!.shape.slice(0, -1), ...sides] }];
  },
  run: (node, inputs, [y]) => {
    const blocks = blocksOf(node, inputs);
    const size = sizeOf(blocks.sides);
    if (y!.data.length === 0) return;
    const rows = blockPlaces(node, inputs[0]!, inputs[1]!, blocks).map((at) => at / size);
    copyLists(y!.data, inputs[0]!.data, [inputs[0]!.data.length / size, size], [rows, positions(size)]);
  },
};

export const scatterND: Operator = {
  name: "ScatterND",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    const { sides } = blocksOf(node, inputs);
    joinOf(node);
    const updates = required(node, inputs, 2, [dtype]).shape;
    const wanted = [...inputs[1]!.shape.slice(0, -1), ...sides];
    if (`${updates}` !== `${wanted}`) refuse(node, `updates [${wanted}]`, updates);
    return [{ dtype, shape }];
  },
  run: (node, inputs, [y]) => {
    const blocks = blocksOf(node, inputs);
    const [data, updates, out] = [elementsOf(inputs[0]!), elementsOf(inputs[2]!), elementsOf(y!)];
    const join: Join = joinOf(node);
    const size = sizeOf(blocks.sides);
    const places = blockPlaces(node, inputs[0]!, inputs[1]!, blocks);
    out.set(data);
    for (let row = 0; row < places.length; row++) {
      for (let i = 0; i < size; i++) {
        const at = places[row]! + i;
        out[at] = join(out[at]!, updates[row * size + i]!);
      }
    }
  },
};

function oneHotOf(node: GraphNode, inputs: Inputs): { axis: number; depth: number } {
  const { shape } = required(node, inputs, 0);
  const [depth = -1] = knownNumbers(node, required(node, inputs, 1), "the depth")!;
  if (!(depth >= 0)) refuse(node, "a depth of at least 0", depth);
  return { axis: axisOf(node, numberOf(node, "axis", -1), shape.length + 1), depth: Math.trunc(depth) };
}

export const oneHot: Operator = {
  name: "OneHot",
  infer: (node, inputs) => {
    const { axis, depth } = oneHotOf(node, inputs);
    const values = required(node, inputs, 2);
    if (`${values.shape}` !== "2") refuse(node, "two values", values.shape);
    return [{ dtype: values.dtype, shape: inputs[0]!.shape.toSpliced(axis, 0, depth) }];
  },
  run: (node, inputs, [y]) => {
    const { axis, depth } = oneHotOf(node, inputs);
    const [off, on] = elementsOf(inputs[2]!);
    const out = elementsOf(y!).fill(off!);
    const inner = sizeOf(inputs[0]!.shape.slice(axis));
    for (const [i, index] of numbersOf(inputs[0]!).entries()) {
      const place = Math.trunc(index) + (index < 0 ? depth : 0);
      if (place >= 0 && place < depth) out[(Math.floor(i / inner) * depth + place) * inner + (i % inner)] = on!;
    }
  },
};

function topOf(node: GraphNode, inputs: Inputs): { axis: number; k: number } {
  const x = required(node, inputs, 0);
  const axis = axisIn(node, x, -1);
  const k =
    node.opset < 10 ? numberOf(node, "k") : (integersOf(node, required(node, inputs, 1, ["i64"]), "k")![0] ?? -1);
  const side = x.shape[axis]!;
  return Number.isInteger(k) && k >= 0 && k <= side ? { axis, k } : refuse(node, `a k of at most ${side}`, k);
}

export const topK: Operator = {
  name: "TopK",
  infer: (node, inputs) => {
    const { axis, k } = topOf(node, inputs);
    const { dtype, shape } = inputs[0]!;
    return [dtype, "i64" as const].map((type) => ({ dtype: type, shape: shape.with(axis, k) }));
  },
  run: (node, inputs, [values, indices]) => {
    const { axis, k } = topOf(node, inputs);
    const data = elementsOf(inputs[0]!);
    const sign = node.opset < 11 || numberOf(node, "largest", 1) !== 0 ? 1 : -1;
    const lines = linesOf(inputs[0]!, axis);
    const out = values && elementsOf(values);
    const own = isBig(inputs[0]!.dtype) ? data.slice(0, lines.length) : new Float64Array(lines.length);
    const places = new Int32Array(k);
    if (data.length === 0) return;
    forLines(lines, data.length, (start, line) => {
      if (lines.inner === 1) own.set(data.subarray(start, start + lines.length));
      else for (let i = 0; i < lines.length; i++) own[i] = data[start + i * lines.inner]!;
      const best = bestIn(own, k, sign);
      const first = Math.floor(line / lines.inner) * k * lines.inner + (line % lines.inner);
      for (let i = 0; i < k; i++) if (out) out[first + i * lines.inner] = own[best[i]!]!;
      if (!indices) return;
      places.set(best);
      if (lines.inner === 1) write(indices, places, first);
      else for (let i = 0; i < k; i++) write(indices, places.subarray(i, i + 1), first + i * lines.inner);
    });
  },
};

/** The places of the k largest elements of a list, or of the smallest where `sign` is -1, in order; the first of equal ones first. */
function bestIn(list: Float64Array, k: number, sign: 1 | -1): Int32Array {
  const order = (a: number, b: number): number => {
    const [x, y] = [list[a]!, list[b]!];
    return x === y ? a - b : (x < y ? 1 : -1) * sign;
  };
  if (k === 0) return new Int32Array();
  // What is not better than the last of them need not be sorted by place.
  const sorted = list.slice().sort();
  const [last, isNaNLast] = [sorted.at(sign > 0 ? -k : k - 1)!, Number.isNaN(sorted.at(-1))];
  const [better, equal]: [number[], number[]] = [[], []];
  for (let i = 0; i < list.length; i++) {
    if (isNaNLast || (sign > 0 ? list[i]! > last : list[i]! < last)) better.push(i);
    else if (list[i] === last) equal.push(i);
  }
  const best = Int32Array.from(better).sort(order);
  const found = new Int32Array(k);
  found.set(best.subarray(0, k));
  found.set(equal.slice(0, k - Math.min(k, best.length)), Math.min(k, best.length));
  return found;
}

export const hardmax: Operator = {
  name: "Hardmax",
  infer: (node, inputs) => {
    const { dtype, shape } = required(node, inputs, 0);
    axisOf(node, numberOf(node, "axis", node.opset < 13 ? 1 : -1), shape.length);
    return [{ dtype, shape }];
  },
  run: (node, [x], [y]) => {
    const axis = axisOf(node, numberOf(node, "axis", node.opset < 13 ? 1 : -1), x!.shape.length);
    const lines = node.opset < 13 ? { length: sizeOf(x!.shape.slice(axis)), inner: 1 } : linesOf(x!, axis);
    const data = elementsOf(x!);
    if (data.length === 0) return;
    forLines(lines, data.length, (start) => {
      let best = 0;
      for (let i = 1; i < lines.length; i++)
        if (data[start + i * lines.inner]! > data[start + best * lines.inner]!) best = i;
      write(y!, [1], start + best * lines.inner);
    });
  },
};

export const indexing: readonly Operator[] = [
  ...[gatherElements, gatherND, scatterElements("Scatter"), scatterElements("ScatterElements"), scatterND],
  ...[oneHot, topK, hardmax],
];
