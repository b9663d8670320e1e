// How a tile is transformed, and what the generated code finds in its parameter block: the header of taps, twiddle factors
// of every pass, and the filter's spectrum in the order in which the passes leave frequencies.
import type { FftSpec, Term } from "../../plan/types.ts";
import type { StepBuffers } from "../kernel.ts";
import { tapsParams } from "../taps/layout.ts";

/** Elements of a row that are transformed side by side: a cache line of f32. */
export const block = 16;

/** Offsets after the header of taps: elements of a row and rows of a tile that are results. */
export const fftHeader = { results: 56, rows: 60, end: 64 };

/** One pass over one axis: butterflies of four elements, `distance` apart. */
export interface Pass {
  distance: number;
  /** Offset of its twiddle factors in the parameter block. */
  twiddles: number;
  /** How many neighbours along the axis are transformed side by side, each with factors of its own. */
  lanes: number;
  vectors: number;
}

export interface FftLayout {
  columns: Pass[];
  /** Without the last, which goes with the product. */
  rows: Pass[];
  spectrum: number;
  bytes: number;
}

/** Bytes of one row of a tile: real parts, imaginary parts, and a cache line that keeps rows out of each other's sets. */
export const tilePitch = (width: number): number => 8 * width + 64;

export function fftLayout([height, width]: FftSpec["tile"]): FftLayout {
  let end = fftHeader.end;
  const passes = (length: number, row: boolean): Pass[] => {
    const found: Pass[] = [];
    for (let distance = length / 4; distance >= 1; distance /= 4) {
      const lanes = row ? Math.min(8, distance) : 1;
      found.push({ distance, twiddles: end, lanes, vectors: row ? lanes / 4 : block / 4 });
      end += 3 * distance * 8;
    }
    return found;
  };
  const [columns, rows] = [passes(height, false), passes(width, true).slice(0, -1)];
  return { columns, rows, spectrum: end, bytes: end + width * height * 8 };
}

/** The frequency that the passes leave at each position: its digits to the base of four, turned round. */
function frequencies(length: number): number[] {
  let found = [0];
  while (found.length < length) found = [0, 1, 2, 3].flatMap((k) => found.map((f) => k + 4 * f));
  return found;
}

/** e^(2πi·n / length) for each n. */
const circle = (length: number): [re: number, im: number][] =>
  Array.from({ length }, (_, n) => (2 * Math.PI * n) / length).map((angle) => [Math.cos(angle), Math.sin(angle)]);

export function fftParams({ tile, results, terms, finish }: FftSpec, buffers: StepBuffers): Uint8Array {
  const layout = fftLayout(tile);
  const bytes = new Uint8Array(layout.bytes);
  bytes.set(tapsParams({ family: "taps", taps: [], arithmetic: "f32", finish }, buffers));
  new Int32Array(bytes.buffer).set([results, buffers.write.stride], fftHeader.results / 4);
  const floats = new Float32Array(bytes.buffer);
  for (const pass of [...layout.columns, ...layout.rows]) writeTwiddles(floats, pass);
  floats.set(spectrumOf(terms, tile, buffers.write.channels), layout.spectrum / 4);
  return bytes;
}

/** For every `lanes` neighbours j, and each result k but the first: e^(−2πi·jk / 4·distance), reals first. */
function writeTwiddles(floats: Float32Array, { distance, twiddles, lanes }: Pass): void {
  const turns = circle(4 * distance);
  let at = twiddles / 4;
  for (let first = 0; first < distance; first += lanes) {
    for (let k = 1; k < 4; k++, at += 2 * lanes) {
      for (let lane = 0; lane < lanes; lane++) {
        const [re, im] = turns[k * (first + lane)]!;
        floats[at + lane] = re;
        floats[at + lanes + lane] = -im;
      }
    }
  }
}

/**
 * What a tile's spectrum is multiplied by: that of the correlation, over the number of elements. Rows of real parts, each
 * before its imaginary parts, sixteen neighbours transposed as the last pass along rows has them in its registers.
 */
function spectrumOf(terms: readonly Term[], [height, width]: FftSpec["tile"], channels: number): Float64Array {
  const found = new Float64Array(2 * height * width);
  const places = Array.from({ length: width }, (_, x) => (x & -block) | ((x & 3) << 2) | ((x >> 2) & 3));
  for (const { column, row } of terms) {
    const [down, along] = [transform(column, height, 1), transform(row, width, channels)];
    for (let y = 0; y < height; y++) {
      const [re, im] = [down.re[y]! / (height * width), down.im[y]! / (height * width)];
      for (let x = 0; x < width; x++) {
        const at = 2 * y * width + places[x]!;
        found[at]! += re * along.re[x]! - im * along.im[x]!;
        found[at + width]! += re * along.im[x]! + im * along.re[x]!;
      }
    }
  }
  return found;
}

/** Σ tap · e^(2πi·f·n / length) over taps `apart` from one to the next, for the frequency f of each position. */
function transform(taps: readonly number[], length: number, apart: number): { re: Float64Array; im: Float64Array } {
  const turns = circle(length);
  const [re, im] = [new Float64Array(length), new Float64Array(length)];
  for (const [position, f] of frequencies(length).entries()) {
    for (let n = 0; n < taps.length; n++) {
      const turn = turns[(f * n * apart) % length]!;
      re[position]! += taps[n]! * turn[0];
      im[position]! += taps[n]! * turn[1];
    }
  }
  return { re, im };
}
