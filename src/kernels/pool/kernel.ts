// The pool family: the largest value or the mean of windows, channels innermost; windows are cut where they leave the input.

import {
  bump,
  type Code,
  doWhile,
  f32,
  get,
  i32,
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
import type { PoolSpec } from "../../plan/types.ts";
import { defineKernel, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { wordsOf } from "../words.ts";

function reference(spec: PoolSpec, [input]: Rows[], write: Rows, rows: number, first: number): void {
  const { size, strides, dilations, pads, height, width: inWidth } = spec;
  const { left = 0, channels } = write.spec;
  const inside = (axis: 0 | 1, at: number, side: number): number[] => {
    const all = Array.from({ length: size[axis] }, (_, k) => at * strides[axis] - pads[axis] + k * dilations[axis]);
    return all.filter((i) => i >= 0 && i < side);
  };
  for (let y = 0; y < rows; y++) {
    const ys = inside(0, first + y, height);
    const out = write.row(y);
    for (let x = 0; x < pixelsOf(write.spec); x++) {
      const xs = inside(1, x, inWidth);
      for (let c = 0; c < channels; c++) {
        const values = ys.flatMap((row) =>
          xs.map((column) => {
            const from = input!.row(row - (first * strides[0] - pads[0]));
            return from[((input!.spec.left ?? 0) + column) * channels + c]!;
          }),
        );
        const count = spec.countOutside ? size[0] * size[1] : values.length;
        const mean = values.reduce((a, b) => a + b, 0) / count;
        // Math.max keeps a NaN.
        out[(left + x) * channels + c] = spec.op === "max" ? Math.max(...values) : mean;
      }
    }
  }
}

const words = wordsOf(
  ...(["pixels", "inLeft", "inPixel", "inWidth", "height", "kh", "kw", "strideY", "strideX"] as const),
  ...(["dilationY", "dilationX", "padTop", "padLeft", "outOffset", "outPixel", "area"] as const),
);

function params({ size, strides, dilations, pads, ...spec }: PoolSpec, { reads, write }: StepBuffers): Uint8Array {
  const { channels, left = 0 } = reads[0]!;
  return words.pack({
    pixels: pixelsOf(write),
    ...{ inLeft: left * channels * 4, inPixel: channels * 4, inWidth: spec.width, height: spec.height },
    ...{ kh: size[0], kw: size[1], strideY: strides[0], strideX: strides[1] },
    ...{ dilationY: dilations[0], dilationX: dilations[1], padTop: pads[0], padLeft: pads[1] },
    ...{ outOffset: (write.left ?? 0) * write.channels * 4, outPixel: write.channels * 4, area: size[0] * size[1] },
  });
}

/** Windows of so many pixels at most have code of their own, for where they lie inside the input. */
export const mostUnrolled = 16;

const isUnrolled = ({ size }: PoolSpec): boolean => size[0] * size[1] <= mostUnrolled;
/** Vectors of channels at a time: pairs, which can be joined, where all channels are such. */
const vectorsOf = ({ write }: StepBuffers): number => (write.channels % 8 === 0 ? 2 : 1);

function emit(module: ModuleBuilder, name: string, spec: PoolSpec, buffers: StepBuffers): void {
  const isMax = spec.op === "max";
  const combined = (a: Code, b: Code): Code => op(isMax ? "f32x4.max" : "f32x4.add", a, b);
  const vectors = vectorsOf(buffers);
  defineKernel(module, name, (f, { rows, params, first, sources: [table], target }) => {
    const p = words.reader(params);
    const times = (a: Code, b: Code): Code => op("i32.mul", a, b);
    const { y, x, left, top, side, ky, kx, out, at, count, column, row, whole } = f.locals(
      "i32",
      ...(["y", "x", "left", "top", "side", "ky", "kx", "out", "at", "count", "column", "row", "whole"] as const),
    );
    const { value, scale } = f.locals("v128", "value", "scale");
    const inside = (index: Code, end: Code): Code => op("i32.lt_u", index, end);
    const pixel = [
      set(column, sum(get(side), times(get(kx), p("dilationX")))),
      when(
        inside(get(column), p("inWidth")),
        bump(count, 1),
        set(column, sum(get(row), times(get(column), p("inPixel")), get(at))),
        set(value, combined(get(value), load("v128.load", get(column)))),
      ),
      bump(kx, 1),
    ];
    const windowRow = [
      when(
        inside(sum(get(top), times(get(ky), p("dilationY"))), p("height")),
        set(row, sum(load("i32.load", sum(get(table), times(times(get(ky), p("dilationY")), i32(4)))), p("inLeft"))),
        set(kx, i32(0)),
        doWhile(op("i32.lt_u", get(kx), p("kw")), ...pixel),
      ),
      bump(ky, 1),
    ];
    const divisor = spec.countOutside ? p("area") : get(count);
    const mean = [
      set(scale, op("f32x4.splat", op("f32.div", f32(1), op("f32.convert_i32_u", divisor)))),
      set(value, op("f32x4.mul", get(value), get(scale))),
    ];
    const lines = f.array("i32", isUnrolled(spec) ? spec.size[0] : 0);
    const columns = f.array("i32", isUnrolled(spec) ? spec.size[1] : 0);
    const values = f.array("v128", vectors);
    /** Whether a window's first and last pixel along an axis lie inside; unsigned, what lies before is far beyond. */
    const lies = (start: Code, last: Code, end: Code): Code =>
      op("i32.and", inside(start, end), inside(sum(start, last), end));
    const across = times(i32(spec.size[1] - 1), p("dilationX"));
    const down = times(i32(spec.size[0] - 1), p("dilationY"));
    const rowPointers = lines.map((line, k) =>
      set(line, load("i32.load", sum(get(table), times(i32(4 * k), p("dilationY"))))),
    );
    // In locals: neighbours of the same address are joined.
    const { tap, to } = f.locals("i32", "tap", "to");
    const taps = lines.flatMap((line) => columns.map((from) => sum(get(line), get(from))));
    const tapped = (v: number): Code => load("v128.load", get(tap), 16 * v);
    const unrolled = [
      ...columns.map((from, k) =>
        set(from, sum(times(sum(get(side), times(i32(k), p("dilationX"))), p("inPixel")), p("inLeft"))),
      ),
      ...(isMax ? [] : [set(scale, op("f32x4.splat", op("f32.div", f32(1), f32(spec.size[0] * spec.size[1]))))]),
      doWhile(
        op("i32.lt_u", get(at), get(left)),
        ...taps.flatMap((address, i) => [
          set(tap, address),
          ...values.map((local, v) => set(local, i === 0 ? tapped(v) : combined(get(local), tapped(v)))),
        ]),
        ...(isMax ? [] : values.map((local) => set(local, op("f32x4.mul", get(local), get(scale))))),
        set(to, sum(get(out), get(at))),
        ...values.map((local, v) => store("v128.store", get(to), get(local), 16 * v)),
        ...columns.map((from) => bump(from, 16 * vectors)),
        bump(at, 16 * vectors),
      ),
    ];
    f.emit(
      set(y, get(first)),
      whileLoop(
        get(rows),
        set(top, op("i32.sub", times(get(y), p("strideY")), p("padTop"))),
        set(side, op("i32.sub", i32(0), p("padLeft"))),
        ...(isUnrolled(spec) ? [set(whole, lies(get(top), down, p("height"))), when(get(whole), ...rowPointers)] : []),
        set(out, sum(load("i32.load", get(target)), p("outOffset"))),
        set(x, p("pixels")),
        doWhile(
          get(x),
          set(at, i32(0)),
          set(left, p("outPixel")),
          // Nothing is left to the loop below where the window lies inside.
          ...(isUnrolled(spec)
            ? [when(op("i32.and", get(whole), lies(get(side), across, p("inWidth"))), ...unrolled)]
            : []),
          whileLoop(
            op("i32.lt_u", get(at), get(left)),
            set(value, splat("f32x4", isMax ? -Infinity : 0)),
            set(count, i32(0)),
            set(ky, i32(0)),
            doWhile(op("i32.lt_u", get(ky), p("kh")), ...windowRow),
            ...(isMax ? [] : mean),
            store("v128.store", sum(get(out), get(at)), get(value)),
            bump(at, 16),
          ),
          bump(side, p("strideX")),
          bump(out, p("outPixel")),
          bump(x, -1),
        ),
        bump(y, 1),
        bump(table, times(p("strideY"), i32(4))),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

export const pool: Kernel<PoolSpec> = {
  family: "pool",
  describe: ({ op, size }) => `${op} of ${size.join(" x ")}`,
  reference,
  entry: (spec, buffers) =>
    [
      ...["pool", spec.op, spec.countOutside && "all"],
      isUnrolled(spec) && `${spec.size.join(" x ")}, ${vectorsOf(buffers)} vectors`,
    ]
      .filter(Boolean)
      .join(" "),
  emit: (module, name, spec, buffers) => emit(module, name, spec, buffers),
  work: ({ size }, { write: { width, channels } }) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, additions: size[0] * size[1] * width * channels },
    serialAdditions: 0,
  }),
  params,
  overrun: { elements: 0, rows: 0 },
};
