// The retype family: integers that f32 holds as such of 16 bits, and back.
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
  whileLoop,
} from "../../codegen/assembler.ts";
import type { BufferSpec, RetypeSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { rounder, rounderBits } from "../conv-integer/wasm.ts";
import { defineKernel, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { wordsOf } from "../words.ts";

const words = wordsOf("elements", "from", "to");

function reference(_spec: RetypeSpec, [x]: Rows[], write: Rows, rows: number): void {
  const start = ({ left = 0, channels }: BufferSpec): number => left * channels;
  for (let y = 0; y < rows; y++) {
    const [from, to] = [x!.row(y), write.row(y)];
    const count = pixelsOf(write.spec) * write.spec.channels;
    for (let i = 0; i < count; i++) to[start(write.spec) + i] = from[start(x!.spec) + i]!;
  }
}

/** Vectors of four elements at a time: those of neighbours can be joined. */
const vectorsOf = ({ write }: StepBuffers): number => [4, 2, 1].find((count) => write.channels % (4 * count) === 0)!;

/** As many elements from an address to another; each step runs over all vectors before the next. */
function retyped(narrow: boolean, to: Local, from: Local, values: readonly Local[]): Code[] {
  const each = (step: (x: Local, i: number) => Code): Code[] => values.map((x, i) => set(x, step(x, i)));
  if (!narrow) {
    return [
      ...each((_, i) => load("v128.load16x4_s", get(from), 8 * i)),
      ...each((x) => op("f32x4.convert_i32x4_s", get(x))),
      ...values.map((x, i) => store("v128.store", get(to), get(x), 16 * i)),
    ];
  }
  const narrowed = (a: Local, b: Local): Code => op("i16x8.narrow_i32x4_s", get(a), get(b));
  const pairs = values.filter((_, i) => i % 2 === 0);
  return [
    ...each((_, i) => load("v128.load", get(from), 16 * i)),
    ...each((x) => op("f32x4.add", get(x), splat("f32x4", rounder))),
    ...each((x) => op("i32x4.sub", get(x), splat("i32x4", rounderBits))),
    ...(values.length === 1
      ? [store("i64.store", get(to), lane("i64x2.extract_lane", 0, narrowed(values[0]!, values[0]!)))]
      : pairs.map((x, i) => store("v128.store", get(to), narrowed(x, values[2 * i + 1]!), 16 * i))),
  ];
}

function emit(module: ModuleBuilder, name: string, _spec: RetypeSpec, buffers: StepBuffers): void {
  const narrow = buffers.write.dtype === "i16";
  const count = vectorsOf(buffers);
  const [fromStep, toStep] = narrow ? [16 * count, 8 * count] : [8 * count, 16 * count];
  defineKernel(module, name, (f, { rows, params, target, sources: [source] }) => {
    const p = words.reader(params);
    const { from, to, left } = f.locals("i32", "from", "to", "left");
    const values = f.array("v128", count);
    f.emit(
      whileLoop(
        get(rows),
        set(from, sum(load("i32.load", get(source)), p("from"))),
        set(to, sum(load("i32.load", get(target)), p("to"))),
        set(left, p("elements")),
        doWhile(
          op("i32.gt_s", get(left), i32(0)),
          ...retyped(narrow, to, from, values),
          bump(from, fromStep),
          bump(to, toStep),
          bump(left, -4 * count),
        ),
        bump(source, 4),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

export const retype: Kernel<RetypeSpec> = {
  family: "retype",
  describe: () => "the same numbers in another type",
  reference,
  entry: (_spec, buffers) => `retype to ${buffers.write.dtype}, ${vectorsOf(buffers)} vectors`,
  emit,
  work: (_spec, { write }) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, serialAdditions: 0 },
    additions: pixelsOf(write) * write.channels,
  }),
  params(_spec, { reads, write }) {
    const start = ({ left = 0, channels, dtype }: BufferSpec): number => left * channels * bytesOf[dtype];
    return words.pack({ elements: pixelsOf(write) * write.channels, from: start(reads[0]!), to: start(write) });
  },
  overrun: { elements: 0, rows: 0 },
};
