// The softmax family: of each pixel, e^x over the sum of all channels' e^x, or its logarithm.
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
import type { SoftmaxSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
import { exponential, logarithm, numbersAfter, numbersIn } from "../functions.ts";
import { type CodeMode, defineKernel, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { across } from "../lanes.ts";
import { withNumbers, wordsOf } from "../words.ts";

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
  ...(["pixels", "pairs", "last", "from", "fromPixel", "to", "toPixel", "unused"] as const),
  // Bits of the lanes of a pixel's last vector that are channels; then of all lanes.
  ...(["mask0", "mask1", "mask2", "mask3", "all0", "all1", "all2", "all3"] as const),
);
const maskAt = 32;
/** What stands after the words: the numbers of the functions. */
const numbersOf = (log: boolean): number[] =>
  numbersIn((numbers, some) => {
    const mode = { relaxed: false, wide: false, numbers };
    exponential(some, some, mode);
    if (log) logarithm(some, some, some, mode);
  });

function params({ channels, log }: SoftmaxSpec, { reads: [x], write }: StepBuffers): Uint8Array {
  const inLast = ((channels - 1) % 4) + 1;
  const mask = (i: number): number => (i < inLast ? -1 : 0);
  const head = words.pack({
    ...{ pixels: pixelsOf(write), pairs: Math.floor(channels / 8) * 32, last: Math.floor((channels - 1) / 4) * 16 },
    ...{ from: (x!.left ?? 0) * x!.channels * 4, fromPixel: x!.channels * 4, unused: 0 },
    ...{ to: (write.left ?? 0) * write.channels * 4, toPixel: write.channels * 4 },
    ...{ mask0: mask(0), mask1: mask(1), mask2: mask(2), mask3: mask(3), all0: -1, all1: -1, all2: -1, all3: -1 },
  });
  return withNumbers(head, numbersOf(log));
}

function emit(module: ModuleBuilder, name: string, { log }: SoftmaxSpec, codeMode: CodeMode): void {
  defineKernel(module, name, (f, { rows, params, sources: [table], target }) => {
    const mode = { ...codeMode, numbers: numbersAfter(params, words.bytes) };
    const p = words.reader(params);
    const { a, out, pixels, at, from, to } = f.locals("i32", "a", "out", "pixels", "at", "from", "to");
    const { most, total, mask } = f.locals("v128", "most", "total", "mask");
    const [values, spares, sums] = [f.array("v128", 2), f.array("v128", 2), f.array("v128", 2)];
    const isMasked = (locals: readonly Local[]): boolean => locals.length === 1;
    /** Over a pixel's vectors, pairs of which can be joined; lanes of the last beyond the channels are masked. */
    const vectors = (body: (locals: readonly Local[]) => Code[]): Code[] => [
      set(at, i32(0)),
      whileLoop(op("i32.lt_u", get(at), p("pairs")), ...addresses, ...body(values), bump(at, 32)),
      whileLoop(
        op("i32.le_u", get(at), p("last")),
        set(mask, load("v128.load", sum(get(params), op("i32.shl", op("i32.ne", get(at), p("last")), i32(4))), maskAt)),
        ...addresses,
        ...body(values.slice(0, 1)),
        bump(at, 16),
      ),
    ];
    const addresses = [set(from, sum(get(a), get(at))), set(to, sum(get(out), get(at)))];
    const read = (locals: readonly Local[], address = from): Code[] =>
      locals.map((x, i) => set(x, load("v128.load", get(address), 16 * i)));
    const shifted = (locals: readonly Local[]): Code[] => [
      ...read(locals),
      ...locals.map((x) => set(x, op("f32x4.sub", get(x), get(most)))),
    ];
    const write = (locals: readonly Local[]): Code[] =>
      locals.map((x, i) =>
        store("v128.store", get(to), isMasked(locals) ? op("v128.and", get(x), get(mask)) : get(x), 16 * i),
      );
    /** A NaN need not be kept: it comes back with the differences. */
    const larger = (a: Code, b: Code): Code => op("f32x4.pmax", a, b);
    const added = (a: Code, b: Code): Code => op("f32x4.add", a, b);
    /** All sums and all of their lanes as one, in all lanes: by a splat, which V8 joins with itself. */
    const combined = (combine: (a: Code, b: Code) => Code): Code[] => [
      set(sums[0]!, combine(get(sums[0]!), get(sums[1]!))),
      ...across(combine, sums[0]!),
    ];
    const spread = (x: Local): Code => op("f32x4.splat", lane("f32x4.extract_lane", 0, get(x)));
    const exponentials = (locals: readonly Local[]): Code[] => [
      ...shifted(locals),
      ...exponential(locals, spares, mode),
      ...(isMasked(locals) ? locals.map((x) => set(x, op("v128.and", get(x), get(mask)))) : []),
      ...(log ? [] : write(locals)),
      ...locals.map((x, i) => set(sums[i]!, added(get(sums[i]!), get(x)))),
    ];
    f.emit(
      whileLoop(
        get(rows),
        set(a, sum(load("i32.load", get(table)), p("from"))),
        set(out, sum(load("i32.load", get(target)), p("to"))),
        set(pixels, p("pixels")),
        doWhile(
          get(pixels),
          ...sums.map((x) => set(x, splat("f32x4", -Infinity))),
          ...vectors((locals) => [
            ...read(locals),
            ...(isMasked(locals)
              ? locals.map((x) => set(x, op("v128.bitselect", get(x), splat("f32x4", -Infinity), get(mask))))
              : []),
            ...locals.map((x, i) => set(sums[i]!, larger(get(sums[i]!), get(x)))),
          ]),
          ...combined(larger),
          set(most, spread(sums[0]!)),
          ...sums.map((x) => set(x, splat("f32x4", 0))),
          ...vectors(exponentials),
          ...combined(added),
          ...(log
            ? logarithm(sums.slice(0, 1), spares, values, mode)
            : [set(sums[0]!, op("f32x4.div", splat("f32x4", 1), get(sums[0]!)))]),
          set(total, spread(sums[0]!)),
          ...vectors((locals) => [
            ...(log ? shifted(locals) : read(locals, to)),
            ...locals.map((x) => set(x, op(log ? "f32x4.sub" : "f32x4.mul", get(x), get(total)))),
            ...write(locals),
          ]),
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
  describe: ({ channels, log }) => `${log ? "logarithm, " : ""}${plural(channels, "channel")}`,
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
