// The elementwise family: values by themselves or in pairs, and copies of some channels beside others.

import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  load,
  type ModuleBuilder,
  op,
  set,
  splat,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { ElementwiseSpec } from "../../plan/types.ts";
import { activate, activateLanes, activationName } from "../activation.ts";
import { type CodeMode, defineKernel, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { wordsOf } from "../words.ts";

const formulas: Record<ElementwiseSpec["op"], (a: number, b: number) => number> = {
  copy: (a) => a,
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  prelu: (a, b) => (a < 0 ? a * b : a),
};

function reference(spec: ElementwiseSpec, [first, second]: Rows[], write: Rows, rows: number): void {
  const { left = 0, channels } = write.spec;
  for (let y = 0; y < rows; y++) {
    const [a, b, out] = [first!.row(y * spec.strides[0]), second?.row(spec.broadcast ? 0 : y), write.row(y)];
    for (let x = 0; x < pixelsOf(write.spec); x++) {
      const from = ((first!.spec.left ?? 0) + x * spec.strides[1]) * first!.spec.channels;
      const other = second ? ((second.spec.left ?? 0) + (spec.broadcast ? 0 : x)) * second.spec.channels : 0;
      const to = (left + x) * channels + spec.offset;
      for (let c = 0; c < spec.channels; c++) {
        out[to + c] = activate(spec.activation, formulas[spec.op](a[from + c]!, b?.[other + c] ?? 0));
      }
    }
  }
}

const words = wordsOf("pixels", "bytes", "aOffset", "aStep", "bOffset", "bStep", "outOffset", "outStep");

function params(spec: ElementwiseSpec, { reads, write }: StepBuffers): Uint8Array {
  const [a, b] = [reads[0]!, reads[1] ?? reads[0]!];
  const [from, other, to] = [a.channels * 4, b.channels * 4, write.channels * 4];
  return words.pack({
    pixels: pixelsOf(write),
    // Whole vectors: what lies beyond the channels is padding, or written by a later step.
    bytes: Math.ceil(spec.channels / 4) * 16,
    ...{ aOffset: (a.left ?? 0) * from, aStep: spec.strides[1] * from },
    ...{ bOffset: (b.left ?? 0) * other, bStep: spec.broadcast ? 0 : other },
    ...{ outOffset: (write.left ?? 0) * to + spec.offset * 4, outStep: to },
  });
}

function emit(module: ModuleBuilder, name: string, spec: ElementwiseSpec, mode: CodeMode): void {
  const pair = spec.op !== "copy";
  defineKernel(module, name, (f, { rows, params, sources: [tableA, tableB], target }) => {
    const { a, b, out, pixels, at, end } = f.locals("i32", "a", "b", "out", "pixels", "at", "end");
    const { x, y, spare, more } = f.locals("v128", "x", "y", "spare", "more");
    const p = words.reader(params);
    const zero = splat("f32x4", 0);
    const negative = (): Code => op("f32x4.mul", op("f32x4.min", get(x), zero), get(y));
    const combined: Record<ElementwiseSpec["op"], () => Code> = {
      copy: () => get(x),
      add: () => op("f32x4.add", get(x), get(y)),
      sub: () => op("f32x4.sub", get(x), get(y)),
      mul: () => op("f32x4.mul", get(x), get(y)),
      prelu: () => op("f32x4.add", op("f32x4.max", get(x), zero), negative()),
    };
    f.emit(
      whileLoop(
        get(rows),
        set(a, sum(load("i32.load", get(tableA)), p("aOffset"))),
        ...(pair ? [set(b, sum(load("i32.load", get(tableB)), p("bOffset")))] : []),
        set(out, sum(load("i32.load", get(target)), p("outOffset"))),
        set(pixels, p("pixels")),
        set(end, p("bytes")),
        doWhile(
          get(pixels),
          set(at, i32(0)),
          doWhile(
            op("i32.lt_u", get(at), get(end)),
            set(x, load("v128.load", sum(get(a), get(at)))),
            ...(pair ? [set(y, load("v128.load", sum(get(b), get(at))))] : []),
            set(x, combined[spec.op]()),
            ...activateLanes(spec.activation, [x], [spare, more], mode),
            store("v128.store", sum(get(out), get(at)), get(x)),
            bump(at, 16),
          ),
          bump(a, p("aStep")),
          ...(pair ? [bump(b, p("bStep"))] : []),
          bump(out, p("outStep")),
          bump(pixels, -1),
        ),
        bump(tableA, spec.strides[0] * 4),
        ...(pair && !spec.broadcast ? [bump(tableB, 4)] : []),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

export const elementwise: Kernel<ElementwiseSpec> = {
  family: "elementwise",
  reference,
  entry: ({ op, broadcast, strides, activation }, _buffers, { relaxed }) =>
    [
      "elementwise",
      op,
      broadcast && "broadcast",
      strides[0] > 1 && `every ${strides[0]}th row`,
      activationName(activation),
      relaxed && "relaxed",
    ]
      .filter(Boolean)
      .join(" "),
  emit: (module, name, spec, _buffers, mode) => emit(module, name, spec, mode),
  work: ({ channels }, { write: { width } }) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, additions: channels * width, serialAdditions: 0 },
  }),
  params,
  // Constants of channels, one after the other.
  pack: (_spec, _input, { weight }, packed) => packed.set(weight),
  overrun: { elements: 0, rows: 0 },
};
