// How a tile is transformed, and what the generated code finds in its parameter block: the header of taps, twiddle factors
// of every pass, and the filter's spectrum in the order in which the passes leave frequencies.
import type { FftSpec, Term } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { valuesOf } from "../filter.ts";
import type { StepBuffers } from "../kernel.ts";
import { tapsParams } from "../taps/layout.ts";

/** Elements of a row that are transformed side by side: a cache line of f32, two of f64. */
export const block = 16;

/** Offsets after the header of taps: elements of a row and rows of a tile that are results, and what integers need. */
export const fftHeader = { results: 56, rows: 60, middle: 64, missing: 72, end: 80 };

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
export const tilePitch = (width: number, arithmetic: FftSpec["arithmetic"]): number =>
  2 * bytesOf[arithmetic] * width + 64;

export function fftLayout({ tile: [height, width], arithmetic }: Pick<FftSpec, "tile" | "arithmetic">): FftLayout {
  const bytes = bytesOf[arithmetic];
  let end = fftHeader.end;
  const passes = (length: number, row: boolean): Pass[] => {
    const found: Pass[] = [];
    for (let distance = length / 4; distance >= 1; distance /= 4) {
      const lanes = row ? Math.min(8, distance) : 1;
      found.push({ distance, twiddles: end, lanes, vectors: ((row ? lanes : block) * bytes) / 16 });
      end += 3 * distance * 2 * bytes;
    }
    return found;
  };
  const [columns, rows] = [passes(height, false), passes(width, true).slice(0, -1)];
  return { columns, rows, spectrum: end, bytes: end + width * height * 2 * bytes };
}

/** e^(2πi·n / length) for each n, from angles of at most an eighth of a turn, where cosine and sine round least. */
const circle = (length: number): [re: number, im: number][] =>
  Array.from({ length }, (_, n) => {
    const eighth = Math.floor((8 * n) / length);
    const [near, back] = [((eighth + 1) >> 1) * (length / 4), eighth % 2 === 1];
    const angle = (2 * Math.PI * (back ? near - n : n - near)) / length;
    const [re, im] = [Math.cos(angle), back ? -Math.sin(angle) : Math.sin(angle)];
    const turned: [number, number][] = [
      [re, im],
      [-im, re],
      [-re, -im],
      [im, -re],
    ];
    return turned[((eighth + 1) >> 1) % 4]!;
  });

export function fftParams(spec: FftSpec, buffers: StepBuffers): Uint8Array {
  const { tile, results, terms, finish, arithmetic, whole } = spec;
  const layout = fftLayout(spec);
  const bytes = new Uint8Array(layout.bytes);
  bytes.set(tapsParams({ family: "taps", taps: [], arithmetic, finish }, buffers).subarray(0, fftHeader.results));
  new Int32Array(bytes.buffer).set([results, buffers.write.stride], fftHeader.results / 4);
  const header = new Float64Array(bytes.buffer, fftHeader.middle, 2);
  if (whole) header.set([whole.middle, whole.missing]);
  const floats = arithmetic === "f64" ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
  const at = (offset: number): number => offset / bytesOf[arithmetic];
  for (const pass of [...layout.columns, ...layout.rows]) writeTwiddles(floats, at(pass.twiddles), pass);
  floats.set(spectrumOf(terms, tile, buffers.write.channels, 16 / bytesOf[arithmetic]), at(layout.spectrum));
  return bytes;
}

/** For every `lanes` neighbours j, and each result k but the first: e^(−2πi·jk / 4·distance), reals first. */
function writeTwiddles(floats: Float32Array | Float64Array, start: number, { distance, lanes }: Pass): void {
  const turns = circle(4 * distance);
  let at = start;
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
 * before its imaginary parts, neighbours transposed as the last pass along rows has them in its vectors of `lanes`.
 */
function spectrumOf(
  terms: readonly Term[],
  [height, width]: FftSpec["tile"],
  channels: number,
  lanes: number,
): Float64Array {
  const [kh, kw] = [terms[0]!.column.length, terms[0]!.row.length];
  const [re, im] = [new Float64Array(height * width), new Float64Array(height * width)];
  for (const [i, value] of valuesOf(terms, kh, kw).entries())
    re[Math.floor(i / kw) * width + (i % kw) * channels] = value / (height * width);
  const [down, along] = [circle(height), circle(width)];
  for (let y = 0; y < kh; y++) transform(re, im, y * width, 1, along);
  for (let x = 0; x < width; x++) transform(re, im, x, width, down);
  const found = new Float64Array(2 * height * width);
  for (let x = 0; x < width; x++) {
    const place = (x & -(4 * lanes)) + (x & 3) * lanes + ((x >> 2) & (lanes - 1));
    for (let y = 0; y < height; y++) {
      found[2 * y * width + place] = re[y * width + x]!;
      found[(2 * y + 1) * width + place] = -im[y * width + x]!;
    }
  }
  return found;
}

/** Of the elements `step` apart, as many as the circle has, as the passes do it: frequencies are left in their order. */
function transform(re: Float64Array, im: Float64Array, first: number, step: number, turns: ReturnType<typeof circle>) {
  const length = turns.length;
  /** Exchanges two elements for their sum and their difference. */
  const exchange = (a: number, b: number): void => {
    const [x, y] = [re[a]!, im[a]!];
    [re[a], re[b]] = [x + re[b]!, x - re[b]!];
    [im[a], im[b]] = [y + im[b]!, y - im[b]!];
  };
  /** Times e^(−2πi·n / length). */
  const turn = (at: number, n: number): void => {
    const [[cos, sin], x, y] = [turns[n]!, re[at]!, im[at]!];
    re[at] = x * cos + y * sin;
    im[at] = y * cos - x * sin;
  };
  for (let distance = length / 4; distance >= 1; distance /= 4) {
    for (let start = 0; start < length; start++) {
      const j = start % (4 * distance);
      if (j >= distance) continue;
      const [a, b, c, d] = [0, 1, 2, 3].map((k) => first + (start + k * distance) * step) as [
        ...[number, number, number, number],
      ];
      exchange(a, c);
      exchange(b, d);
      turn(d, length / 4);
      exchange(a, b);
      exchange(c, d);
      // The second and the third result change places.
      const [x, y] = [re[b]!, im[b]!];
      [re[b], im[b]] = [re[c]!, im[c]!];
      [re[c], im[c]] = [x, y];
      for (const [k, at] of [b, c, d].entries()) turn(at, (k + 1) * j * (length / (4 * distance)));
    }
  }
}
