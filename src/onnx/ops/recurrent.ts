// RNN, GRU and LSTM: what goes from step to step stays in arrays of f32 or f64; products with the inputs of all steps are one matrix
// product, which a pass may have put before the node as a MatMul.
import type { Steps } from "../../engine/turns.ts";
import { numberOf, refuse, required, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { elementsOf, numbersOf } from "../../graph/values.ts";
import { piecesOf } from "./gemm.ts";
import { type Activate, activationsOf } from "./recurrent-activations.ts";

type Floats = Float32Array | Float64Array;

/** Gates whose rows lie one after the other in weights, and activation functions of a direction. */
const cells = { RNN: { gates: 1, functions: 1 }, GRU: { gates: 3, functions: 2 }, LSTM: { gates: 4, functions: 3 } };
type Cell = keyof typeof cells;

interface Sizes {
  cell: Cell;
  steps: number;
  batch: number;
  hidden: number;
  gates: number;
  directions: number;
  /** Batch before steps, and before directions. */
  batchFirst: boolean;
}

/** Where a pass has computed the products with the inputs: [steps, batch, directions · gates · hidden]. */
const isProjected = (node: GraphNode): boolean => node.inputs[1] === "";

function sizesOf(node: GraphNode, inputs: readonly (Spec | undefined)[]): Sizes {
  const cell = node.op as Cell;
  const x = required(node, inputs, 0, ["f32", "f64"]);
  const recurrence = required(node, inputs, 2, [x.dtype]);
  if (x.shape.length !== 3) refuse(node, "inputs of 3 axes", x.shape);
  const { gates } = cells[cell];
  const batchFirst = numberOf(node, "layout", 0) !== 0;
  const [steps, batch] = (batchFirst ? [x.shape[1], x.shape[0]] : x.shape) as [number, number];
  const directions = textOf(node, "direction", ["forward", "reverse", "bidirectional"]) === "bidirectional" ? 2 : 1;
  const hidden = recurrence.shape[2] ?? 0;
  const said = numberOf(node, "hidden_size", hidden);
  if (said !== hidden) refuse(node, `R of hidden size ${said}`, recurrence.shape);
  const states = batchFirst ? [batch, directions, hidden] : [directions, batch, hidden];
  const shapes: readonly (readonly number[] | undefined)[] = [
    isProjected(node) ? [x.shape[0]!, x.shape[1]!, directions * gates * hidden] : undefined,
    isProjected(node) ? undefined : [directions, gates * hidden, x.shape[2]!],
    [directions, gates * hidden, hidden],
    [directions, 2 * gates * hidden],
    [batch],
    ...(cell === "RNN" || cell === "GRU" ? [states] : [states, states, [directions, 3 * hidden]]),
  ];
  for (const [i, shape] of shapes.entries()) {
    const given = inputs[i];
    if (!shape || !given) continue;
    const type = i === 4 ? "i32" : x.dtype;
    if (given.dtype === type && `${given.shape}` === `${shape}`) continue;
    refuse(node, `${type} [${shape}] as input ${i}`, `${given.dtype} [${given.shape}]`);
  }
  if (!isProjected(node)) required(node, inputs, 1);
  return { cell, steps, batch, hidden, gates, directions, batchFirst };
}

function infer(node: GraphNode, inputs: readonly (Spec | undefined)[]): Spec[] {
  const sizes = sizesOf(node, inputs);
  const { cell, steps, batch, hidden, directions, batchFirst } = sizes;
  activationsOf(node, directions, cells[cell].functions);
  const { dtype } = inputs[0]!;
  const state = { dtype, shape: batchFirst ? [batch, directions, hidden] : [directions, batch, hidden] };
  const all = { dtype, shape: batchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden] };
  return cell === "LSTM" ? [all, state, state] : [all, state];
}

/** Rows, columns, and elements of each sum; where a, b and out begin, and how far apart the rows of out are. */
interface Product {
  rows: number;
  columns: number;
  inner: number;
  a?: number;
  b?: number;
  out?: number;
  stride?: number;
}

