// wasm-vips (libvips in WebAssembly, with threads).
import Vips from "wasm-vips";
import { timedNow, versionOf } from "../../rival.ts";
import { type Case, columnAndRow, rowsOf } from "../cases.ts";
import type { Pixels } from "../picture.ts";
import type { Rival } from "./rival.ts";
import { leastAmplitude, vipsLevels } from "./sharp.ts";

export async function wasmVips(): Promise<Rival> {
  const vips = await Vips();
  vips.Cache.max(0);
  // Rows of numbers make a matrix, of which the types do not know.
  const matrix = (rows: number[][], scale = 1): Vips.Image =>
    vips.Image.newFromArray(rows as unknown as number[], scale);

  const filtered = (problem: Case, input: Vips.Image): Vips.Image => {
    const { work } = problem;
    if (work.kind === "gaussian") {
      const min_ampl = leastAmplitude(work.sigma, work.size);
      return input.gaussblur(work.sigma, { min_ampl, precision: "integer" });
    }
    if (work.kind === "box") {
      const ones = matrix([columnAndRow(work)!.row.map(() => 1)], work.size);
      return using(ones, () => input.convsep(ones, { precision: "integer" }));
    }
    const weights = matrix(rowsOf(work));
    if (work.kind === "matrix") return using(weights, () => round(input.conv(weights, { precision: "float" })));
    // Integer convolution clips at the range of its input's type: the derivative needs a signed one.
    const signed = input.cast("short");
    return using(signed, () => using(weights, () => signed.conv(weights, { precision: "integer" })));
  };
  const round = (image: Vips.Image): Vips.Image => using(image, () => image.rint());

  return {
    name: "wasm-vips",
    version: `${versionOf("wasm-vips")} (libvips ${vips.version()})`,
    note: "`gaussblur` as sharp does it, `conv` for matrices, `convsep` for the box; repeats the edge (border `edge`); copies in and out counted",
    threads: [1, 2],
    border: "edge",
    levels: vipsLevels,
    supports: () => true,
    async prepare(problem, { data, width, height, channels }, threads) {
      let last: Pixels = data;
      return {
        run() {
          vips.concurrency(threads);
          return timedNow(() => {
            const input = vips.Image.newFromMemory(data, width, height, channels, vips.BandFormat.uchar);
            const output = using(input, () => filtered(problem, input));
            const format = problem.output === "u8" ? "uchar" : "short";
            const cast = using(output, () => output.cast(format));
            last = using(cast, () => cast.writeToMemory()) as Pixels;
          });
        },
        result: async () => last,
        dispose() {},
      };
    },
    async close() {
      vips.shutdown();
    },
  };
}

/** Frees an image when what is made of it has been made: libvips counts references itself. */
function using<T>(image: Vips.Image, make: () => T): T {
  try {
    return make();
  } finally {
    image.delete();
  }
}
