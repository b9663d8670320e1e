// What one node computes in several steps: reductions, expressions and copies over values as kernels hold them. For operators
// that are formulas over means, extremes and elements.
import { arena, draftOf, pointwiseWindow, sidesOf } from "../kernels/layer.ts";
import { workOf } from "../kernels/table.ts";
import { builtInProfile, costOf } from "../plan/cost.ts";
import type { BufferSpec, ExpressionSpec, KernelSpec, Position, ReduceSpec, Step } from "../plan/types.ts";
import { ExpressionBuilder } from "./expressions.ts";
import { type Held, type Lowered, type LoweringContext, read, stageOf, write } from "./lowering.ts";
import { digitsOf, isInPlace, moveOf, type Order, type Placed, sidesIn } from "./places.ts";
import type { GraphNode, Strided } from "./types.ts";
import { sizeOf, stridesOf } from "./values.ts";

/** How a value of some axes lies in rows of pixels of channels. */
export interface Space {
  /** Of the value, in ONNX's order. */
  shape: readonly number[];
  /** [images, height, width, channels], and which axes go along each, outermost first. */
  sides: Position;
  groups: readonly (readonly number[])[];
}

/** A value, or an intermediate one, seen with such sides. */
export interface Piece {
  buffer: BufferSpec;
  sides: Position;
}

export type Term = ReturnType<ExpressionBuilder["operand"]>;

/** Rows above so many are reduced in two steps: in groups, then those. */
const mostRows = 32;
/** Longer first axes become pixels: tables of pointers would be long. */
const mostLines = 1024;

/** The space of a value in an order. */
export function spaceIn(shape: readonly number[], order: Order): Space | undefined {
  const sides = sidesIn(shape, order);
  if (!sides) return undefined;
  const digits = digitsOf(shape, order);
  const groups = sides.map((_, axis) => shape.flatMap((_, i) => (digits[i]!.axis === axis ? [i] : [])));
  return { shape, sides, groups };
}

/** A space in which neighbouring axes that are all reduced, or all not, go along one. */
export function collapsedSpace(shape: readonly number[], reduced: readonly number[]): Space | undefined {
  const runs: { axes: number[]; reduced: boolean }[] = [];
  for (const axis of shape.keys()) {
    const [last, own] = [runs.at(-1), reduced.includes(axis)];
    if (last && (shape[axis] === 1 || last.reduced === own)) last.axes.push(axis);
    else runs.push({ axes: [axis], reduced: own });
  }
  if (sizeOf(shape) === 0) return undefined;
  const size = (group: readonly number[]): number => sizeOf(group.map((axis) => shape[axis]!));
  const many = (what: boolean): number[] => [...shape.keys()].filter((axis) => reduced.includes(axis) === what);
  // More runs than there are sides: what stays, then what is reduced.
  const parts = runs.length > 3 ? [many(false), many(true)] : runs.map(({ axes }) => axes);
  const [a = [], b = [], c = []] = parts;
  const two = size(a) <= mostLines ? [[], a, [], b] : [[], [], a, b];
  const groups = parts.length === 3 ? [[], a, b, c] : parts.length < 2 ? [[], [], [], a] : two;
  return { shape, sides: groups.map(size) as Position, groups };
}

/** Of each side of a space, whether it is reduced; undefined where only a part of one would be, or images. */
export function sidesReduced({ shape, groups }: Space, reduced: readonly number[]): boolean[] | undefined {
  const found = groups.map((group) => {
    const axes = group.filter((axis) => shape[axis]! > 1);
    const some = axes.filter((axis) => reduced.includes(axis)).length;
    return some === 0 ? false : some === axes.length ? true : undefined;
  });
  return found.includes(undefined) || found[0] ? undefined : (found as boolean[]);
}

/** By how many elements each axis of a value leads on in a piece of it; 0 along sides that the piece has not. */
function stridesFor({ shape, groups }: Space, sides: Position): number[] {
  const strides = shape.map(() => 0);
  const steps = stridesOf(sides);
  for (const [side, group] of groups.entries()) {
    let step = sides[side] === 1 ? 0 : steps[side]!;
    for (const axis of group.toReversed()) {
      strides[axis] = step;
      step *= shape[axis]!;
    }
  }
  return strides;
}

const plain = (sides: Position): Placed => ({ shape: sides, order: "plain" });

export interface Reduction {
  op: ReduceSpec["op"];
  map?: ReduceSpec["map"];
  scale?: number;
  centre?: Piece;
}

