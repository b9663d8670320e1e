// Copies of elements of any type, as bytes or as words of 32 bits: two classes of arrays, so that engines make fast code of the
// loops. Elements of 16 and of 64 bits are two neighbours each.
import type { View } from "../../graph/types.ts";
import type { TypedArray } from "../../tensor.ts";
import { forRows, joinAxes } from "./axes.ts";

export type Words = Uint8Array | Int32Array;

/** Words of each element. */
export function wordsIn({ BYTES_PER_ELEMENT: bytes }: TypedArray): number {
  return bytes < 4 ? bytes : bytes / 4;
}

export function wordsOf({ buffer, byteOffset, byteLength, BYTES_PER_ELEMENT: bytes }: TypedArray): Words {
  return bytes < 4
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Int32Array(buffer, byteOffset, byteLength / 4);
}

/** From so many words on a call for a run of them takes less time than a loop. */
export const longRun = 64;

/** Rows and columns of a tile that is read across: as many as stay in cache. */
const tile = 32;

/** Positions in words: of the first one, and how far rows and columns are apart. */
interface Grid {
  at: number;
  row: number;
  column: number;
}

function copyGrid(target: Words, to: Grid, source: Words, from: Grid, rows: number, columns: number): void {
  const [toStep, step] = [to.column, from.column];
  let [at, first] = [to.at, from.at];
  for (let row = 0; row < rows; row++, at += to.row, first += from.row) {
    if (step === 1 && toStep === 1 && columns >= longRun) target.set(source.subarray(first, first + columns), at);
    else for (let i = 0, t = at, s = first; i < columns; i++, t += toStep, s += step) target[t] = source[s]!;
  }
}

/** Tile by tile: what is read of one row of a cache line is there for the next ones. */
function copyTiles(target: Words, to: Grid, source: Words, from: Grid, rows: number, columns: number): void {
  const moved = (grid: Grid, r: number, c: number): Grid => ({ ...grid, at: grid.at + r * grid.row + c * grid.column });
  for (let r = 0; r < rows; r += tile)
    for (let c = 0; c < columns; c += tile) {
      const [height, width] = [Math.min(tile, rows - r), Math.min(tile, columns - c)];
      copyGrid(target, moved(to, r, c), source, moved(from, r, c), height, width);
    }
}

/** Copies words from one position on to another. */
export type Copy = (target: Words, at: number, source: Words, first: number) => void;

/** A copy of `counts` elements of `words` words each along axes, that lie `from` elements apart and shall lie `to` elements apart. */
export function copyOf(words: number, counts: readonly number[], from: readonly number[], to: readonly number[]): Copy {
  if (counts.includes(0)) return () => {};
  const inWords = (strides: readonly number[]): number[] => [...strides.map((stride) => stride * words), 1];
  const { shape, strides } = joinAxes([...counts, words], [inWords(from), inWords(to)]);
  const axes = shape.map((count, i) => ({ count, from: strides[0]![i]!, to: strides[1]![i]! }));
  // Written in the order in which elements lie.
  axes.sort((a, b) => Math.abs(b.to) - Math.abs(a.to));
  const inner = axes.pop() ?? { count: 1, from: 1, to: 1 };
  const reach = ({ from }: { from: number }): number => Math.abs(from) || Infinity;
  const nearest = axes.reduce((best, axis, i) => (reach(axis) < reach(axes[best]!) ? i : best), axes.length - 1);
  const across = axes.length > 0 && inner.from !== 0 && reach(axes[nearest]!) < reach(inner);
  const [around = { count: 1, from: 0, to: 0 }] = axes.splice(across ? nearest : axes.length - 1, 1);
  // Rows of rows, the last axis of which is one.
  const outer = [...axes.map(({ count }) => count), 1];
  const steps = [axes.map((axis) => axis.from), axes.map((axis) => axis.to)];
  const copy = across ? copyTiles : copyGrid;
  return (target, at, source, first) =>
    forRows(outer, steps, (_, offsets) => {
      const [read, written] = [first + offsets[0]!, at + offsets[1]!];
      const grid = { at: written, row: around.to, column: inner.to };
      copy(target, grid, source, { at: read, row: around.from, column: inner.from }, around.count, inner.count);
    });
}

