// Generates the taps family: sixteen neighbouring results at a time, in four vectors of 32-bit lanes. The last block of a
// row runs past its end into slack that every buffer has, so there are no tails and each result is summed in one order.
import type { Finish, TapsSpec } from "../../plan/types.ts";
import { bytesOf, type ViewDType } from "../../tensor.ts";
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  shuffle,
  splat,
  store,
  whileLoop,
} from "../../wasm/assembler.ts";
import type { CodeMode, StepBuffers } from "../kernel.ts";
import { lanes, multiplyAdd, scaled } from "../lanes.ts";

/** Byte offsets in the parameter block; each tap is { row table offset, byte offset, tap, unused }. */
export const tapsLayout = { elements: 0, end: 4, denominator: 8, gain: 16, offset: 24, taps: 32, tapBytes: 16 };

/** An identity finish needs no arithmetic but the saturation. */
export function finishKind({ denominator, gain, offset }: Finish): "saturate" | "affine" {
  return denominator === 1 && gain === 1 && offset === 0 ? "saturate" : "affine";
}

const vectors = 4;

export function emitTaps(
  module: ModuleBuilder,
  name: string,
  spec: TapsSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const adds = buffers.reads.length > 1;
  const [input, { dtype: output }] = [buffers.reads[0]!.dtype, buffers.write];
  module.define(name, adds ? ["i32", "i32", "i32", "i32", "i32"] : ["i32", "i32", "i32", "i32"], (f) => {
    const [rows, params, source] = f.params as [Local, Local, Local];
    const addend = adds ? f.params[3]! : undefined;
    const target = f.params.at(-1)!;
    const [end, i, tap, tapEnd, from] = Array.from({ length: 5 }, () => f.local("i32")) as [
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const weight = f.local("v128");
    const sums = Array.from({ length: vectors }, () => f.local("v128"));

    const address = (table: Local, dtype: ViewDType): Code =>
      op("i32.add", load("i32.load", get(table)), scaled(get(i), bytesOf[dtype]));
    const start = sums.map((sum, v) =>
      set(sum, addend ? load("v128.load", address(addend, spec.arithmetic), v * 16) : splat("i32x4", 0)),
    );
    const eachTap = doWhile(
      op("i32.lt_u", get(tap), get(tapEnd)),
      set(
        from,
        op(
          "i32.add",
          op(
            "i32.add",
            load("i32.load", op("i32.add", get(source), load("i32.load", get(tap)))),
            load("i32.load", get(tap), 4),
          ),
          scaled(get(i), bytesOf[input]),
        ),
      ),
      set(weight, load("v128.load32_splat", get(tap), 8)),
      ...sums.map((sum, v) =>
        set(
          sum,
          multiplyAdd(spec.arithmetic, mode, get(weight), lanes(input, spec.arithmetic, get(from), v), get(sum)),
        ),
      ),
      bump(tap, tapsLayout.tapBytes),
    );
    const block = [
      ...start,
      set(tap, op("i32.add", get(params), i32(tapsLayout.taps))),
      eachTap,
      ...(spec.finish ? finishSums(f, sums, spec, spec.finish, output, params) : []),
      set(from, address(target, output)),
      ...storeSums(sums, output, get(from)),
      bump(i, vectors * 4),
    ];
    f.emit(
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      set(tapEnd, op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end))),
      whileLoop(
        get(rows),
        set(i, i32(0)),
        doWhile(op("i32.lt_u", get(i), get(end)), ...block),
        bump(source, 4),
        ...(addend ? [bump(addend, 4)] : []),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

/** Sums become results of the output type, still in 32-bit lanes; storing saturates them. */
function finishSums(
  f: FunctionBuilder,
  sums: Local[],
  spec: TapsSpec,
  finish: Finish,
  output: ViewDType,
  params: Local,
): Code[] {
  const toInteger = output !== "f32";
  if (finishKind(finish) === "saturate") {
    if (spec.arithmetic === "i32") return toInteger ? [] : sums.map((s) => set(s, op("f32x4.convert_i32x4_s", get(s))));
    return toInteger ? sums.map((s) => set(s, roundF32(get(s)))) : [];
  }
  return spec.arithmetic === "i32" ? affineI32(f, sums, toInteger, params) : affineF32(f, sums, toInteger, params);
}

const roundF32 = (value: Code): Code =>
  op("i32x4.trunc_sat_f32x4_s", op("f32x4.floor", op("f32x4.add", value, splat("f32x4", 0.5))));

/** Integer sums are scaled in f64, as in the specification: ties fall alike, so integer filters stay exact. */
function affineI32(f: FunctionBuilder, sums: Local[], toInteger: boolean, params: Local): Code[] {
  const [denominator, gain, offset, low, high] = Array.from({ length: 5 }, () => f.local("v128")) as [
    Local,
    Local,
    Local,
    Local,
    Local,
  ];
  const affine = (integers: Code): Code => {
    const sum = op("f64x2.div", op("f64x2.convert_low_i32x4_s", integers), get(denominator));
    return op("f64x2.add", op("f64x2.mul", sum, get(gain)), get(offset));
  };
  const narrow = (value: Code): Code =>
    toInteger
      ? op("i32x4.trunc_sat_f64x2_s_zero", op("f64x2.floor", op("f64x2.add", value, splat("f64x2", 0.5))))
      : op("f32x4.demote_f64x2_zero", value);
  const highHalf = Array.from({ length: 16 }, (_, b) => (b + 8) % 16);
  const lowHalves = Array.from({ length: 16 }, (_, b) => (b < 8 ? b : b + 8));
  return [
    set(denominator, load("v128.load64_splat", get(params), tapsLayout.denominator)),
    set(gain, load("v128.load64_splat", get(params), tapsLayout.gain)),
    set(offset, load("v128.load64_splat", get(params), tapsLayout.offset)),
    ...sums.flatMap((sum) => [
      set(low, narrow(affine(get(sum)))),
      set(high, narrow(affine(shuffle(highHalf, get(sum), get(sum))))),
      set(sum, shuffle(lowHalves, get(low), get(high))),
    ]),
  ];
}

function affineF32(f: FunctionBuilder, sums: Local[], toInteger: boolean, params: Local): Code[] {
  const [gain, offset] = [f.local("v128"), f.local("v128")];
  const scalar = (at: number): Code => op("f32x4.splat", op("f32.demote_f64", load("f64.load", get(params), at)));
  const ratio = op(
    "f64.div",
    load("f64.load", get(params), tapsLayout.gain),
    load("f64.load", get(params), tapsLayout.denominator),
  );
  const affine = (sum: Local): Code => op("f32x4.add", op("f32x4.mul", get(sum), get(gain)), get(offset));
  return [
    set(gain, op("f32x4.splat", op("f32.demote_f64", ratio))),
    set(offset, scalar(tapsLayout.offset)),
    ...sums.map((sum) => set(sum, toInteger ? roundF32(affine(sum)) : affine(sum))),
  ];
}

/** Stores four vectors of 32-bit lanes as sixteen elements; narrowing saturates to the type. */
function storeSums(sums: Local[], output: ViewDType, address: Code): Code[] {
  const [a, b, c, d] = sums.map(get) as [Code, Code, Code, Code];
  if (output === "u8") {
    const halves = [op("i16x8.narrow_i32x4_s", a, b), op("i16x8.narrow_i32x4_s", c, d)] as const;
    return [store("v128.store", address, op("i8x16.narrow_i16x8_u", ...halves))];
  }
  if (output === "u16" || output === "i16") {
    const narrow = output === "u16" ? "i16x8.narrow_i32x4_u" : "i16x8.narrow_i32x4_s";
    return [store("v128.store", address, op(narrow, a, b)), store("v128.store", address, op(narrow, c, d), 16)];
  }
  return sums.map((sum, v) => store("v128.store", address, get(sum), v * 16));
}
