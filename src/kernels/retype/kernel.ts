// The retype family: integers that f32 holds as such of 16 bits, and back.
import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  lane,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { BufferSpec, RetypeSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
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

/** Four elements from an address to another. */
function four(narrow: boolean, to: Code, from: Code): Code {
  if (!narrow) return store("v128.store", to, op("f32x4.convert_i32x4_s", load("v128.load16x4_s", from)));
  const integers = op("i32x4.trunc_sat_f32x4_s", load("v128.load", from));
  const narrowed = op("i16x8.narrow_i32x4_s", integers, integers);
  return store("i64.store", to, lane("i64x2.extract_lane", 0, narrowed));
}

function emit(module: ModuleBuilder, name: string, _spec: RetypeSpec, { write }: StepBuffers): void {
  const narrow = write.dtype === "i16";
  const [fromStep, toStep] = narrow ? [16, 8] : [8, 16];
  defineKernel(module, name, (f, { rows, params, target, sources: [source] }) => {
    const p = words.reader(params);
    const { from, to, left } = f.locals("i32", "from", "to", "left");
    f.emit(
      whileLoop(
        get(rows),
        set(from, sum(load("i32.load", get(source)), p("from"))),
        set(to, sum(load("i32.load", get(target)), p("to"))),
        set(left, p("elements")),
        doWhile(
          op("i32.gt_s", get(left), i32(0)),
          four(narrow, get(to), get(from)),
          bump(from, fromStep),
          bump(to, toStep),
          bump(left, -4),
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
  entry: (_spec, { write }) => `retype to ${write.dtype}`,
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