/** out[r, c] += Σ a[r, i] · b[c, i]: rows of both lie one after the other. Four sums at a time share the loads of a. */
function addProducts(out: Floats, a: Floats, b: Floats, product: Product): void {
  const { rows, columns, inner, stride = 0 } = product;
  const { a: fromA = 0, b: fromB = 0, out: fromOut = 0 } = product;
  for (let c = 0; c < columns; c += 4) {
    const b0 = fromB + c * inner;
    // The last ones are computed again where the columns do not fill groups of four.
    const b1 = c + 1 < columns ? b0 + inner : b0;
    const b2 = c + 2 < columns ? b1 + inner : b1;
    const b3 = c + 3 < columns ? b2 + inner : b2;
    for (let r = 0; r < rows; r++) {
      const first = fromA + r * inner;
      let s0 = 0.0;
      let s1 = 0.0;
      let s2 = 0.0;
      let s3 = 0.0;
      for (let i = 0; i < inner; i++) {
        const x = a[first + i]!;
        s0 += x * b[b0 + i]!;
        s1 += x * b[b1 + i]!;
        s2 += x * b[b2 + i]!;
        s3 += x * b[b3 + i]!;
      }
      const to = fromOut + r * stride + c;
      out[to]! += s0;
      if (c + 1 < columns) out[to + 1]! += s1;
      if (c + 2 < columns) out[to + 2]! += s2;
      if (c + 3 < columns) out[to + 3]! += s3;
    }
  }
}

/** What one direction computes with. */
interface Direction {
  sizes: Sizes;
  /** [batch, gates · hidden] of each step, with all that does not depend on the step before. */
  projected: Floats;
  recurrence: Floats;
  /** Where this direction's recurrence begins. */
  from: number;
  /** Added to the recurrence alone: of GRU's last gate. */
  bias: Floats | undefined;
  peepholes: Floats | undefined;
  activate: readonly Activate[];
  clip: number;
  linearBeforeReset: boolean;
  inputForget: boolean;
  lengths: readonly number[];
  reverse: boolean;
  h: Floats;
  c: Floats;
}

function* run(node: GraphNode, inputs: readonly (Value | undefined)[], outputs: readonly Value[]): Steps {
  const sizes = sizesOf(node, inputs);
  const { cell, steps, batch, hidden, gates, directions, batchFirst } = sizes;
  const [, , r, b, lengths, h0, c0, p] = inputs;
  const wide = inputs[0]!.dtype === "f64";
  const room = (length: number): Floats => (wide ? new Float64Array(length) : new Float32Array(length));
  const functions = activationsOf(node, directions, cells[cell].functions);
  const counts = lengths ? Array.from(numbersOf(lengths)) : Array<number>(batch).fill(steps);
  if (counts.some((count) => !(count >= 0 && count <= steps)))
    refuse(node, `sequence lengths from 0 to ${steps}`, counts);
  const [all, lastH, lastC] = outputs;
  const size = gates * hidden;
  for (let d = 0; d < directions; d++) {
    const state = (value: Value | undefined): Floats => {
      const own = room(batch * hidden);
      if (value) forStates(sizes, d, (at, i) => own.set(elementsOf(value).subarray(at, at + hidden), i * hidden));
      return own;
    };
    const direction: Direction = {
      sizes,
      projected: room(steps * batch * size),
      recurrence: elementsOf(r!),
      from: d * size * hidden,
      bias: undefined,
      peepholes: p && elementsOf(p).subarray(d * 3 * hidden, (d + 1) * 3 * hidden),
      activate: functions.slice(d * cells[cell].functions),
      clip: numberOf(node, "clip", Infinity),
      linearBeforeReset: numberOf(node, "linear_before_reset", 0) !== 0,
      inputForget: numberOf(node, "input_forget", 0) !== 0,
      lengths: counts,
      reverse: d === 1 || node.attributes.direction === "reverse",
      ...{ h: state(h0), c: state(c0) },
    };
    yield* project(node, inputs, direction, d);
    if (b) addBias(direction, elementsOf(b).subarray(2 * d * size, 2 * (d + 1) * size));
    const at = (step: number, i: number): number =>
      batchFirst ? ((i * steps + step) * directions + d) * hidden : ((step * directions + d) * batch + i) * hidden;
    yield* runDirection(direction, (step, i) => {
      if (all) elementsOf(all).set(direction.h.subarray(i * hidden, (i + 1) * hidden), at(step, i));
    });
    for (const [result, own] of [[lastH, direction.h] as const, [lastC, direction.c] as const])
      if (result)
        forStates(sizes, d, (to, i) => elementsOf(result).set(own.subarray(i * hidden, (i + 1) * hidden), to));
  }
}

