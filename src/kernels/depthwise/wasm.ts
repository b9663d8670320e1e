// Generates the depthwise family: a few neighbouring pixels of a block of channels at a time, channels innermost, since
// that is how pixels stand in memory. The last pixels of a row are computed together with some before them once more.

import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  sum,
  when,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { DepthwiseSpec } from "../../plan/types.ts";
import { activateLanes } from "../activation.ts";
import { type CodeMode, defineKernel, pixelsOf, type StepBuffers } from "../kernel.ts";
import { multiplyAdd } from "../lanes.ts";
import { depthwiseWords } from "./layout.ts";

/** Filters up to so many rows are unrolled; taller ones are a loop. */
const unrolledRows = 5;
/** Taps of a row that are held in registers at a time. */
const heldTaps = 9;

/** Vectors of neighbouring channels, and pixels, that are summed at once. */
export function depthwiseVariant(
  { strides, size, phase }: DepthwiseSpec,
  { reads, write }: StepBuffers,
  { wide }: CodeMode,
): { vectors: number; tile: number; side: number } {
  const side = Math.min(8, reads[0]!.channels);
  const width = phase?.count ?? pixelsOf(write);
  return { vectors: wide && side === 8 ? 2 : 1, tile: Math.min(width, strides[1] > 1 && size[1] > 1 ? 3 : 4), side };
}

