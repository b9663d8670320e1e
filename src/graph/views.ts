// Views of views: what two copies, one after the other, copy in all. And views as attributes of a node.
import { listOf } from "./nodes.ts";
import { cutAt, type Loop, stepAlong } from "./places.ts";
import type { GraphNode, View } from "./types.ts";
import { sizeOf, stridesOf } from "./values.ts";

/** Pieces of one view, at most: what crosses more borders is left as it is. */
const mostPieces = 16;

/**
 * The part of a value between two copies that one view writes: the value in more axes than its shape has, so that along each of
 * them the view steps evenly. It writes [low, high) along each, from elements `from` apart.
 */
interface Box {
  view: View;
  sides: readonly number[];
  low: readonly number[];
  high: readonly number[];
  from: readonly number[];
}

/** Undefined where a view writes no block of the shape. */
function boxOf(shape: readonly number[], view: View): Box | undefined {
  const strides = stridesOf(shape);
  const loops = loopsOf(view).map((loop) => cutAt(loop, "to", shape, strides));
  if (loops.some((parts) => !parts)) return undefined;
  const along = (loops as Loop[][]).flat().map((loop) => ({ ...loop, step: stepAlong(loop.to, strides, shape) }));
  const [sides, low, high, from]: number[][] = [[], [], [], []];
  for (const [axis, side] of shape.entries()) {
    const start = Math.floor(view.to.offset / strides[axis]!) % side;
    const own = along.flatMap(({ step, ...loop }) => (step?.index === axis ? [{ ...loop, by: step.by }] : []));
    own.sort((a, b) => b.by - a.by);
    const [outer = { count: 1, from: 0, by: 1 }, ...inner] = own;
    const block = sizeOf(inner.map(({ count }) => count));
    const isBlock = own.every(({ by }, i) => by === sizeOf(own.slice(i + 1).map(({ count }) => count)));
    if (!isBlock || side % block !== 0 || start % block !== 0) return undefined;
    sides!.push(side / block, ...inner.map(({ count }) => count));
    low!.push(start / block, ...inner.map(() => 0));
    high!.push(start / block + outer.count, ...inner.map(({ count }) => count));
    from!.push(outer.from, ...inner.map((loop) => loop.from));
  }
  return along.every(({ step }) => step) ? { view, sides: sides!, low: low!, high: high!, from: from! } : undefined;
}

const loopsOf = ({ counts, from, to }: View): Loop[] =>
  counts.map((count, i) => ({ count, from: from.strides[i]!, to: to.strides[i]! })).filter(({ count }) => count > 1);

/** Part of some loops along one axis: where it begins there and in what is written, and its loops. */
interface Piece {
  at: number;
  to: number;
  loops: readonly Loop[];
}

/** The parts of loops along one axis that stay within [low, high); `step` of a loop is how far it goes along that axis. */
function within({ at, to, loops }: Piece, low: number, high: number, step: (loop: Loop) => number): Piece[] {
  const [first, ...rest] = loops;
  if (!first) return at >= low && at < high ? [{ at, to, loops }] : [];
  const { least, most } = reach(rest, step);
  const pieces: Piece[] = [];
  let begun: { from: number; count: number } | undefined;
  const flush = (): void => {
    if (!begun) return;
    const { from, count } = begun;
    pieces.push({ at: at + from * step(first), to: to + from * first.to, loops: [{ ...first, count }, ...rest] });
    begun = undefined;
  };
  for (let i = 0; i < first.count && pieces.length <= mostPieces; i++) {
    const here = at + i * step(first);
    if (here + least >= low && here + most < high) {
      begun = { from: begun?.from ?? i, count: (begun?.count ?? 0) + 1 };
      continue;
    }
    flush();
    if (here + most < low || here + least >= high) continue;
    pieces.push(...within({ at: here, to: to + i * first.to, loops: rest }, low, high, step));
  }
  flush();
  return pieces;
}