/** Where the state of each sequence begins. */
function forStates(
  { batch, directions, hidden, batchFirst }: Sizes,
  d: number,
  visit: (at: number, i: number) => void,
): void {
  for (let i = 0; i < batch; i++) visit((batchFirst ? i * directions + d : d * batch + i) * hidden, i);
}

/** The products of all inputs with the weights, as [steps, batch, gates · hidden]. */
function* project(
  node: GraphNode,
  [x, w]: readonly (Value | undefined)[],
  { sizes, projected }: Direction,
  d: number,
): Steps {
  const { steps, batch, gates, hidden, directions, batchFirst } = sizes;
  const size = gates * hidden;
  const data = elementsOf(x!);
  for (let step = 0; step < steps; step++)
    for (let i = 0; i < batch; i++) {
      const row = batchFirst ? i * steps + step : step * batch + i;
      const to = (step * batch + i) * size;
      const from = (row * directions + d) * size;
      if (isProjected(node)) projected.set(data.subarray(from, from + size), to);
    }
  if (isProjected(node)) return;
  const inner = x!.shape[2]!;
  const weights = elementsOf(w!);
  const from = d * size * inner;
  // Rows in the order of steps are one product.
  const apart = batchFirst && batch > 1;
  const [count, all, stride] = apart ? [batch, steps, batch * size] : [1, steps * batch, size];
  const part = piecesOf(size * inner);
  for (let i = 0; i < count; i++)
    for (let first = 0; first < all; first += part) {
      const rows = Math.min(part, all - first);
      const [a, out] = [(i * all + first) * inner, i * size + first * stride];
      addProducts(projected, data, weights, { rows, columns: size, inner, a, b: from, out, stride });
      yield;
    }
}

/** Biases of inputs and of recurrence are added at once, but for the gate of GRU whose recurrence is multiplied by another. */
function addBias(direction: Direction, bias: Floats): void {
  const { projected, sizes, linearBeforeReset } = direction;
  const { cell, gates, hidden } = sizes;
  const size = gates * hidden;
  const apart = cell === "GRU" && linearBeforeReset ? 2 * hidden : size;
  for (let at = 0; at < projected.length; at += size)
    for (let k = 0; k < size; k++) projected[at + k]! += bias[k]! + (k < apart ? bias[size + k]! : 0);
  if (apart < size) direction.bias = bias.subarray(size + apart, 2 * size);
}

/** All steps; sequences that have ended keep their state. */
function* runDirection(direction: Direction, done: (step: number, i: number) => void): Steps {
  const { sizes, projected, lengths, reverse } = direction;
  const { cell, steps, batch, hidden, gates } = sizes;
  const size = gates * hidden;
  const step = { RNN: rnnStep, GRU: gruStep, LSTM: lstmStep }[cell];
  const sums = projected.subarray(0, 0);
  const scratch = new (sums.constructor as Float64ArrayConstructor)(2 * hidden);
  const part = piecesOf(size * hidden);
  for (let t = 0; t < steps; t++)
    for (let i = 0; i < batch; i++) {
      if (t >= lengths[i]!) continue;
      const at = reverse ? lengths[i]! - 1 - t : t;
      if ((t * batch + i) % part === 0) yield;
      step(direction, (at * batch + i) * size, i * hidden, scratch);
      done(at, i);
    }
}

