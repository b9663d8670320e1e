// Whether a result is right: against exact values in f64 at sampled pixels, corners included. Errors are counted in units of
// ε · Σ |terms|, the sum of what is added up without its signs: rounding of any order of summation stays near one unit.
import { generator } from "../random.ts";
import type { LayerCase } from "./cases.ts";
import type { LayerData } from "./data.ts";

/** Room for every order of summation, and for Winograd's algorithm, which some use for 3×3 windows. */
export const allowed = 16;
const epsilon = 2 ** -24;
const samples = 12;

/** A pixel's channels, and for each the sum of the terms without their signs. */
interface Pixel {
  values: Float64Array;
  scales: Float64Array;
}

const limits = { none: [-Infinity, Infinity], relu: [0, Infinity], relu6: [0, 6] } as const;

/** Exact pixels of the result, made on demand. */
function exactPixels(problem: LayerCase, { x, links }: LayerData): (y: number, x: number) => Pixel {
  const { width, channels, residual } = problem;
  const input = (row: number, column: number): Pixel => {
    const values = Float64Array.from(x.subarray((row * width + column) * channels).subarray(0, channels));
    return { values, scales: values.map(Math.abs) };
  };
  let pixel = input;
  for (const link of links) {
    const [below, known] = [pixel, new Map<number, Pixel>()];
    pixel = (row, column) => {
      const key = row * link.outWidth + column;
      const found = known.get(key) ?? convolve(link, row, column, below);
      known.set(key, found);
      return found;
    };
  }
  const last = pixel;
  if (!residual) return last;
  return (row, column) => {
    const [a, b] = [last(row, column), input(row, column)];
    return { values: a.values.map((v, c) => v + b.values[c]!), scales: a.scales.map((v, c) => v + b.scales[c]!) };
  };
}

function convolve(
  link: LayerData["links"][number],
  row: number,
  column: number,
  below: (y: number, x: number) => Pixel,
): Pixel {
  const { kind, size, stride, pads, height, width, inputs, outputs, weight, bias, activation } = link;
  const [values, scales] = [Float64Array.from(bias), Float64Array.from(bias, Math.abs)];
  for (let tap = 0; tap < size * size; tap++) {
    const y = row * stride - pads[0] + Math.floor(tap / size);
    const x = column * stride - pads[1] + (tap % size);
    if (y < 0 || y >= height || x < 0 || x >= width) continue;
    const from = below(y, x);
    for (let c = 0; c < inputs; c++) {
      const first = kind === "depthwise" ? c : 0;
      const count = kind === "depthwise" ? 1 : outputs;
      for (let o = first; o < first + count; o++) {
        const w = weight[(tap * inputs + c) * count + o - first]!;
        values[o]! += w * from.values[c]!;
        scales[o]! += Math.abs(w) * from.scales[c]!;
      }
    }
  }
  const [low, high] = limits[activation];
  return { values: values.map((value) => Math.min(high, Math.max(low, value))), scales };
}

/** What a case's results are held against. */
export function checker(
  problem: LayerCase,
  data: LayerData,
): (result: Float32Array) => { samples: number; worst: number } {
  const { outHeight, outWidth, outputs } = data.links.at(-1)!;
  const exact = exactPixels(problem, data);
  const random = generator(2);
  const corners = [0, outHeight - 1].flatMap((y) => [0, outWidth - 1].map((x) => [y, x] as const));
  const others = Array.from({ length: samples - corners.length }, () => {
    return [Math.floor(random() * outHeight), Math.floor(random() * outWidth)] as const;
  });
  const points = [...corners, ...others].map(([y, x]) => ({ at: (y * outWidth + x) * outputs, ...exact(y, x) }));
  return (result) => {
    if (result.length !== outHeight * outWidth * outputs) throw new Error(`a result of ${result.length} elements`);
    let worst = 0;
    for (const { at, values, scales } of points) {
      for (let o = 0; o < outputs; o++) {
        const error = Math.abs(result[at + o]! - values[o]!) / (epsilon * scales[o]!);
        // A result that is no number is as wrong as can be.
        if (!(error <= worst)) worst = Number.isNaN(error) ? Infinity : error;
      }
    }
    return { samples, worst };
  };
}