/** What `second` reads of a value that `first` writes, as views of what `first` reads; undefined where that is no short list. */
export function composed(shape: readonly number[], first: readonly View[], second: View): View[] | undefined {
  if (sizeOf(second.counts) === 0 || sizeOf(shape) === 0) return undefined;
  const found: View[] = [];
  for (const view of first) {
    const box = boxOf(shape, view);
    const pieces = box && piecesOf(box, second);
    if (!pieces || found.length + pieces.length > mostPieces) return undefined;
    found.push(...pieces.map((piece) => viewFrom(piece, view.input, second.output)));
  }
  return found;
}

/** What a view reads of a box, from where the box has it. */
function piecesOf({ view, sides, low, high, from }: Box, second: View): Piece[] | undefined {
  const strides = stridesOf(sides);
  const cut = loopsOf(second).map((loop) => (loop.from === 0 ? [loop] : cutAt(loop, "from", sides, strides)));
  if (cut.some((loops) => !loops)) return undefined;
  const loops = (cut as Loop[][]).flat();
  const along = loops.map((loop) => (loop.from === 0 ? undefined : stepAlong(loop.from, strides, sides)));
  if (loops.some((loop, i) => loop.from !== 0 && !along[i])) return undefined;
  const still = loops.filter((loop) => loop.from === 0);
  let pieces: Piece[] = [{ at: view.from.offset, to: second.to.offset, loops: still }];
  for (const [axis, side] of sides.entries()) {
    const start = Math.floor(second.from.offset / strides[axis]!) % side;
    const own = loops.filter((_, i) => along[i]?.index === axis).sort((a, b) => Math.abs(b.from) - Math.abs(a.from));
    const step = (loop: Loop): number => loop.from / strides[axis]!;
    const { least, most } = reach(own, step);
    // Beyond the end of an axis another one goes on.
    if (start + least < 0 || start + most >= side) return undefined;
    const parts = within({ at: start, to: 0, loops: own }, low[axis]!, high[axis]!, step);
    pieces = pieces.flatMap((piece) =>
      parts.map(({ at, to, loops }) => ({
        at: piece.at + (at - low[axis]!) * from[axis]!,
        to: piece.to + to,
        loops: [...piece.loops, ...loops.map((loop) => ({ ...loop, from: step(loop) * from[axis]! }))],
      })),
    );
    if (pieces.length > mostPieces) return undefined;
  }
  return pieces;
}

/** How far loops lead from where they begin, down and up. */
function reach(loops: readonly Loop[], step: (loop: Loop) => number): { least: number; most: number } {
  const ends = loops.map((loop) => step(loop) * (loop.count - 1));
  const sum = (sign: 1 | -1): number => ends.reduce((total, end) => total + (end * sign > 0 ? end : 0), 0);
  return { least: sum(-1), most: sum(1) };
}

function viewFrom({ at, to, loops }: Piece, input: number, output: number): View {
  const sorted = loops.toSorted((a, b) => b.to - a.to);
  return {
    ...{ input, output, counts: sorted.map(({ count }) => count) },
    from: { offset: at, strides: sorted.map(({ from }) => from) },
    to: { offset: to, strides: sorted.map((loop) => loop.to) },
  };
}

/** Views of one output as numbers: of each its input, how many loops, where it begins, and counts and steps of the loops. */
export const numbersOfViews = (views: readonly View[]): number[] =>
  views.flatMap(({ input, counts, from, to }) => [
    ...[input, counts.length, from.offset, to.offset],
    ...[...counts, ...from.strides, ...to.strides],
  ]);

/** The views that a node has as its attribute `views`. */
export function viewsOf(node: GraphNode): View[] {
  const numbers = listOf(node, "views")!;
  const views: View[] = [];
  for (let at = 0; at < numbers.length; ) {
    const [input, rank, from, to] = numbers.slice(at, at + 4) as [number, number, number, number];
    const list = (index: number): readonly number[] =>
      numbers.slice(at + 4 + index * rank, at + 4 + (index + 1) * rank);
    const sides = { from: { offset: from, strides: list(1) }, to: { offset: to, strides: list(2) } };
    views.push({ input, output: 0, counts: list(0), ...sides });
    at += 4 + 3 * rank;
  }
  return views;
}
