// Pictures become inputs of the model that is open: files of the user, read again for each pass and kept while they are few,
// or pictures that are drawn for the bundled network.
import type { Image, Tensor } from "rank1";
import { drawShapes } from "../../../demo/drawing/shapes/draw.ts";
import { inputsOf, pictureSize } from "./models.ts";
import type { Scaling, SeparateCall } from "./protocol.ts";

export type Inputs = Record<string, Tensor>;

/** The series of pictures that are fitted to; the bundled network learned from another one. */
const series = 3;
/** Pieces of a larger picture. */
const piecesEach = 4;
/** Bytes of inputs that are kept. */
const mostKept = 2 ** 27;

/** Inputs to be read as often as needed; what is no picture is left out, and its name put into `skipped`. */
export function calibrationOf(
  pictures: NonNullable<SeparateCall["pictures"]>,
  scaling: Scaling,
  skipped: string[],
): Iterable<Inputs> | AsyncIterable<Inputs> {
  if ("drawn" in pictures) {
    return drawShapes(pictures.drawn, series).map(({ picture }) => inputsOf(picture, scaling));
  }
  const { files, pieces } = pictures;
  const size = pieces ? pictureSize() : undefined;
  const read = async (file: File, index: number): Promise<Inputs[]> => {
    const bitmap = await createImageBitmap(file).catch(() => undefined);
    if (!bitmap) {
      skipped.push(file.name);
      return [];
    }
    try {
      return (size ? piecesOf(bitmap, size, index) : [pixelsOf(bitmap)]).map((picture) => inputsOf(picture, scaling));
    } finally {
      bitmap.close();
    }
  };
  return readAgain(files, read);
}

/** All files in passes; those that do not fit into what is kept are read again in the next pass. */
function readAgain(
  files: readonly File[],
  read: (file: File, index: number) => Promise<Inputs[]>,
): AsyncIterable<Inputs> {
  const kept = new Map<number, Inputs[]>();
  let bytes = 0;
  const inputsAt = async (file: File, index: number): Promise<Inputs[]> => {
    const inputs = kept.get(index) ?? (await read(file, index));
    const more = inputs.flatMap(Object.values<Tensor>).reduce((sum, { data }) => sum + data.byteLength, 0);
    if (!kept.has(index) && bytes + more <= mostKept) {
      kept.set(index, inputs);
      bytes += more;
    }
    return inputs;
  };
  return {
    async *[Symbol.asyncIterator]() {
      let count = 0;
      for (const [i, file] of files.entries()) {
        const inputs = await inputsAt(file, i);
        count += inputs.length;
        yield* inputs;
      }
      if (count === 0) throw new Error("none of the files is a picture");
    },
  };
}

/** Pieces of the wanted size, spread evenly, elsewhere in each picture; smaller pictures stay whole. */
function piecesOf(bitmap: ImageBitmap, { width, height }: { width: number; height: number }, index: number): Image[] {
  const [right, down] = [bitmap.width - width, bitmap.height - height];
  if (right < 0 || down < 0 || right + down === 0) return [pixelsOf(bitmap)];
  // Multiples of the plastic number's powers spread evenly over the square (Roberts 2018).
  const at = (i: number, step: number, most: number): number =>
    Math.floor((((index * piecesEach + i + 1) * step) % 1) * (most + 1));
  return Array.from({ length: piecesEach }, (_, i) =>
    pixelsOf(bitmap, at(i, 0.7548776662466927, right), at(i, 0.5698402909980532, down), width, height),
  );
}

function pixelsOf(bitmap: ImageBitmap, left = 0, top = 0, width = bitmap.width, height = bitmap.height): Image {
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, -left, -top);
  const { data } = context.getImageData(0, 0, width, height);
  return { width, height, channels: 4, data: new Uint8Array(data.buffer) };
}