/** Steps and buffers of one node. Methods give undefined where no kernel can. */
export class Pieces {
  private readonly node: GraphNode;
  private readonly context: LoweringContext;
  private readonly buffers = new Map<string, BufferSpec>();
  private readonly steps: Step[] = [];
  private readonly results: Held[] = [];

  constructor(node: GraphNode, context: LoweringContext) {
    this.node = node;
    this.context = context;
  }

  /** An input as it lies in an order, or copied into a space where it does not lie so. */
  input(name: string, order: Order, space: Space): Piece | undefined {
    const buffer = read(name, order, this.context);
    if (!buffer) return undefined;
    this.buffers.set(buffer.id, buffer);
    const { shape, sides } = space;
    const view = { counts: shape, from: { offset: 0, strides: stridesOf(shape) } };
    return this.copied({ shape, order }, buffer, view, sides, stridesFor(space, sides));
  }

  /** An input that is repeated along some axes, in a space; `shape` is its own, with as many axes as the space. */
  parameter(name: string, shape: readonly number[], space: Space): Piece | undefined {
    const own = this.context.specs.get(name)?.shape;
    const buffer = own && read(name, "plain", this.context);
    if (!buffer || sizeOf(own) !== sizeOf(shape)) return undefined;
    this.buffers.set(buffer.id, buffer);
    const isWide = (axis: number): boolean => shape[axis]! > 1;
    const whole = space.shape.map((side, axis) =>
      space.groups.some((group) => group.includes(axis) && group.some(isWide)) ? side : 1,
    );
    const sides = space.groups.map((group) => sizeOf(group.map((axis) => whole[axis]!))) as Position;
    const strides = stridesOf(shape).map((stride, axis) => (isWide(axis) ? stride : 0));
    const view = { counts: whole, from: { offset: 0, strides } };
    return this.copied(
      { shape: own, order: "plain" },
      buffer,
      view,
      sides,
      stridesFor({ ...space, shape: whole }, sides),
    );
  }

  /** A piece in another space, of the same value. */
  respace(piece: Piece, from: Space, to: Space): Piece | undefined {
    const view = { counts: to.shape, from: { offset: 0, strides: stridesFor(from, piece.sides) } };
    return this.copied(plain(piece.sides), piece.buffer, view, to.sides, stridesFor(to, to.sides));
  }

  /** Elements of a piece in other places; axes of `counts` step by `strides` in what is read. */
  copy(piece: Piece, counts: readonly number[], strides: readonly number[], sides: Position): Piece | undefined {
    const view = { counts, from: { offset: 0, strides } };
    return this.copied(plain(piece.sides), piece.buffer, view, sides, stridesOf(counts));
  }

  private copied(
    from: Placed,
    buffer: BufferSpec,
    view: { counts: readonly number[]; from: Strided },
    sides: Position,
    strides: readonly number[],
  ): Piece | undefined {
    const kernel = moveOf({ ...view, to: { offset: 0, strides } }, from, plain(sides));
    if (!kernel) return undefined;
    if (isInPlace(kernel, from, plain(sides))) return { buffer, sides };
    return this.step("move", kernel, [buffer], sides);
  }

  /** Sides that become one. */
  reduce(x: Piece, [, rows, pixels, channels]: readonly boolean[], reduction: Reduction): Piece {
    const { op, map = "none", scale = 1, centre } = reduction;
    const [images, height, width, depth] = x.sides;
    const inRows = pixels || channels;
    const from = centre ? [x.buffer, centre.buffer] : [x.buffer];
    const base = { family: "reduce" as const, ...pointwiseWindow, op, channels: depth, height };
    if (inRows) {
      const over = pixels && channels ? "row" : pixels ? "pixels" : "channels";
      const sides: Position = [images, height, pixels ? 1 : width, channels ? 1 : depth];
      const found = this.step("reduce", { ...base, over, map, scale: rows ? 1 : scale }, from, sides);
      return rows ? this.reduce(found, [false, true, false, false], { op, scale }) : found;
    }
    const group = !rows ? 1 : height > mostRows ? Math.ceil(Math.sqrt(height)) : height;
    const count = Math.ceil(height / group);
    const last = !rows || count === 1;
    const kernel: ReduceSpec = {
      ...{ ...base, over: "rows", map, scale: last ? scale : 1, size: [group, 1], strides: [group, 1] },
    };
    const found = this.step("reduce", kernel, from, [images, count, width, depth]);
    return last ? found : this.reduce(found, [false, true, false, false], { op, scale });
  }

