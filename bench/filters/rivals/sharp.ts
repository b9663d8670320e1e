// sharp (libvips, native).
import sharp, { type Sharp } from "sharp";
import { timed } from "../../rival.ts";
import { type Case, rowsOf } from "../cases.ts";
import type { Rival } from "./rival.ts";

sharp.cache(false);

/** The amplitude at which libvips ends a Gaussian of this size. */
export const leastAmplitude = (sigma: number, size: number): number => Math.exp(-((size / 2) ** 2) / (2 * sigma ** 2));

/**
 * libvips rounds the taps of a Gaussian to twentieths of the largest unless it computes in floating point, and each pass
 * of a box to levels.
 */
export function vipsLevels({ work, levels }: Case): number {
  if (work.kind === "gaussian") return 1.5 + 4 / work.sigma;
  return work.kind === "box" ? 1.5 : levels;
}

export function sharpRival(): Rival {
  const filtered = (problem: Case, input: Sharp): Sharp => {
    const { work } = problem;
    if (work.kind === "gaussian") {
      const minAmplitude = leastAmplitude(work.sigma, work.size);
      return input.blur({ sigma: work.sigma, minAmplitude, precision: "integer" });
    }
    const rows = rowsOf(work);
    // The weights of a box as ones over their number: libvips then computes with integers.
    const [kernel, scale] = work.kind === "box" ? [rows.flat().fill(1), work.size ** 2] : [rows.flat(), 1];
    return input.convolve({ width: rows[0]!.length, height: rows.length, kernel, scale });
  };
  return {
    name: "sharp",
    version: `${sharp.versions.sharp} (libvips ${sharp.versions.vips})`,
    note: "native; `blur` with integer precision and a minimal amplitude that gives the same size, taps rounded to twentieths of the largest; `convolve` for matrices; repeats the edge (border `edge`); truncates after `convolve`; returns a fresh buffer",
    threads: [1, 2],
    border: "edge",
    levels: vipsLevels,
    supports({ output, channels }) {
      if (output !== "u8") return "its results are of the picture's type";
      if (channels === 4) return "it multiplies colours by alpha first, which is other work";
      return true;
    },
    async prepare(problem, { data, width, height, channels }, threads) {
      let last: Uint8Array = data;
      return {
        run() {
          sharp.concurrency(threads);
          return timed(async () => {
            const input = sharp(data, { raw: { width, height, channels: channels as 1 | 3 } });
            const output = filtered(problem, input).toColourspace(channels === 1 ? "b-w" : "srgb");
            last = await output.raw().toBuffer();
          });
        },
        result: async () => last,
        dispose() {},
      };
    },
    async close() {},
  };
}
