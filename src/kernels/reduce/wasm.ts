// Generates the code of reductions: of channels that stay apart, vectors of them side by side; of channels that become one,
// four vectors of partial results.
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
  select,
  set,
  splat,
  store,
  sum,
  when,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { BufferSpec, ReduceSpec } from "../../plan/types.ts";
import { isStill } from "../expression/wasm.ts";
import { exponential, numbersAfter, numbersIn } from "../functions.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { across, extreme } from "../lanes.ts";
import { wordsOf } from "../words.ts";

export const words = wordsOf(
  ...(["outer", "inner", "bytes", "blocks", "vectors", "rest", "from", "fromPixel", "to", "toPixel"] as const),
  ...(["centre", "centrePixel", "height", "group", "scale"] as const),
  // Bits of the lanes of a pixel's last vector that are channels; then of the first lane.
  ...(["mask0", "mask1", "mask2", "mask3", "one0", "one1", "one2", "one3"] as const),
);
const maskAt = 60;
/** What stands after the words: the numbers of the function. */
export const numbersOf = ({ map }: ReduceSpec): number[] =>
  map === "exp" ? numbersIn((numbers, some) => exponential(some, some, { relaxed: false, wide: false, numbers })) : [];
/** Pixels, or bytes of vectors, whose results stand by themselves before they join those of others. */
const block = { pixels: 64, bytes: 64 * 64 };

const folds: Readonly<Record<ReduceSpec["op"], (a: Code, b: Code) => Code>> = {
  sum: (a, b) => op("f32x4.add", a, b),
  product: (a, b) => op("f32x4.mul", a, b),
  max: (a, b) => extreme("max", a, b),
  min: (a, b) => extreme("min", a, b),
};
/** What a fold begins with. */
export const starts: Readonly<Record<ReduceSpec["op"], number>> = { sum: 0, product: 1, max: -Infinity, min: Infinity };

/** Vectors of channels side by side: the more there are, the fewer turns over pixels or rows. */
export function vectorsOf({ map }: ReduceSpec, { channels }: BufferSpec): number {
  const most = map === "exp" ? 2 : 4;
  return [4, 2, 1].find((vectors) => vectors <= most && channels % (4 * vectors) === 0)!;
}

