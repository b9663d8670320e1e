// How values of a network lie in the backend's memory, and copies between such places.

import { pointwiseWindow } from "../kernels/layer.ts";
import { isMovable } from "../kernels/move/kernel.ts";
import type { MoveLoop, MoveSpec, Position } from "../plan/types.ts";
import type { Strided, View } from "./types.ts";
import { sizeOf, stridesOf } from "./values.ts";

/** Channels last (of four axes in ONNX's order, NCHW), or the axes as they are, the last as channels. */
export type Order = "channels last" | "plain";

/** Longer second axes become pixels of one row: tables of pointers would be long, and rows short. */
const mostRows = 1024;

/** One axis of a shape: along which of image, row, pixel and channel it goes, and by how many of them at a time. */
export interface Digit {
  axis: 0 | 1 | 2 | 3;
  step: number;
}

/** Where each axis of a shape goes. */
export function digitsOf(shape: readonly number[], order: Order): Digit[] {
  const digit = (axis: Digit["axis"], step = 1): Digit => ({ axis, step });
  if (order === "channels last") return [digit(0), digit(3), digit(1), digit(2)];
  const rank = shape.length;
  if (rank >= 4) {
    const outer = stridesOf(shape.slice(0, -3));
    return [...outer.map((step) => digit(0, step)), digit(1), digit(2), digit(3)];
  }
  const second = digit((shape.at(-2) ?? 1) > mostRows ? 2 : 1);
  return [digit(0), second, digit(3)].slice(3 - rank);
}

/** Sides of a value as kernels hold it: [images, height, width, channels]; undefined of no elements, or without channels last. */
export function sidesIn(shape: readonly number[], order: Order): Position | undefined {
  if (sizeOf(shape) === 0 || (order === "channels last" && shape.length !== 4)) return undefined;
  const sides: Position = [1, 1, 1, 1];
  for (const [i, { axis }] of digitsOf(shape, order).entries()) sides[axis] *= shape[i]!;
  return sides;
}

/** A value of a shape in an order. */
export interface Placed {
  shape: readonly number[];
  order: Order;
}

/** One loop over elements, by steps in row-major order. */
export interface Loop {
  count: number;
  from: number;
  to: number;
}

/** A step of one loop in a shape: its axis of the shape, and by how many elements of that. */
interface AxisStep {
  index: number;
  by: number;
}

/** The axis of a shape along which so many elements in row-major order lead. */
export function stepAlong(step: number, strides: readonly number[], shape: readonly number[]): AxisStep | undefined {
  const far = Math.abs(step);
  const index = strides.findIndex((stride, i) => shape[i]! > 1 && far % stride === 0 && far / stride < shape[i]!);
  return index < 0 ? undefined : { index, by: step / strides[index]! };
}

/** Cuts a loop where it leaves an axis of a shape: the outer part goes along the axes before. */
export function cutAt(
  loop: Loop,
  side: "from" | "to",
  shape: readonly number[],
  strides: readonly number[],
): Loop[] | undefined {
  if (loop.count === 1 || loop[side] === 0) return [loop];
  const step = stepAlong(loop[side], strides, shape);
  if (!step) return undefined;
  const within = shape[step.index]! / Math.abs(step.by);
  if (Math.abs(step.by) * (loop.count - 1) < shape[step.index]!) return [loop];
  if (step.by < 0 || !Number.isInteger(within) || loop.count % within !== 0) return undefined;
  const outer = { count: loop.count / within, from: loop.from * within, to: loop.to * within };
  const before = cutAt(outer, side, shape, strides);
  return before && [...before, { ...loop, count: within }];
}