export function emitDepthwise(
  module: ModuleBuilder,
  name: string,
  spec: DepthwiseSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const { vectors, tile, side } = depthwiseVariant(spec, buffers, mode);
  const [kh, kw] = spec.size;
  const unrolled = kh <= unrolledRows;
  defineKernel(module, name, (f, { rows, params, sources: [source, constants], target }) => {
    const p = depthwiseWords.reader(params);
    const { x, left, out, outEnd, weights, member, inAt, outAt, table, ky, from, step, at } = f.locals(
      "i32",
      ...([
        "x",
        "left",
        "out",
        "outEnd",
        "weights",
        "member",
        "inAt",
        "outAt",
        "table",
        "ky",
        "from",
        "step",
        "at",
      ] as const),
    );
    const starts = f.array("i32", unrolled ? kh : 1);
    const columns = distinctColumns(spec, tile);
    const offsets = columns.map((column) => (column === 0 ? undefined : f.local("i32")));
    const outSteps = Array.from({ length: tile }, (_, i) => (i === 0 ? undefined : f.local("i32")));
    const sums = Array.from({ length: tile }, () => f.array("v128", vectors));
    const taps = Array.from({ length: Math.min(kw, heldTaps) }, () => f.array("v128", vectors));
    const [value, spares] = [f.array("v128", vectors), f.array("v128", 2 * tile * vectors)];
    const plus = (base: Code, offset: Local | undefined): Code => (offset ? sum(base, get(offset)) : base);

    /** One row of the window: its taps into registers, then each column of pixels to all sums that it belongs to. */
    const windowRow = (start: Local, weightOffset: number, half: number): Code[] =>
      chunks(kw, heldTaps).flatMap(({ first, count }) => [
        ...taps
          .slice(0, count)
          .flatMap((tap, k) =>
            tap.map((t, v) =>
              set(t, load("v128.load", get(weights), weightOffset + (first + k) * side * 4 + half * 16 + v * 16)),
            ),
          ),
        ...columns.flatMap((column, j) => {
          const uses = sums.flatMap((pixel, i) => {
            const tap = (column - i * spec.strides[1]) / spec.dilations[1] - first;
            return Number.isInteger(tap) && tap >= 0 && tap < count ? [{ pixel, tap: taps[tap]! }] : [];
          });
          if (uses.length === 0) return [];
          return [
            // One address for all: V8 joins only what it sees to be neighbours.
            set(at, plus(get(start), offsets[j])),
            ...value.map((x, v) => set(x, load("v128.load", get(at), half * 16 + v * 16))),
            ...uses.flatMap(({ pixel, tap }) =>
              pixel.map((x, v) => set(x, multiplyAdd("f32", mode, get(value[v]!), get(tap[v]!), get(x)))),
            ),
          ];
        }),
      ]);
    const rowBytes = kw * side * 4;
    const block = (half: number): Code[] => [
      ...sums.flatMap((pixel) => pixel.map((x, v) => set(x, load("v128.load", get(weights), half * 16 + v * 16)))),
      ...(unrolled
        ? starts.flatMap((start, k) => windowRow(start, side * 4 + k * rowBytes, half))
        : [
            set(table, get(source)),
            set(ky, p("kh")),
            doWhile(
              get(ky),
              set(starts[0]!, sum(load("i32.load", get(table)), get(from))),
              ...windowRow(starts[0]!, side * 4, half),
              bump(weights, rowBytes),
              bump(table, p("tableStep")),
              bump(ky, -1),
            ),
            bump(weights, op("i32.mul", p("kh"), i32(-rowBytes))),
          ]),
      ...activateLanes(spec.activation, sums.flat(), spares, mode),
      ...sums.flatMap((pixel, i) => [
        set(at, plus(get(out), outSteps[i])),
        ...pixel.map((x, v) => store("v128.store", get(at), get(x), half * 16 + v * 16)).reverse(),
      ]),
    ];
    const halves = side / 4 / vectors;
    const setStarts = unrolled
      ? starts.map((start, k) =>
          set(
            start,
            sum(load("i32.load", sum(get(source), op("i32.mul", p("tableStep"), i32(k)))), p("inOffset"), get(inAt)),
          ),
        )
      : [set(from, sum(p("inOffset"), get(inAt)))];
    const moving = unrolled ? starts : [from];
    const blockBytes = unrolled
      ? i32((kh * kw + 1) * side * 4)
      : sum(op("i32.mul", p("kh"), i32(rowBytes)), i32(side * 4));
    f.emit(
      ...offsets.flatMap((local, j) => (local ? [set(local, op("i32.mul", p("column"), i32(columns[j]!)))] : [])),
      ...outSteps.flatMap((local, i) => (local ? [set(local, op("i32.mul", p("outStep"), i32(i)))] : [])),
      set(step, p("channels")),
      whileLoop(
        get(rows),
        set(inAt, i32(0)),
        set(outAt, i32(0)),
        set(left, p("width")),
        doWhile(
          get(left),
          set(weights, load("i32.load", get(constants))),
          set(member, p("members")),
          set(out, sum(load("i32.load", get(target)), p("outOffset"), get(outAt))),
          doWhile(
            get(member),
            ...setStarts,
            set(outEnd, sum(get(out), get(step))),
            doWhile(
              op("i32.lt_u", get(out), get(outEnd)),
              ...Array.from({ length: halves }, (_, half) => block(half)).flat(),
              ...moving.map((start) => bump(start, side * 4)),
              bump(out, side * 4),
              bump(weights, blockBytes),
            ),
            bump(member, -1),
          ),
          // The next pixels; the last few begin so early that they fill a tile.
          bump(left, -tile),
          set(x, get(left)),
          when(op("i32.gt_u", get(x), i32(tile)), set(x, i32(tile))),
          bump(inAt, op("i32.mul", p("inStep"), get(x))),
          bump(outAt, op("i32.mul", p("outStep"), get(x))),
          when(get(x), when(op("i32.lt_u", get(left), i32(tile)), set(left, i32(tile)))),
        ),
        bump(source, p("rowStep")),
        bump(target, p("targetStep")),
        bump(rows, -1),
      ),
    );
  });
}

/** The columns of pixels, from the first of a tile, that its outputs see. */
function distinctColumns({ size, strides, dilations }: DepthwiseSpec, tile: number): number[] {
  const all = Array.from({ length: tile }, (_, i) =>
    Array.from({ length: size[1] }, (_, k) => i * strides[1] + k * dilations[1]),
  );
  return [...new Set(all.flat())].sort((a, b) => a - b);
}

const chunks = (count: number, most: number): { first: number; count: number }[] =>
  Array.from({ length: Math.ceil(count / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, count - i * most),
  }));
