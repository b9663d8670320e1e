// The softmax family: of each pixel, e^x over the sum of all channels' e^x, or its logarithm.
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
import type { SoftmaxSpec } from "../../plan/types.ts";
import { exponential, inCode, logarithm } from "../functions.ts";
import { type CodeMode, defineKernel, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { across } from "../lanes.ts";
import { wordsOf } from "../words.ts";

function reference(spec: SoftmaxSpec, [input]: Rows[], write: Rows, rows: number): void {
  const { channels, log } = spec;
  const [x, y] = [input!.spec, write.spec];
  for (let r = 0; r < rows; r++) {
    const [from, to] = [input!.row(r), write.row(r)];
    for (let p = 0; p < pixelsOf(y); p++) {
      const values = from.subarray(((x.left ?? 0) + p) * x.channels).subarray(0, channels);
      const most = Math.max(...values);
      const total = (values as Float64Array).reduce((sum, value) => sum + Math.exp(value - most), 0);
      const out = to.subarray(((y.left ?? 0) + p) * y.channels).subarray(0, y.channels);
      out.fill(0);
      for (let c = 0; c < channels; c++) {
        const value = values[c]! - most;
        out[c] = log ? value - Math.log(total) : Math.exp(value) / total;
      }
    }
  }
}

const words = wordsOf(
  ...(["pixels", "last", "from", "fromPixel", "to", "toPixel", "unused0", "unused1"] as const),
  // Bits of the lanes of a pixel's last vector that are channels; then of all lanes.
  ...(["mask0", "mask1", "mask2", "mask3", "all0", "all1", "all2", "all3"] as const),
);
const maskAt = 32;

function params({ channels }: SoftmaxSpec, { reads: [x], write }: StepBuffers): Uint8Array {
  const inLast = ((channels - 1) % 4) + 1;
  const mask = (i: number): number => (i < inLast ? -1 : 0);
  return words.pack({
    ...{ pixels: pixelsOf(write), last: Math.floor((channels - 1) / 4) * 16, unused0: 0, unused1: 0 },
    ...{ from: (x!.left ?? 0) * x!.channels * 4, fromPixel: x!.channels * 4 },
    ...{ to: (write.left ?? 0) * write.channels * 4, toPixel: write.channels * 4 },
    ...{ mask0: mask(0), mask1: mask(1), mask2: mask(2), mask3: mask(3), all0: -1, all1: -1, all2: -1, all3: -1 },
  });
}

function emit(module: ModuleBuilder, name: string, { log }: SoftmaxSpec, codeMode: CodeMode): void {
  const mode = { ...codeMode, numbers: inCode };
  defineKernel(module, name, (f, { rows, params, sources: [table], target }) => {
    const p = words.reader(params);
    const { a, out, pixels, at } = f.locals("i32", "a", "out", "pixels", "at");
    const { x, most, total, mask, spare, more } = f.locals("v128", "x", "most", "total", "mask", "spare", "more");
    /** Over a pixel's vectors; lanes of the last beyond the channels are masked. */
    const vectors = (...body: Code[]): Code[] => [
      set(at, i32(0)),
      doWhile(
        op("i32.le_u", get(at), p("last")),
        set(mask, load("v128.load", sum(get(params), op("i32.shl", op("i32.ne", get(at), p("last")), i32(4))), maskAt)),
        ...body,
        bump(at, 16),
      ),
    ];
    const value = load("v128.load", sum(get(a), get(at)));
    const shifted = set(x, op("f32x4.sub", value, get(most)));
    const write = (result: Code): Code =>
      store("v128.store", sum(get(out), get(at)), op("v128.and", result, get(mask)));
    f.emit(
      whileLoop(
        get(rows),
        set(a, sum(load("i32.load", get(table)), p("from"))),
        set(out, sum(load("i32.load", get(target)), p("to"))),
        set(pixels, p("pixels")),
        doWhile(
          get(pixels),
          set(most, splat("f32x4", -Infinity)),
          ...vectors(
            set(most, op("f32x4.max", get(most), op("v128.bitselect", value, splat("f32x4", -Infinity), get(mask)))),
          ),
          ...across("f32x4.max", most),
          set(total, splat("f32x4", 0)),
          ...vectors(
            shifted,
            ...exponential([x], [spare], mode),
            ...(log ? [] : [store("v128.store", sum(get(out), get(at)), get(x))]),
            set(total, op("f32x4.add", get(total), op("v128.and", get(x), get(mask)))),
          ),
          ...across("f32x4.add", total),
          ...(log
            ? logarithm([total], [spare], [more], mode)
            : [set(total, op("f32x4.div", splat("f32x4", 1), get(total)))]),
          ...vectors(
            ...(log
              ? [shifted, write(op("f32x4.sub", get(x), get(total)))]
              : [write(op("f32x4.mul", load("v128.load", sum(get(out), get(at))), get(total)))]),
          ),
          // Channels that are stored beyond the last vector become zeros.
          whileLoop(
            op("i32.lt_u", get(at), p("toPixel")),
            store("v128.store", sum(get(out), get(at)), splat("f32x4", 0)),
            bump(at, 16),
          ),
          bump(a, p("fromPixel")),
          bump(out, p("toPixel")),
          bump(pixels, -1),
        ),
        bump(table, 4),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

export const softmax: Kernel<SoftmaxSpec> = {
  family: "softmax",
  describe: ({ channels, log }) => `${log ? "logarithm, " : ""}${channels} channels`,
  reference,
  entry: ({ log }, _buffers, { relaxed }) => ["softmax", log && "log", relaxed && "relaxed"].filter(Boolean).join(" "),
  emit: (module, name, spec, _buffers, mode) => emit(module, name, spec, mode),
  // An exponential is some sixteen operations.
  work: ({ channels }, { write: { width } }) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, additions: 20 * channels * width, serialAdditions: 0 },
  }),
  params,
  overrun: { elements: 0, rows: 0 },
};
