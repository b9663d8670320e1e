// jimp: JavaScript, one thread, always RGBA.
import { Jimp } from "jimp";
import { timedNow, versionOf } from "../../rival.ts";
import { rowsOf } from "../cases.ts";
import type { Picture } from "../picture.ts";
import type { Rival } from "./rival.ts";

/** Larger filters would take minutes even on a strip of the picture. */
const mostSide = 15;

export function jimp(): Rival {
  return {
    name: "jimp",
    version: versionOf("jimp"),
    note: "knows RGBA only, to which grey and RGB are widened before the time starts; the filter as a matrix to `convolute`, since its own `gaussian` reads pixels that it has already blurred; repeats the edge (border `edge`); truncates",
    threads: [1],
    border: "edge",
    levels: ({ levels }) => Math.max(levels, 1.5),
    supports({ output, work }) {
      if (output !== "u8") return "its results are of the picture's type";
      return rowsOf(work).length <= mostSide || `minutes a picture: ${rowsOf(work).length}² taps at every pixel`;
    },
    async prepare({ work }, picture) {
      const { width, height, channels } = picture;
      const image = Jimp.fromBitmap({ width, height, data: Buffer.from(widened(picture)) });
      // It wants the matrix with the columns first.
      const rows = rowsOf(work);
      const kernel = rows[0]!.map((_, x) => rows.map((row) => row[x]!));
      let last = image;
      return {
        run: () =>
          timedNow(() => {
            last = image.clone().convolute(kernel) as typeof image;
          }),
        result: async () => narrowed(last.bitmap.data, channels),
        dispose() {},
      };
    },
    async close() {},
  };
}

function widened({ data, width, height, channels }: Picture): Uint8Array {
  if (channels === 4) return data;
  const wide = new Uint8Array(width * height * 4).fill(255);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) wide[4 * i + c] = data[channels * i + (channels === 3 ? c : 0)]!;
  }
  return wide;
}

function narrowed(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 4) return data;
  const narrow = new Uint8Array((data.length / 4) * channels);
  for (let i = 0; i < data.length / 4; i++) {
    for (let c = 0; c < channels; c++) narrow[channels * i + c] = data[4 * i + c]!;
  }
  return narrow;
}
