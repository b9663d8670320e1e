// Generates the conv-integer family: the loop of the conv family, on pairs of 16-bit integers in place of floats.
import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  lane,
  load,
  type ModuleBuilder,
  op,
  set,
  splat,
  store,
  sum,
  when,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { ConvIntegerSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { convWords, panelOutputs } from "../conv/layout.ts";
import { listFor } from "../conv/list.ts";
import { clipped } from "../functions.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { integerShape, integerTile } from "./layout.ts";

interface Panel {
  name: string;
  /** Vectors of outputs that are summed at once, and outputs of the panel. */
  vectors: number;
  side: number;
}

/** How many pairs a turn of the inner loop takes. */
const unrollOf = (run: number): number => [4, 2].find((count) => run % count === 0) ?? 1;

export function integerVariant(spec: ConvIntegerSpec, { write }: StepBuffers, { wide }: CodeMode): string {
  const { run } = integerShape(spec);
  const result = `${spec.round ? "rounded " : ""}${write.dtype}`;
  return `conv i16 ${integerTile(write)} by ${unrollOf(run)} ${result}${wide ? " wide" : ""}`;
}

export function emitInteger(
  module: ModuleBuilder,
  name: string,
  spec: ConvIntegerSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const { panels, tail } = integerShape(spec);
  const [variant, tile, bytes] = [
    integerVariant(spec, buffers, mode),
    integerTile(buffers.write),
    bytesOf[buffers.write.dtype],
  ];
  const panel = (vectors: number, side: number): Panel => ({ name: `${variant} ${vectors}x${side}`, vectors, side });
  const whole = panels > 0 ? panel(mode.wide ? 4 : 2, panelOutputs) : undefined;
  const rest = tail > 0 ? panel(tail / 4, tail) : undefined;
  for (const one of [whole, rest]) if (one && !module.has(one.name)) emitPanel(module, one, spec, tile, bytes);
  const pointers = listFor(module, tile, false);
  defineKernel(module, name, (f, { rows, params, scratch: list, target, sources: [source, constants] }) => {
    const p = convWords.reader(params);
    const { tiles, weights, outOffset, left } = f.locals("i32", "tiles", "weights", "outOffset", "left");
    const sums = (one: Panel | undefined): Code[] => {
      if (!one) return [];
      const call = (first: number): Code =>
        module.call(
          one.name,
          ...[get(list), get(tiles), get(params), sum(get(weights), i32(first * 4))],
          sum(get(outOffset), i32(first * bytes)),
        );
      return Array.from({ length: one.side / 4 / one.vectors }, (_, i) => call(i * one.vectors * 4));
    };
    f.emit(
      // With no rows, everything is called once: so it is compiled.
      when(op("i32.eqz", get(rows)), ...sums(whole), ...sums(rest), [0x0f]),
      set(tiles, pointers({ rows, params, source, list, target, added: undefined })),
      set(weights, load("i32.load", get(constants))),
      ...(whole
        ? [
            set(left, p("panels")),
            whileLoop(
              get(left),
              ...sums(whole),
              bump(weights, p("panelBytes")),
              bump(outOffset, panelOutputs * bytes),
              bump(left, -1),
            ),
          ]
        : []),
      // A part of the outputs may end before the tail.
      ...(rest ? [when(p("tailBytes"), ...sums(rest))] : []),
    );
  });
}

/** Added to a small float, it leaves the nearest integer in the low bits: V8 joins no rounding instructions. */
export const rounder = 1.5 * 2 ** 23;
export const rounderBits = 0x4b400000;

/** (list, tiles, params, weights, offset of the outputs) */
function emitPanel(
  module: ModuleBuilder,
  { name, vectors, side }: Panel,
  spec: ConvIntegerSpec,
  tile: number,
  bytes: number,
): void {
  module.define(name, Array(5).fill("i32"), (f) => {
    const [list, tiles, params, weights, outOffset] = f.params as [Local, Local, Local, Local, Local];
    const p = convWords.reader(params);
    const pointers = f.array("i32", tile);
    const { b, end, ky, run } = f.locals("i32", "b", "end", "ky", "run");
    const sums = Array.from({ length: tile }, () => f.array("v128", vectors));
    const right = f.array("v128", vectors);
    const { leftSide, low, high } = f.locals("v128", "leftSide", "low", "high");
    const unroll = unrollOf(integerShape(spec).run);
    const all = sums.flat();
    const setPointers = (offset?: Local): Code[] =>
      pointers.map((x, i) => {
        const pointer = load("i32.load", get(list), i * 4);
        return set(x, offset ? sum(pointer, get(offset)) : pointer);
      });
    const element = (u: number): Code[] => [
      ...right.map((x, v) => set(x, load("v128.load", get(b), (u * side + v * 4) * 4))),
      ...pointers.flatMap((pointer, i) => [
        set(leftSide, load("v128.load32_splat", get(pointer), u * 4)),
        ...sums[i]!.map((x, v) =>
          set(x, op("i32x4.add", op("i32x4.dot_i16x8_s", get(leftSide), get(right[v]!)), get(x))),
        ),
      ]),
    ];
    f.emit(
      set(low, load("v128.load32_splat", get(params), convWords.bytes)),
      set(high, load("v128.load32_splat", get(params), convWords.bytes + 4)),
      whileLoop(
        get(tiles),
        ...sums.flatMap((row) => row.map((x, v) => set(x, load("v128.load", get(weights), v * 16)))),
        set(b, sum(get(weights), i32(2 * side * 4))),
        set(ky, p("kh")),
        doWhile(
          get(ky),
          ...setPointers(),
          set(run, p("runs")),
          doWhile(
            get(run),
            set(end, sum(get(pointers[0]!), p("runBytes"))),
            doWhile(
              op("i32.lt_u", get(pointers[0]!), get(end)),
              ...Array.from({ length: unroll }, (_, u) => element(u)).flat(),
              bump(b, unroll * side * 4),
              ...pointers.map((x) => bump(x, unroll * 4)),
            ),
            ...pointers.map((x) => bump(x, p("runBump"))),
            bump(run, -1),
          ),
          bump(list, tile * 4),
          bump(ky, -1),
        ),
        ...right.map((x, v) => set(x, load("v128.load", get(weights), (side + v * 4) * 4))),
        ...sums.flatMap((row) =>
          row.map((x, v) => set(x, op("f32x4.mul", op("f32x4.convert_i32x4_s", get(x)), get(right[v]!)))),
        ),
        ...(spec.round ? rounded(all, low, high, bytes === 2) : []),
        ...setPointers(outOffset),
        ...pointers.flatMap((pointer, i) => (bytes === 2 ? storeNarrow : storeWhole)(pointer, sums[i]!)),
        bump(list, tile * 4),
        bump(tiles, -1),
      ),
    );
  });
}

/** Within bounds, to the nearest integer: as floats, or as integers. Each step runs over all before the next. */
function rounded(all: readonly Local[], low: Local, high: Local, integers: boolean): Code[] {
  const magic = splat("f32x4", rounder);
  return [
    ...all.map((x) => set(x, clipped(get(x), get(low), get(high)))),
    ...all.map((x) => set(x, op("f32x4.add", get(x), magic))),
    ...all.map((x) =>
      set(x, integers ? op("i32x4.sub", get(x), splat("i32x4", rounderBits)) : op("f32x4.sub", get(x), magic)),
    ),
  ];
}

/** The +16 store first, as the joining pass of V8 wants it. */
const storeWhole = (pointer: Local, row: readonly Local[]): Code[] =>
  row.map((x, v) => store("v128.store", get(pointer), get(x), v * 16)).reverse();

/** Integers of 32 bits as such of 16. */
function storeNarrow(pointer: Local, row: readonly Local[]): Code[] {
  const narrow = (a: Local, b: Local): Code => op("i16x8.narrow_i32x4_s", get(a), get(b));
  if (row.length === 1)
    return [store("i64.store", get(pointer), lane("i64x2.extract_lane", 0, narrow(row[0]!, row[0]!)))];
  const pairs = row.filter((_, v) => v % 2 === 0);
  return pairs.map((x, pair) => store("v128.store", get(pointer), narrow(x, row[2 * pair + 1]!), pair * 16)).reverse();
}
