// The reduce family: sums, products and extremes along the axes of a value, of elements or of a function of them. Sums are
// formed in f32, in blocks of at most 64 terms in each lane; those of many rows in two steps, by whoever plans them.
import type { BufferSpec, ReduceSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
import { isStill } from "../expression/wasm.ts";
import { type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { withNumbers } from "../words.ts";
import { emit, numbersOf, starts, vectorsOf, words } from "./wasm.ts";

const folds: Readonly<Record<ReduceSpec["op"], (a: number, b: number) => number>> = {
  sum: (a, b) => a + b,
  product: (a, b) => a * b,
  max: Math.max,
  min: Math.min,
};
const maps: Readonly<Record<ReduceSpec["map"], (x: number) => number>> = {
  none: (x) => x,
  abs: Math.abs,
  square: (x) => x * x,
  exp: Math.exp,
};

/** Channels that are stored beyond those of the value are folded like others where each keeps its own. */
function reference(spec: ReduceSpec, [input, centre]: Rows[], write: Rows, rows: number, first: number): void {
  const { op, over, channels, height, scale, size, strides } = spec;
  const [fold, map] = [folds[op], maps[spec.map]];
  const [x, y] = [input!.spec, write.spec];
  const [manyPixels, manyChannels] = [over === "pixels" || over === "row", over === "channels" || over === "row"];
  for (let r = 0; r < rows; r++) {
    const out = write.row(r);
    const still = centre && isStill(centre.spec);
    const count = over === "rows" ? Math.min(size[0], height - (first + r) * strides[0]) : 1;
    const sources = Array.from({ length: count }, (_, k) => input!.row(over === "rows" ? r * strides[0] + k : r));
    for (let p = 0; p < pixelsOf(y); p++) {
      for (let c = 0; c < y.channels; c++) {
        const to = ((y.left ?? 0) + p) * y.channels + c;
        if (manyChannels && c > 0) {
          out[to] = 0;
          continue;
        }
        const from = centre && centre.row(still ? 0 : r)[((centre.spec.left ?? 0) + p) * centre.spec.channels + c]!;
        let total = starts[op];
        for (const source of sources)
          for (const pixel of manyPixels ? Array(pixelsOf(x)).keys() : [p])
            for (const channel of manyChannels ? Array(channels).keys() : [c])
              total = fold(total, map(source[((x.left ?? 0) + pixel) * x.channels + channel]! - (from ?? 0)));
        out[to] = total * scale;
      }
    }
  }
}

function params(spec: ReduceSpec, { reads: [x, centre], write }: StepBuffers): Uint8Array {
  const { over, channels, height, size } = spec;
  const offset = ({ left = 0, channels }: BufferSpec): number => left * channels * 4;
  const pixels = pixelsOf(x!);
  // A row of pixels without channels in between is one of neighbours.
  const alike = [write, centre ?? write].every((one) => one.channels === x!.channels);
  const flat = over === "rows" ? alike : over === "row" && channels === x!.channels;
  const perPixel = 4 * (over === "channels" || over === "row" ? channels : write.channels);
  const bytes = perPixel * (flat ? pixels : 1);
  const mask = (lane: number): number => (lane < channels % 4 ? -1 : 0);
  const head = words.pack({
    ...{ outer: over === "channels" || (over === "rows" && !flat) ? pixels : 1 },
    ...{ inner: over === "pixels" || (over === "row" && !flat) ? pixels : 1 },
    ...{ bytes, blocks: bytes - (bytes % 64), vectors: bytes - (bytes % 16), rest: bytes % 16 },
    ...{ from: offset(x!), fromPixel: 4 * x!.channels, to: offset(write), toPixel: 4 * write.channels },
    ...{ centre: centre ? offset(centre) : 0, centrePixel: 4 * (centre?.channels ?? 0) },
    ...{ height, group: size[0], scale: new Int32Array(Float32Array.of(spec.scale).buffer)[0]! },
    ...{ mask0: mask(0), mask1: mask(1), mask2: mask(2), mask3: mask(3), one0: -1, one1: 0, one2: 0, one3: 0 },
  });
  return withNumbers(head, numbersOf(spec));
}

const names = { none: "", abs: " of magnitudes", square: " of squares", exp: " of exponentials" } as const;

export const reduce: Kernel<ReduceSpec> = {
  family: "reduce",
  describe: ({ op, map, over, size }) =>
    `${op}${names[map]} of ${over === "rows" ? plural(size[0], "row") : `the ${over}`}`,
  reference,
  entry: (spec, { reads: [, centre], write }, { relaxed }) =>
    [
      ...["reduce", spec.op, spec.over, spec.map !== "none" && spec.map],
      centre && (isStill(centre) ? "less one row" : "less rows"),
      (spec.over === "pixels" || spec.over === "rows") && `${vectorsOf(spec, write)} vectors`,
      relaxed && spec.map === "exp" && "relaxed",
    ]
      .filter(Boolean)
      .join(" "),
  emit,
  work: ({ over, map, size, channels }, { reads: [x] }) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, serialAdditions: 0 },
    additions: pixelsOf(x!) * channels * (over === "rows" ? size[0] : 1) * { none: 1, abs: 2, square: 2, exp: 20 }[map],
  }),
  params,
  overrun: { elements: 0, rows: 0 },
};