export function emit(
  module: ModuleBuilder,
  name: string,
  spec: ReduceSpec,
  { reads: [, centre], write }: StepBuffers,
  codeMode: CodeMode,
): void {
  const { over, map } = spec;
  const apart = over === "pixels" || over === "rows";
  const count = apart ? vectorsOf(spec, write) : map === "exp" ? 2 : 4;
  const lower = (a: Code, b: Code): Code => select(op("i32.lt_u", a, b), a, b);
  defineKernel(module, name, (f, { rows, params, first, sources: [table, centres], target }) => {
    const p = words.reader(params);
    const mode = { ...codeMode, numbers: numbersAfter(params, words.bytes) };
    const names = ["a", "out", "c", "at", "outer", "inner", "stop", "pointer", "left", "to"] as const;
    const { a, out, c, at, outer, inner, stop, pointer, left, to } = f.locals("i32", ...names);
    const [values, parts, totals, middle] = [0, 1, 2, 3].map(() => f.array("v128", count)) as [
      Local[],
      Local[],
      Local[],
      Local[],
    ];
    const spares = map === "exp" ? f.array("v128", count) : [];
    const begin = (locals: readonly Local[]): Code[] =>
      locals.map((local) => set(local, splat("f32x4", starts[spec.op])));
    const fold = (into: readonly Local[], from: readonly Local[]): Code[] =>
      from.map((local, i) => set(into[i]!, folds[spec.op](get(into[i]!), get(local))));
    /** Loads neighbouring vectors from an address in a local, so that they can be joined, and what becomes of them. */
    const read = (address: Local, locals: readonly Local[]): Code[] => [
      ...locals.map((local, i) => set(local, load("v128.load", get(address), 16 * i))),
      ...(centre ? locals.map((local, i) => set(local, op("f32x4.sub", get(local), get(middle[i]!)))) : []),
      ...(map === "abs" ? locals.map((local) => set(local, op("f32x4.abs", get(local)))) : []),
      ...(map === "square" ? locals.map((local) => set(local, op("f32x4.mul", get(local), get(local)))) : []),
      ...(map === "exp" ? exponential(locals, spares, mode) : []),
    ];
    const scaled = (locals: readonly Local[]): Code[] =>
      locals.map((local) => set(local, op("f32x4.mul", get(local), load("v128.load32_splat", get(params), 56))));
    const centreAt = (vector: number): Code =>
      apart ? load("v128.load", get(to), 16 * vector) : load("v128.load32_splat", get(c));
    const centreLoads = centre
      ? [...(apart ? [set(to, sum(get(c), get(at)))] : []), ...middle.map((local, i) => set(local, centreAt(i)))]
      : [];

    const pixels = [
      set(pointer, sum(get(a), get(at))),
      set(inner, p("inner")),
      doWhile(
        get(inner),
        set(left, lower(get(inner), i32(block.pixels))),
        set(inner, op("i32.sub", get(inner), get(left))),
        ...begin(parts),
        doWhile(
          get(left),
          ...read(pointer, values),
          ...fold(parts, values),
          bump(pointer, p("fromPixel")),
          bump(left, -1),
        ),
        ...fold(totals, parts),
      ),
    ];
    const lines = [
      set(pointer, get(table)),
      set(left, lower(p("group"), op("i32.sub", p("height"), op("i32.mul", get(first), p("group"))))),
      doWhile(
        get(left),
        set(to, sum(load("i32.load", get(pointer)), sum(get(a), get(at)))),
        ...read(to, values),
        ...fold(totals, values),
        bump(pointer, 4),
        bump(left, -1),
      ),
    ];
    const channelsApart = [
      set(at, i32(0)),
      doWhile(
        op("i32.lt_u", get(at), p("bytes")),
        ...centreLoads,
        ...begin(totals),
        ...(over === "pixels" ? pixels : lines),
        set(to, sum(get(out), get(at))),
        ...scaled(totals),
        ...totals.map((local, i) => store("v128.store", get(to), get(local), 16 * i)),
        bump(at, 16 * count),
      ),
      bump(a, p("fromPixel")),
    ];
    const one = values.slice(0, 1);
    const along = set(pointer, sum(get(a), get(at)));
    const masked = op(
      "v128.bitselect",
      get(one[0]!),
      splat("f32x4", starts[spec.op]),
      load("v128.load", get(params), maskAt),
    );
    const channelsInOne = [
      ...centreLoads,
      ...begin(totals),
      set(inner, p("inner")),
      doWhile(
        get(inner),
        set(at, i32(0)),
        whileLoop(
          op("i32.lt_u", get(at), p("blocks")),
          set(stop, lower(sum(get(at), i32(block.bytes)), p("blocks"))),
          ...begin(parts),
          doWhile(
            op("i32.lt_u", get(at), get(stop)),
            along,
            ...read(pointer, values),
            ...fold(parts, values),
            bump(at, 16 * count),
          ),
          ...fold(totals, parts),
        ),
        whileLoop(
          op("i32.lt_u", get(at), p("vectors")),
          along,
          ...read(pointer, one),
          ...fold(totals, one),
          bump(at, 16),
        ),
        when(p("rest"), along, ...read(pointer, one), set(one[0]!, masked), ...fold(totals, one)),
        bump(a, p("fromPixel")),
        bump(inner, -1),
      ),
      ...totals.slice(1).map((local) => set(totals[0]!, folds[spec.op](get(totals[0]!), get(local)))),
      ...across(folds[spec.op], totals[0]!),
      ...scaled(totals.slice(0, 1)),
      store("v128.store", get(out), op("v128.and", get(totals[0]!), load("v128.load", get(params), maskAt + 16))),
    ];
    f.emit(
      whileLoop(
        get(rows),
        // Of many rows, offsets in each.
        set(a, over === "rows" ? p("from") : sum(load("i32.load", get(table)), p("from"))),
        set(out, sum(load("i32.load", get(target)), p("to"))),
        ...(centre ? [set(c, sum(load("i32.load", get(centres)), p("centre")))] : []),
        set(outer, p("outer")),
        doWhile(
          get(outer),
          ...(apart ? channelsApart : channelsInOne),
          bump(out, p("toPixel")),
          ...(centre ? [bump(c, p("centrePixel"))] : []),
          bump(outer, -1),
        ),
        ...(centre && !isStill(centre) ? [bump(centres, 4)] : []),
        bump(table, over === "rows" ? op("i32.shl", p("group"), i32(2)) : 4),
        bump(first, 1),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}
