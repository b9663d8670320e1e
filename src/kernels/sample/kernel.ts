// The sample family: each pixel of the result is read at the place of the input that a second value names, between its pixels.
import type { BufferSpec, SampleSpec } from "../../plan/types.ts";
import { type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { withNumbers } from "../words.ts";
import { tapsAt, tapsOf } from "./places.ts";
import { emit, words } from "./wasm.ts";

function reference(spec: SampleSpec, [input, grid]: Rows[], write: Rows, rows: number, first: number): void {
  const { left = 0, channels, height } = write.spec;
  const [x, g] = [input!.spec, grid!.spec];
  for (let index = first; index < first + rows; index++) {
    const [image, y] = [Math.floor(index / height!), index % height!];
    const [out, places] = [write.row(index), grid!.row(image * g.height! + y)];
    for (let p = 0; p < pixelsOf(write.spec); p++) {
      const at = ((g.left ?? 0) + p) * g.channels;
      const columns = tapsAt(places[at]!, pixelsOf(x), spec);
      const lines = tapsAt(places[at + 1]!, x.height!, spec);
      for (let c = 0; c < channels; c++) {
        let total = 0;
        for (const [line, down] of lines) {
          if (line < 0) continue;
          const row = input!.row(image * x.height! + line);
          for (const [column, across] of columns)
            if (column >= 0) total += down * across * row[((x.left ?? 0) + column) * x.channels + c]!;
        }
        out[(left + p) * channels + c] = total;
      }
    }
  }
}

const rowsOf = ({ above, height, below }: BufferSpec): number => above + height! + below;
const leftOf = ({ left = 0, channels }: BufferSpec): number => left * channels * 4;

/** After the words a pixel of zeros, which stands for what lies outside. */
function params(_spec: SampleSpec, { reads, write }: StepBuffers): Uint8Array {
  const [x, grid] = reads as [BufferSpec, BufferSpec];
  const block = words.pack({
    ...{ pixels: pixelsOf(write), height: write.height!, pixelBytes: write.channels * 4, gridBytes: grid.channels * 4 },
    ...{ fromLeft: leftOf(x), fromAbove: x.above, fromPerImage: rowsOf(x) },
    ...{ gridLeft: leftOf(grid), gridAbove: grid.above, gridPerImage: rowsOf(grid) },
    ...{ toLeft: leftOf(write), toAbove: write.above, toPerImage: rowsOf(write) },
    ...{ lastColumn: pixelsOf(x) - 1, lastRow: x.height! - 1 },
  });
  return withNumbers(block, Array<number>(write.channels).fill(0));
}

/** Vectors of channels at a time: pairs, which can be joined, where all channels are such. */
const vectorsOf = ({ write }: StepBuffers): number => (write.channels % 8 === 0 ? 2 : 1);

/** Of the places and weights of one pixel, in multiplications and additions. */
const placing = 32;

export const sample: Kernel<SampleSpec> = {
  family: "sample",
  describe: ({ mode, padding }) => `${mode}, ${padding} outside`,
  reference,
  entry: ({ mode, padding, corners }, buffers, { relaxed }) =>
    [
      `sample ${mode}, ${padding}${corners ? ", corners" : ""}, ${vectorsOf(buffers)} vectors`,
      relaxed && mode !== "nearest" && "relaxed",
    ]
      .filter(Boolean)
      .join(" "),
  emit: (module, name, spec, buffers, mode) => emit(module, name, spec, vectorsOf(buffers), mode),
  work: ({ mode }, { write: { width, channels } }) => ({
    arithmetic: "depthwise",
    multiplications: tapsOf[mode] * (tapsOf[mode] + 1) * width * channels,
    ...{ additions: placing * tapsOf[mode] * width, serialAdditions: 0 },
  }),
  params,
  overrun: { elements: 0, rows: 0 },
};