/** The elements that a view names. */
export function copyView(to: TypedArray, from: TypedArray, view: Pick<View, "counts" | "from" | "to">): void {
  const words = wordsIn(from);
  const copy = copyOf(words, view.counts, view.from.strides, view.to.strides);
  copy(wordsOf(to), view.to.offset * words, wordsOf(from), view.from.offset * words);
}

/** Where elements of an axis are read and written, in words; runs of neighbours have one entry. */
interface Table {
  from: number[];
  to: number[];
  length: number[];
}

/** Of a list of positions; those below 0 are left out. */
function tableOf(list: ArrayLike<number>, from: number, to: number): Table {
  const table: Table = { from: [], to: [], length: [] };
  for (let i = 0; i < list.length; i++) {
    if (list[i]! < 0) continue;
    table.from.push(list[i]! * from);
    table.to.push(i * to);
  }
  return table;
}

/** Runs of words that follow each other in both, where each entry is `words` words. */
function joined({ from, to }: Table, words: number): Table {
  const runs: Table = { from: [], to: [], length: [] };
  for (let i = 0, last = -1; i < from.length; i++) {
    const length = last < 0 ? 0 : runs.length[last]!;
    if (length > 0 && from[i] === runs.from[last]! + length && to[i] === runs.to[last]! + length) {
      runs.length[last] = length + words;
      continue;
    }
    runs.from.push(from[i]!);
    runs.to.push(to[i]!);
    last = runs.length.push(words) - 1;
  }
  return runs;
}

function copyRuns(target: Words, at: number, source: Words, first: number, rows: Table, runs: Table): void {
  for (let row = 0; row < rows.from.length; row++) {
    const [t, s] = [at + rows.to[row]!, first + rows.from[row]!];
    for (let k = 0; k < runs.length.length; k++) {
      const [length, to, from] = [runs.length[k]!, t + runs.to[k]!, s + runs.from[k]!];
      if (length >= longRun) target.set(source.subarray(from, from + length), to);
      else for (let i = 0; i < length; i++) target[to + i] = source[from + i]!;
    }
  }
}

const isWhole = (list: ArrayLike<number>, side: number): boolean => {
  for (let i = 0; i < side; i++) if (list[i] !== i) return false;
  return list.length === side;
};

/** to[i, j, ...] = from[lists[0][i], lists[1][j], ...] where none of these is below 0; `shape` is that of `from`. */
export function copyLists(
  to: TypedArray,
  from: TypedArray,
  shape: readonly number[],
  lists: readonly ArrayLike<number>[],
): void {
  let [words, kept] = [wordsIn(from), lists.length];
  while (kept > 0 && isWhole(lists[kept - 1]!, shape[kept - 1]!)) words *= shape[--kept]!;
  let [source, target] = [words, words];
  const tables = lists.slice(0, kept).reduceRight<Table[]>((after, list, axis) => {
    const table = tableOf(list, source, target);
    source *= shape[axis]!;
    target *= list.length;
    return [table, ...after];
  }, []);
  const one: Table = { from: [0], to: [0], length: [] };
  const runs = joined(tables.pop() ?? one, words);
  const rows = tables.pop() ?? one;
  const [out, data] = [wordsOf(to), wordsOf(from)];
  const walk = (axis: number, at: number, first: number): void => {
    const table = tables[axis];
    if (!table) copyRuns(out, at, data, first, rows, runs);
    else for (let i = 0; i < table.from.length; i++) walk(axis + 1, at + table.to[i]!, first + table.from[i]!);
  };
  walk(0, 0, 0);
}
