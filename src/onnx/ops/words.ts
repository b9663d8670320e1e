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

/** The elements as words of so many bytes, 1 or 4; by default as their size allows. */
export function wordsOf(
  { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT: bytes }: TypedArray,
  word = bytes < 4 ? 1 : 4,
): Words {
  return word === 1
    ? new Uint8Array(buffer, byteOffset, byteLength)
    : new Int32Array(buffer, byteOffset, byteLength / 4);
}

/** From so many words on a call for a run of them takes less time than a loop. */
const longRun = 64;

/** Columns that are read across at once: their cache lines stay until all neighbours are read. */
const acrossColumns = 128;

/** Positions in words: of the first one, and how far rows and columns are apart. */
interface Grid {
  at: number;
  row: number;
  column: number;
}

function copyGrid(target: Words, to: Grid, source: Words, from: Grid, rows: number, columns: number): void {
  if (from.column === 1 && to.column === 1 && columns >= longRun)
    for (let row = 0, at = to.at, first = from.at; row < rows; row++, at += to.row, first += from.row)
      target.set(source.subarray(first, first + columns), at);
  else if (target instanceof Int32Array) copyWords(target, to, source as Int32Array, from, rows, columns);
  else copyBytes(target, to, source as Uint8Array, from, rows, columns);
}

function copyWords(target: Int32Array, to: Grid, source: Int32Array, from: Grid, rows: number, columns: number): void {
  const [toStep, step] = [to.column, from.column];
  let [at, first] = [to.at, from.at];
  for (let row = 0; row < rows; row++, at += to.row, first += from.row)
    for (let i = 0, t = at, s = first; i < columns; i++, t += toStep, s += step) target[t] = source[s]!;
}

function copyBytes(target: Uint8Array, to: Grid, source: Uint8Array, from: Grid, rows: number, columns: number): void {
  const [toStep, step] = [to.column, from.column];
  let [at, first] = [to.at, from.at];
  for (let row = 0; row < rows; row++, at += to.row, first += from.row)
    for (let i = 0, t = at, s = first; i < columns; i++, t += toStep, s += step) target[t] = source[s]!;
}

/** Some columns after the other: what is read of a row of one cache line is there for the next ones. */
function copyAcross(target: Words, to: Grid, source: Words, from: Grid, rows: number, columns: number): void {
  for (let c = 0; c < columns; c += acrossColumns) {
    const moved = (grid: Grid): Grid => ({ ...grid, at: grid.at + c * grid.column });
    copyGrid(target, moved(to), source, moved(from), rows, Math.min(acrossColumns, columns - c));
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
  const copy = across ? copyAcross : copyGrid;
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
  from: Places;
  to: Places;
  length: Places;
}

type Places = Int32Array | Float64Array;

/** Of a list of positions; those below 0 are left out. Elements of `words` words that follow each other are a run; 0 says that each shall stay apart. */
function tableOf(list: ArrayLike<number>, from: number, to: number, words: number, most: number): Table {
  const room = (): Places => new (most < 2 ** 31 ? Int32Array : Float64Array)(list.length);
  const table = { from: room(), to: room(), length: room() };
  let count = 0;
  for (let i = 0; i < list.length; i++) {
    if (list[i]! < 0) continue;
    const [read, written, last] = [list[i]! * from, i * to, count - 1];
    const length = last < 0 ? 0 : table.length[last]!;
    if (words > 0 && length > 0 && read === table.from[last]! + length && written === table.to[last]! + length) {
      table.length[last] = length + words;
      continue;
    }
    table.from[count] = read;
    table.to[count] = written;
    table.length[count++] = words || 1;
  }
  return {
    from: table.from.subarray(0, count),
    to: table.to.subarray(0, count),
    length: table.length.subarray(0, count),
  };
}

/** Runs of each row; where they are few and short, all rows of one word after the other. */
function copyRows(target: Words, at: number, source: Words, first: number, rows: Table, runs: Table): void {
  let total = 0;
  for (const length of runs.length) total += length;
  if (total < Math.min(longRun, rows.to.length))
    for (const [k, length] of runs.length.entries())
      for (let i = 0; i < length; i++) copyRuns(target, at + runs.to[k]! + i, source, first + runs.from[k]! + i, rows);
  else for (const [row, to] of rows.to.entries()) copyRuns(target, at + to, source, first + rows.from[row]!, runs);
}

function copyRuns(target: Words, at: number, source: Words, first: number, runs: Table): void {
  const { from, to, length } = runs;
  if (length.length > 0 && length[0]! >= longRun)
    for (let k = 0; k < length.length; k++) {
      const s = first + from[k]!;
      target.set(source.subarray(s, s + length[k]!), at + to[k]!);
    }
  else if (target instanceof Int32Array) copyRunsOfWords(target, at, source as Int32Array, first, runs);
  else copyRunsOfBytes(target, at, source as Uint8Array, first, runs);
}

function copyRunsOfWords(target: Int32Array, at: number, source: Int32Array, first: number, runs: Table): void {
  const { from, to, length } = runs;
  for (let k = 0; k < length.length; k++) {
    const [t, s, end] = [at + to[k]!, first + from[k]!, length[k]!];
    for (let i = 0; i < end; i++) target[t + i] = source[s + i]!;
  }
}

function copyRunsOfBytes(target: Uint8Array, at: number, source: Uint8Array, first: number, runs: Table): void {
  const { from, to, length } = runs;
  for (let k = 0; k < length.length; k++) {
    const [t, s, end] = [at + to[k]!, first + from[k]!, length[k]!];
    for (let i = 0; i < end; i++) target[t + i] = source[s + i]!;
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
  const [out, data] = [wordsOf(to), wordsOf(from)];
  let [source, target] = [words, words];
  const tables: Table[] = [];
  for (let axis = kept - 1; axis >= 0; axis--) {
    const last = axis === kept - 1;
    tables.unshift(tableOf(lists[axis]!, source, target, last ? words : 0, Math.max(out.length, data.length)));
    source *= shape[axis]!;
    target *= lists[axis]!.length;
  }
  const one = (length: number): Table => tableOf([0], 0, 0, length, 1);
  const runs = tables.pop() ?? one(words);
  const rows = tables.pop() ?? one(0);
  const walk = (axis: number, at: number, first: number): void => {
    const table = tables[axis];
    if (!table) copyRows(out, at, data, first, rows, runs);
    else for (let i = 0; i < table.from.length; i++) walk(axis + 1, at + table.to[i]!, first + table.from[i]!);
  };
  walk(0, 0, 0);
}