  /** A function of up to three pieces, whose sides are those of the result or 1. */
  express(operands: readonly Piece[], build: (b: ExpressionBuilder, ...terms: Term[]) => Term): Piece {
    const sides = [0, 1, 2, 3].map((axis) => Math.max(...operands.map((one) => one.sides[axis]!))) as Position;
    const builder = new ExpressionBuilder();
    builder.finish(build(builder, ...operands.map((_, i) => builder.operand(i))));
    const { nodes, constants } = builder;
    const still = operands[0]!.sides[1] === 1 && sides[1] > 1;
    const kernel: ExpressionSpec = {
      ...{ family: "expression", ...pointwiseWindow, nodes, constants, channels: sides[3] },
      operands: operands.map(({ sides: own }) => ({ pixels: own[2] > 1, channels: own[3] > 1 || sides[3] === 1 })),
      ...(still && { strides: [0, 0] as [number, number] }),
    };
    const buffers = operands.map(({ buffer }) => buffer);
    return this.step(this.node.op, kernel, buffers, sides);
  }

  /** Any other step. */
  step(name: string, kernel: KernelSpec, reads: readonly BufferSpec[], sides: Position): Piece {
    const buffer = arena(`${this.node.outputs[0]!}: ${this.steps.length}`, sidesOf(sides));
    this.buffers.set(buffer.id, buffer);
    this.steps.push({ name, kernel, reads: reads.map(({ id }) => id), writes: buffer.id });
    return { buffer, sides };
  }

  /** Gives a piece as one of the node's outputs, `kept` being its shape with as many axes as the space. */
  output(index: number, piece: Piece, space: Space, kept: readonly number[], orders: readonly Order[]): boolean {
    const name = this.node.outputs[index]!;
    const { shape } = this.context.specs.get(name)!;
    const order = orders.find((one) => one === "plain" || shape.length === 4)!;
    const { buffer, held } = write(name, order, this.context);
    const strides = stridesFor({ ...space, shape: kept }, piece.sides);
    const view = { counts: kept, from: { offset: 0, strides }, to: { offset: 0, strides: stridesOf(kept) } };
    const [from, to] = [plain(piece.sides), { shape, order }];
    const kernel = moveOf(view, from, to);
    if (!kernel) return false;
    const made = this.steps.findLast(({ writes }) => writes === piece.buffer.id);
    const only = this.steps.every(({ reads }) => !reads.includes(piece.buffer.id));
    if (isInPlace(kernel, from, to) && made && only) {
      made.writes = held.id;
      this.buffers.delete(piece.buffer.id);
    } else this.steps.push({ name: "move", kernel, reads: [piece.buffer.id], writes: held.id });
    this.buffers.set(held.id, buffer);
    this.results.push(held);
    return true;
  }

  /** The node as stages: neighbouring steps over the same rows are one, and what is between them rows of strips. */
  finish(): Lowered {
    const { buffers, steps } = this;
    const runs: Step[][] = [];
    for (const step of steps) {
      const last = runs.at(-1);
      if (last && this.joins(last, step)) last.push(step);
      else runs.push([step]);
    }
    for (const run of runs)
      for (const { writes } of run)
        if (this.isWithin(writes, run)) buffers.set(writes, { ...buffers.get(writes)!, scope: "strip" });
    const all = [...buffers.values()];
    const stages = runs.map((run) =>
      run.length === 1 ? stageOf(run[0]!, all) : draftOf(builtInProfile, "", all, [run]).stages[0]!,
    );
    const { time } = costOf({ stages, buffers: all }, builtInProfile, workOf);
    return { stages, buffers: all, weights: new Map(), time, multiplications: 0, outputs: this.results };
  }

  /** Whether a step can run with those before over the same strip: row by row, and what they leave to it is theirs alone. */
  private joins(run: readonly Step[], step: Step): boolean {
    const [before, own] = [run[0]!, step].map(({ writes }) => this.buffers.get(writes)!);
    const byRow = [...run, step].every(
      ({ kernel }) => kernel.family === "expression" || (kernel.family === "reduce" && kernel.over !== "rows"),
    );
    const moves = [...run, step].some(({ kernel }) => "strides" in kernel && kernel.strides?.[0] === 0);
    const joined = [...run, step];
    return (
      byRow &&
      !moves &&
      before!.height === own!.height &&
      before!.images === own!.images &&
      run.every(({ writes }) => !step.reads.includes(writes) || this.isWithin(writes, joined))
    );
  }

  /** Whether a buffer is read by some steps only, and is no result. */
  private isWithin(id: string, run: readonly Step[]): boolean {
    const readers = this.steps.filter(({ reads }) => reads.includes(id));
    return (
      readers.length > 0 && readers.every((step) => run.includes(step)) && !this.results.some((held) => held.id === id)
    );
  }
}