type Step = (direction: Direction, at: number, state: number, scratch: Floats) => void;

/** Adds the recurrence of gates from `first` on, `count` of them, to what they have at `at`. */
function recur(
  { projected, recurrence, from, h, sizes }: Direction,
  at: number,
  state: number,
  first: number,
  count: number,
) {
  const { hidden } = sizes;
  const rows = from + first * hidden * hidden;
  const product = { rows: 1, columns: count * hidden, inner: hidden };
  addProducts(projected, h, recurrence, { ...product, a: state, b: rows, out: at + first * hidden });
}

const rnnStep: Step = (direction, at, state) => {
  const { projected, h, activate, clip, sizes } = direction;
  recur(direction, at, state, 0, 1);
  activate[0]!(projected, at, sizes.hidden, clip);
  h.set(projected.subarray(at, at + sizes.hidden), state);
};

/** Gates: update, reset, and the new state. */
const gruStep: Step = (direction, at, state, scratch) => {
  const { projected: g, h, activate, clip, sizes, recurrence, from, bias, linearBeforeReset } = direction;
  const { hidden } = sizes;
  recur(direction, at, state, 0, 2);
  activate[0]!(g, at, 2 * hidden, clip);
  const rows = from + 2 * hidden * hidden;
  const sums = scratch.subarray(0, hidden).fill(0);
  const square = { rows: 1, columns: hidden, inner: hidden };
  if (linearBeforeReset) {
    addProducts(sums, h, recurrence, { ...square, a: state, b: rows });
    for (let k = 0; k < hidden; k++) sums[k] = g[at + hidden + k]! * (sums[k]! + (bias ? bias[k]! : 0));
  } else {
    const reset = scratch.subarray(hidden);
    for (let k = 0; k < hidden; k++) reset[k] = g[at + hidden + k]! * h[state + k]!;
    addProducts(sums, reset, recurrence, { ...square, b: rows });
  }
  for (let k = 0; k < hidden; k++) g[at + 2 * hidden + k]! += sums[k]!;
  activate[1]!(g, at + 2 * hidden, hidden, clip);
  for (let k = 0; k < hidden; k++) {
    const z = g[at + k]!;
    h[state + k] = (1 - z) * g[at + 2 * hidden + k]! + z * h[state + k]!;
  }
};

/** Gates: input, output, forget, and the new cell. */
const lstmStep: Step = (direction, at, state, scratch) => {
  const { projected: g, h, c, activate, clip, sizes, peepholes, inputForget } = direction;
  const { hidden } = sizes;
  const [output, forget, cell] = [at + hidden, at + 2 * hidden, at + 3 * hidden];
  recur(direction, at, state, 0, 4);
  if (peepholes)
    for (let k = 0; k < hidden; k++) {
      g[at + k]! += peepholes[k]! * c[state + k]!;
      g[forget + k]! += peepholes[2 * hidden + k]! * c[state + k]!;
    }
  activate[0]!(g, at, hidden, clip);
  if (inputForget) for (let k = 0; k < hidden; k++) g[forget + k] = 1 - g[at + k]!;
  else activate[0]!(g, forget, hidden, clip);
  activate[1]!(g, cell, hidden, clip);
  for (let k = 0; k < hidden; k++) c[state + k] = g[forget + k]! * c[state + k]! + g[at + k]! * g[cell + k]!;
  if (peepholes) for (let k = 0; k < hidden; k++) g[output + k]! += peepholes[hidden + k]! * c[state + k]!;
  activate[0]!(g, output, hidden, clip);
  const result = scratch.subarray(0, hidden);
  result.set(c.subarray(state, state + hidden));
  activate[2]!(result, 0, hidden, Infinity);
  for (let k = 0; k < hidden; k++) h[state + k] = g[output + k]! * result[k]!;
};

export const recurrent: readonly Operator[] = Object.keys(cells).map((name) => ({ name, infer, run }));
