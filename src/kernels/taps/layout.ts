// The parameter block of the taps family, as the generated code reads it.
import type { Arithmetic, BufferSpec, Finish, TapsSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { rowElements, type StepBuffers } from "../kernel.ts";

/**
 * Byte offsets; each tap is { row table offset, byte offset, tap, unused }, in f64 a tap of two words. In fixed point a tap is a pair of them, for
 * neighbouring values, and the last word holds the pair that begins one tap earlier: a column pass computes the next row
 * by it.
 */
export const tapsLayout = {
  elements: 0,
  end: 4,
  rowStride: 12,
  /** What a finish by a shift adds first: half a unit and the offset. */
  rounding: 8,
  gain: 16,
  offset: 24,
  denominator: 32,
  /** In f32: gain / denominator, offset plus what rounds, and the output type's highest value. */
  scale: 40,
  shifted: 44,
  highest: 48,
  /** Bytes from tap to tap of an even row. */
  step: 52,
  /** Bytes from a value to its partner in a pair. */
  partner: 56,
  /** Of a mean: where its pixel stands, as of a tap, and what bounds of the sum are that sum times. */
  meanRow: 60,
  meanAt: 64,
  less: 68,
  more: 72,
  taps: 80,
  tapBytes: 16,
  tap: 8,
};

/** Elements that generated code handles at once: it may read and write as many past a row's end. */
export const tapsBlock = 64;
/** Rows that generated code handles at once: it may read as many past a strip's end, and write as many less one. */
export const tapsRows = 4;

/** Longer lists of taps are looped over. */
const mostUnrolled = 8;

export type FinishKind = "raw" | "saturate" | "affine" | `shift ${number}`;

/** The k for which a finish is a shift by k bits after adding an integer; undefined where it is none. */
export function shiftOf({ denominator, gain, offset }: Finish): number | undefined {
  const k = Math.log2(denominator / gain);
  return Number.isInteger(k) && k >= 1 && k <= 30 && Number.isInteger(offset * 2 ** k) ? k : undefined;
}

export function finishKind(finish: Finish | undefined, arithmetic: Arithmetic): FinishKind {
  if (!finish) return "raw";
  const { denominator, gain, offset } = finish;
  if (denominator === 1 && gain === 1 && offset === 0) return "saturate";
  const shift = shiftOf(finish);
  return arithmetic !== "f32" && arithmetic !== "f64" && shift !== undefined ? `shift ${shift}` : "affine";
}

export function tapsParams(spec: TapsSpec, { reads, write }: StepBuffers): Uint8Array {
  const input = reads[0]!;
  const entries = spec.arithmetic === "fixed" ? pairsOf(spec, input) : spec.taps;
  const block = new DataView(new ArrayBuffer(tapsLayout.taps + entries.length * tapsLayout.tapBytes));
  const finish: Finish = spec.finish ?? { denominator: 1, gain: 1, offset: 0 };
  block.setInt32(tapsLayout.elements, rowElements(write), true);
  block.setInt32(tapsLayout.end, block.byteLength, true);
  block.setInt32(tapsLayout.rowStride, 4 * (spec.strides?.[0] ?? 1), true);
  const shift = shiftOf(finish);
  block.setInt32(tapsLayout.rounding, shift === undefined ? 0 : (finish.offset + 0.5) * 2 ** shift, true);
  block.setFloat64(tapsLayout.gain, finish.gain, true);
  block.setFloat64(tapsLayout.offset, finish.offset, true);
  block.setFloat64(tapsLayout.denominator, finish.denominator, true);
  block.setFloat32(tapsLayout.scale, finish.gain / finish.denominator, true);
  block.setFloat32(tapsLayout.shifted, finish.offset + (write.dtype === "f32" ? 0 : 0.5), true);
  block.setFloat32(tapsLayout.highest, write.dtype === "u16" ? 65535 : 255, true);
  block.setInt32(tapsLayout.step, (stepOf(entries) ?? 0) * input.channels * bytesOf[input.dtype], true);
  block.setInt32(tapsLayout.partner, 4 * write.channels, true);
  if (spec.mean) {
    const { dy, dx, slack } = spec.mean;
    const from = reads.at(-1)!;
    block.setInt32(tapsLayout.meanRow, dy * 4, true);
    block.setInt32(tapsLayout.meanAt, dx * from.channels * bytesOf[from.dtype], true);
    block.setFloat32(tapsLayout.less, 1 - slack, true);
    block.setFloat32(tapsLayout.more, 1 + slack, true);
  }
  entries.forEach(({ dy, dx, tap, before = 0 }: Entry, index) => {
    const at = tapsLayout.taps + index * tapsLayout.tapBytes;
    block.setInt32(at, dy * 4, true);
    block.setInt32(at + 4, dx * input.channels * bytesOf[input.dtype], true);
    if (spec.arithmetic === "f64") block.setFloat64(at + tapsLayout.tap, tap, true);
    else if (spec.arithmetic === "f32") block.setFloat32(at + tapsLayout.tap, tap, true);
    else block.setInt32(at + tapsLayout.tap, tap, true);
    if (spec.arithmetic === "fixed") block.setInt32(at + tapsLayout.tap + 4, before, true);
  });
  return new Uint8Array(block.buffer);
}

/** How many taps, or pairs of them, stand in the code one after the other; 0 where it loops over them. */
export function unrolledTaps(spec: TapsSpec, input: BufferSpec): number {
  const count = spec.arithmetic === "fixed" ? pairCount(spec, input) : spec.taps.length;
  return count <= mostUnrolled ? count : 0;
}

/** A column pass reads one row more, for its second row of results. */
const pairCount = (spec: TapsSpec, input: BufferSpec): number =>
  (spec.taps.length + (pairsRows(spec, input) ? 2 : 1)) >> 1;

type Entry = TapsSpec["taps"][number] & { before?: number };

/** Pixels from tap to tap of one row, where they are even. */
export function stepOf(taps: TapsSpec["taps"]): number | undefined {
  const step = taps.length > 1 ? taps[1]!.dx - taps[0]!.dx : 0;
  return taps.every(({ dy, dx }, k) => dy === 0 && dx === taps[0]!.dx + k * step) ? step : undefined;
}

/** Dense taps two by two, as 16-bit halves of a word. */
function pairsOf(spec: TapsSpec, input: BufferSpec): Entry[] {
  const { taps } = spec;
  const pair = (k: number): number => ((taps[k]?.tap ?? 0) & 0xffff) | ((taps[k + 1]?.tap ?? 0) << 16);
  return Array.from({ length: pairCount(spec, input) }, (_, j) => ({
    ...taps[0]!,
    ...taps[2 * j],
    tap: pair(2 * j),
    before: pair(2 * j - 1),
  }));
}

/** Whether a step in fixed point pairs rows of pixels: a column pass. Row passes read the pairs that it makes. */
export const pairsRows = ({ arithmetic }: TapsSpec, { scope }: BufferSpec): boolean =>
  arithmetic === "fixed" && scope === "input";
