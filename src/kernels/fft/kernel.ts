// The fft family: a filter as a product of spectra, tile by tile, at a cost that hardly depends on the number of taps. For
// integer pictures only: a NaN would reach all of its tile. The specification is the plain sum of taps.
import type { FftSpec } from "../../plan/types.ts";
import { valuesOf } from "../filter.ts";
import { type Kernel, rowElements } from "../kernel.ts";
import { finishKind } from "../taps/layout.ts";
import { tapsReference } from "../taps/reference.ts";
import { fftParams } from "./layout.ts";
import { emitFft } from "./wasm.ts";

/**
 * Multiplications for each element of two tiles that are transformed as one: six in each of its passes there and back but
 * the last of either axis, and four in the product.
 */
export const multiplicationsIn = ([height, width]: FftSpec["tile"]): number => 3 * Math.log2(height * width) - 8;

export const fft: Kernel<FftSpec> = {
  family: "fft",
  describe: ({ tile, whole }) => `tiles of ${tile.join(" x ")}${whole ? " in f64, rounded to integers" : ""}`,
  reference({ terms, arithmetic, finish }, [input], write, rows) {
    const [kh, kw] = [terms[0]!.column.length, terms[0]!.row.length];
    const taps = valuesOf(terms, kh, kw).map((tap, i) => ({ dy: Math.floor(i / kw), dx: i % kw, tap }));
    tapsReference({ family: "taps", taps, arithmetic, finish }, [input!], write, rows * write.spec.stride);
  },
  entry: ({ tile, arithmetic, whole, finish }, { reads, write }, { relaxed, wide }) =>
    `fft ${arithmetic}${whole ? " whole" : ""} ${tile.join("x")} ${reads[0]!.dtype} ${write.dtype} ${finishKind(finish, arithmetic)}${relaxed ? " relaxed" : ""}${wide ? " wide" : ""}`,
  emit: emitFft,
  work: ({ tile, results, arithmetic }, { write }) => {
    const elements = tile[0] * tile[1] * Math.ceil(rowElements(write) / results / 2);
    const multiplications = multiplicationsIn(tile) * elements;
    return { arithmetic: arithmetic === "f64" ? "fft64" : "fft", multiplications, additions: 0, serialAdditions: 0 };
  },
  params: fftParams,
  overrun: { elements: 0, rows: 0 },
};
