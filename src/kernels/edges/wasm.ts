// Generates the edges family: eight pixels at a time. Gradients of three rows stand in a ring of scratch; each row of results
// makes one more and thins the one before it.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  ifElse,
  type Local,
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
import type { BufferSpec, EdgesSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { defineKernel, type StepBuffers } from "../kernel.ts";
import { loadVectors, scaled } from "../lanes.ts";
import { highAt, lowAt, margin, tangents, words, zeros } from "./layout.ts";

/** What both parts of the code use. */
interface Parts {
  f: FunctionBuilder;
  params: Local;
  /** Reads a word of the parameters. */
  p: ReturnType<typeof words.reader>;
  /** Counts elements. */
  i: Local;
  whole: boolean;
  norm: EdgesSpec["norm"];
}

export function emit(
  module: ModuleBuilder,
  name: string,
  { norm, arithmetic }: EdgesSpec,
  { reads: [input] }: StepBuffers,
): void {
  const whole = arithmetic === "i16";
  defineKernel(module, name, (f, { rows, params, first, scratch, sources: [source], target }) => {
    const { i, y, above, own, below } = f.locals("i32", "i", "y", "above", "own", "below");
    const parts: Parts = { f, params, p: words.reader(params), i, whole, norm };
    const rowBytes = op("i32.mul", parts.p("ring"), i32(3));
    f.emit(
      set(y, op("i32.sub", get(first), i32(1))),
      set(above, get(scratch)),
      set(own, sum(get(above), rowBytes)),
      set(below, sum(get(own), rowBytes)),
      // Two rows come before the first that is written. With no rows, nothing: the first call only compiles.
      set(rows, sum(get(rows), op("i32.shl", op("i32.ne", get(rows), i32(0)), i32(1)))),
      whileLoop(
        get(rows),
        ifElse(
          op("i32.le_u", get(y), parts.p("last")),
          differentiate(parts, source, below, input!),
          clear(parts, below),
        ),
        when(
          op("i32.gt_s", get(y), get(first)),
          thin(parts, [above, own, below], target, input!.channels),
          bump(target, 4),
        ),
        set(i, get(above)),
        set(above, get(own)),
        set(own, get(below)),
        set(below, get(i)),
        bump(source, 4),
        bump(y, 1),
        bump(rows, -1),
      ),
    );
  });
}

/** Norms of a row outside the picture. */
const clear = ({ p, i }: Parts, row: Local): Code => [
  set(i, i32(0)),
  doWhile(
    op("i32.lt_u", get(i), p("ring")),
    store("v128.store", sum(get(row), get(i)), splat("i32x4", 0)),
    bump(i, 16),
  ),
];

/** Both derivatives of the row between the second and the third of a table, and their norms. */
function differentiate({ f, p, i, whole, norm }: Parts, source: Local, row: Local, input: BufferSpec): Code {
  const { dtype, channels } = input;
  const arithmetic = whole ? "i16" : "f32";
  const count = whole ? 1 : 2;
  const shape = whole ? "i16x8" : "f32x4";
  const { at, to, side } = f.locals("i32", "at", "to", "side");
  const spare = f.local("v128");
  const [a, m, r, u, v, gx, gy] = Array.from({ length: 7 }, () => f.array("v128", count));
  const pixels = (table: number, pixel: number, into: Local[]): Code => [
    set(at, sum(load("i32.load", get(source), table * 4), scaled(get(i), bytesOf[dtype]))),
    loadVectors(dtype, arithmetic, get(at), into, spare, pixel * channels * bytesOf[dtype]),
  ];
  const each = (into: Local[], value: (k: number) => Code): Code => into.map((local, k) => set(local, value(k)));
  const add = (x: Code, y: Code): Code => op(`${shape}.add`, x, y);
  const sub = (x: Code, y: Code): Code => op(`${shape}.sub`, x, y);
  const twice = (x: Local): Code => add(get(x), get(x));
  const abs = (x: Local): Code => op(`${shape}.abs`, get(x));
  return [
    set(i, i32(0)),
    // Zeros beside the first pixel.
    store("v128.store", get(row), splat("i32x4", 0)),
    doWhile(
      op("i32.lt_u", get(i), p("elements")),
      // x: the outer rows, then the middle one.
      pixels(0, 0, a!),
      pixels(0, 2, r!),
      pixels(2, 0, u!),
      pixels(2, 2, v!),
      each(gx!, (k) => add(sub(get(r![k]!), get(a![k]!)), sub(get(v![k]!), get(u![k]!)))),
      each(gy!, (k) => add(sub(get(u![k]!), get(a![k]!)), sub(get(v![k]!), get(r![k]!)))),
      pixels(1, 0, a!),
      pixels(1, 2, r!),
      each(m!, (k) => sub(get(r![k]!), get(a![k]!))),
      each(gx!, (k) => add(get(gx![k]!), twice(m![k]!))),
      pixels(0, 1, a!),
      pixels(2, 1, r!),
      each(m!, (k) => sub(get(r![k]!), get(a![k]!))),
      each(gy!, (k) => add(get(gy![k]!), twice(m![k]!))),
      set(to, sum(get(row), scaled(get(i), 4))),
      norms(whole, norm, gx!, gy!, abs).map((value, k) => store("v128.store", get(to), value, margin + 16 * k)),
      set(side, sum(get(row), p("ring"), scaled(get(i), whole ? 2 : 4))),
      gx!.map((x, k) => store("v128.store", get(side), get(x), 16 * k)),
      set(side, sum(get(side), p("ring"))),
      gy!.map((y, k) => store("v128.store", get(side), get(y), 16 * k)),
      bump(i, 8),
    ),
    // And from the last on, as many as there are bits.
    set(to, sum(get(row), scaled(p("elements"), 4))),
    Array.from({ length: zeros }, (_, k) => store("v128.store", get(to), splat("i32x4", 0), margin + 16 * k)),
  ];
}

/** Eight norms in 32 bits each. */
function norms(whole: boolean, norm: EdgesSpec["norm"], gx: Local[], gy: Local[], abs: (x: Local) => Code): Code[] {
  if (!whole) {
    const square = (x: Local): Code => op("f32x4.mul", get(x), get(x));
    const part = norm === "l1" ? abs : square;
    return gx.map((x, k) => op("f32x4.add", part(x), part(gy[k]!)));
  }
  return ["low", "high"].map((half) => {
    const square = (x: Local): Code => op(`i32x4.extmul_${half}_i16x8_s`, get(x), get(x));
    const size = (x: Local): Code => op(`i32x4.extend_${half}_i16x8_u`, abs(x));
    const part = norm === "l1" ? size : square;
    return op("i32x4.add", part(gx[0]!), part(gy[0]!));
  });
}

/** A row of results from the norms of three rows and the derivatives of the middle one: eight bits of each half. */
function thin(
  { f, params, p, i, whole }: Parts,
  rows: readonly [Local, Local, Local],
  target: Local,
  channels: number,
): Code {
  const shape = whole ? "i32x4" : "f32x4";
  const compare = (name: "gt" | "ge", a: Code, b: Code): Code => op(`${shape}.${name}${whole ? "_s" : ""}`, a, b);
  const { out, above, own, below, gx, gy } = f.locals("i32", "out", "above", "own", "below", "gx", "gy");
  const [low, high] = f.array("v128", 2) as [Local, Local];
  const found = f.array("v128", 2);
  const test = Array.from({ length: 2 }, () => f.array("v128", 9));
  const addresses = [above, own, below];
  const normAt = (row: number, pixel: number, half: number): Code =>
    load("v128.load", get(addresses[row]!), margin + 16 * half + pixel * channels * 4);
  const block = [
    ...addresses.map((at, k) => set(at, sum(get(rows[k]!), scaled(get(i), 4)))),
    ...found.map((any, half) => set(any, compare("gt", normAt(1, 0, half), get(low)))),
    ifElse(
      op("v128.any_true", op("v128.or", get(found[0]!), get(found[1]!))),
      [
        set(gx, sum(get(rows[1]), p("ring"), scaled(get(i), whole ? 2 : 4))),
        set(gy, sum(get(gx), p("ring"))),
        ...found.map((any, half) => [
          crest({ whole, compare }, test[half]!, [gx, gy], half, normAt),
          set(any, op("v128.and", get(any), get(test[half]![0]!))),
          set(test[half]![0]!, op("v128.and", get(any), compare("gt", normAt(1, 0, half), get(high)))),
        ]),
        store("i32.store8", get(out), bits(test.map(([strong]) => strong!))),
        store("i32.store8", sum(get(out), p("bytes")), bits(found)),
      ],
      [store("i32.store8", get(out), i32(0)), store("i32.store8", sum(get(out), p("bytes")), i32(0))],
    ),
    bump(out, 1),
    bump(i, 8),
  ];
  return [
    set(low, load("v128.load32_splat", get(params), lowAt)),
    set(high, load("v128.load32_splat", get(params), highAt)),
    set(out, load("i32.load", get(target))),
    set(i, i32(0)),
    doWhile(op("i32.lt_u", get(i), p("all")), ...block),
  ];
}

/** A byte of the signs of eight lanes. */
const bits = ([low, high]: Local[]): Code =>
  op("i32.or", op("i32x4.bitmask", get(low!)), op("i32.shl", op("i32x4.bitmask", get(high!)), i32(4)));

/** Sets the first local to where four norms are greater than their two neighbours along the gradient. */
function crest(
  { whole, compare }: { whole: boolean; compare: (name: "gt" | "ge", a: Code, b: Code) => Code },
  locals: Local[],
  [gx, gy]: [Local, Local],
  half: number,
  normAt: (row: number, pixel: number, half: number) => Code,
): Code {
  const [result, x, y, width, flat, steep, apart, before, after] = locals as [
    Local, Local, Local, Local, Local, Local, Local, Local, Local,
  ]; // biome-ignore format: a line
  const derivative = (at: Local): Code =>
    whole ? load("v128.load16x4_s", get(at), 8 * half) : load("v128.load", get(at), 16 * half);
  const choose = (mask: Local, then: Code, otherwise: Code): Code => op("v128.bitselect", then, otherwise, get(mask));
  const angle = whole
    ? [
        set(y, op("i32x4.shl", op("i32x4.abs", get(y)), i32(tangents.shift))),
        set(x, op("i32x4.abs", get(x))),
        set(width, op("i32x4.mul", get(x), splat("i32x4", tangents.whole))),
        set(flat, op("i32x4.gt_s", get(width), get(y))),
        set(steep, op("i32x4.gt_u", get(y), op("i32x4.add", get(width), op("i32x4.shl", get(x), i32(tangents.shift + 1))))),
      ] // biome-ignore format: short lines
    : [
        set(y, op("f32x4.abs", get(y))),
        set(x, op("f32x4.abs", get(x))),
        set(flat, op("f32x4.lt", get(y), op("f32x4.mul", get(x), splat("f32x4", tangents.least)))),
        set(steep, op("f32x4.gt", get(y), op("f32x4.mul", get(x), splat("f32x4", tangents.most)))),
      ];
  const neighbour = (row: number, side: number): Code =>
    choose(flat, normAt(1, side, half), choose(steep, normAt(row, 0, half), choose(apart, normAt(row, -side, half), normAt(row, side, half)))); // biome-ignore format: a line
  return [
    set(x, derivative(gx)),
    set(y, derivative(gy)),
    // Where the signs differ, the gradient runs from the upper right to the lower left, or back.
    set(apart, op("i32x4.shr_s", op("v128.xor", get(x), get(y)), i32(31))),
    ...angle,
    set(before, neighbour(0, -1)),
    set(after, neighbour(2, 1)),
    set(width, normAt(1, 0, half)),
    // Of two equal ones along an axis the first counts; of two along a diagonal none, as in OpenCV.
    set(result, op("v128.and", compare("ge", get(width), get(after)), op("v128.or", get(flat), get(steep)))),
    set(result, op("v128.or", get(result), compare("gt", get(width), get(after)))),
    set(result, op("v128.and", get(result), compare("gt", get(width), get(before)))),
  ];
}