/** Where the loops of one side begin and how they step, as positions; undefined where they would leave an axis. */
function positionsOf(offset: number, steps: readonly Loop[], side: "from" | "to", { shape, order }: Placed) {
  const [strides, digits] = [stridesOf(shape), digitsOf(shape, order)];
  const indices = strides.map((stride, i) => Math.floor(offset / stride) % shape[i]!);
  const place = (list: readonly [index: number, by: number][]): Position => {
    const position: Position = [0, 0, 0, 0];
    for (const [index, by] of list) position[digits[index]!.axis] += by * digits[index]!.step;
    return position;
  };
  const [least, most] = [[...indices], [...indices]];
  const made: Position[] = [];
  for (const loop of steps) {
    const step = loop[side] === 0 || loop.count === 1 ? undefined : stepAlong(loop[side], strides, shape);
    made.push(step ? place([[step.index, step.by]]) : [0, 0, 0, 0]);
    if (step) (step.by < 0 ? least : most)[step.index]! += step.by * (loop.count - 1);
  }
  // An element beyond the end of an axis would be another's.
  if (least.some((at) => at < 0) || most.some((at, i) => at >= shape[i]!)) return undefined;
  return { start: place(indices.map((by, index) => [index, by])), steps: made };
}

/** Axes that go along images together are one: the fewer axes, the fewer loops. */
const fewest = ({ shape, order }: Placed): Placed => ({
  shape: order === "plain" ? sidesIn(shape, order)! : shape,
  order,
});

/** A copy as a step of the backend; undefined where its loops are too many or do not stay within axes. */
export function moveOf(
  view: Pick<View, "counts" | "from" | "to">,
  source: Placed,
  target: Placed,
): MoveSpec | undefined {
  if ([view.counts, source.shape, target.shape].some((shape) => sizeOf(shape) === 0)) return undefined;
  const [from, to] = [fewest(source), fewest(target)];
  const [strides, toStrides] = [stridesOf(from.shape), stridesOf(to.shape)];
  const given = joined(
    view.counts.map((count, i) => ({ count, from: view.from.strides[i]!, to: view.to.strides[i]! })),
  );
  const cut = given.map((loop) =>
    cutAt(loop, "to", to.shape, toStrides)?.map((part) => cutAt(part, "from", from.shape, strides)),
  );
  if (cut.some((parts) => !parts || parts.some((part) => !part))) return undefined;
  const loops = (cut as Loop[][][]).flat(2).filter(({ count }) => count > 1);
  const read = positionsOf(view.from.offset, loops, "from", from);
  const written = positionsOf(view.to.offset, loops, "to", to);
  if (!read || !written) return undefined;
  const made = loops.map(({ count }, i): MoveLoop => ({ count, from: read.steps[i]!, to: written.steps[i]! }));
  const channels = sidesIn(to.shape, to.order)![3];
  const spec: MoveSpec = {
    ...{ family: "move", ...pointwiseWindow, whole: true, loops: made.sort(inOrder) },
    ...{ from: read.start, to: written.start, channels },
  };
  return isMovable(spec) ? spec : undefined;
}

/** Loops that go on where the next ends are one with it. */
function joined(loops: readonly Loop[]): Loop[] {
  const found: Loop[] = [];
  for (const loop of loops.filter(({ count }) => count > 1)) {
    const last = found.at(-1);
    const goesOn = last && last.from === loop.from * loop.count && last.to === loop.to * loop.count;
    if (goesOn) found[found.length - 1] = { ...loop, count: last.count * loop.count };
    else found.push(loop);
  }
  return found;
}

/** By images, rows, pixels and channels of what is written; of loops along the same, the one that steps further first. */
function inOrder(a: MoveLoop, b: MoveLoop): number {
  const axis = ({ to }: MoveLoop): number => to.findIndex((step) => step !== 0);
  return axis(a) - axis(b) || b.to[axis(b)]! - a.to[axis(a)]!;
}

/** Elements from one order, or shape, to another: all of them as they follow one another. */
export function inOtherPlace(from: Placed, to: Placed): MoveSpec | undefined {
  const strided = (shape: readonly number[]): Strided => ({ offset: 0, strides: stridesOf(shape) });
  return moveOf({ counts: to.shape, from: strided(to.shape), to: strided(to.shape) }, from, to);
}

/** Whether a copy of a whole value leaves every element where it is. */
export function isInPlace({ loops, from, to }: MoveSpec, source: Placed, target: Placed): boolean {
  const sides = [source, target].map(({ shape, order }) => sidesIn(shape, order)!.join());
  const elements = loops.reduce((product, { count }) => product * count, 1);
  const stays = [{ from, to }, ...loops].every(({ from, to }) => from.join() === to.join());
  return stays && sides[0] === sides[1] && elements === sizeOf(target.shape);
}
