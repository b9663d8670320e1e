// Whole values of layers in and out of a machine's memory: from either order of the caller's data to pixels of padded
// channels, and back.
import type { Place } from "./arena.ts";

/** NHWC: channels innermost, as TensorFlow has it. NCHW: planes, as PyTorch and ONNX have it. */
export type DataFormat = "NHWC" | "NCHW";

/** A value of the caller: its sides, however it is ordered. */
export interface CallerValue {
  data: Float32Array;
  format: DataFormat;
  images: number;
  height: number;
  width: number;
  channels: number;
  /** Of a depth multiplier: channel c · members + m stands at m · (stored / members) + c. */
  members?: number;
}

/** Calls `row` for each row of a value with where its pixels begin, in elements of the memory. */
function eachRow(
  { data, pitch, spec, rows }: Place,
  base: number,
  { images, height }: CallerValue,
  row: (at: number, image: number, y: number) => void,
): void {
  const start = (base + data) / 4 + (spec.left ?? 0) * spec.channels;
  for (let image = 0; image < images; image++)
    for (let y = 0; y < height; y++) row(start + ((image * rows + y) * pitch) / 4, image, y);
}

export function copyIn(value: CallerValue, place: Place, memory: Float32Array, base: number): void {
  const { data, format, height, width, channels } = value;
  const stored = place.spec.channels;
  eachRow(place, base, value, (at, image, y) => {
    const row = (image * height + y) * width * channels;
    if (format === "NHWC" && channels === stored) {
      memory.set(data.subarray(row, row + width * channels), at);
    } else if (format === "NHWC") {
      for (let x = 0, from = row, to = at; x < width; x++, to += stored)
        for (let c = 0; c < channels; c++) memory[to + c] = data[from++]!;
    } else {
      for (let c = 0; c < channels; c++) {
        let from = ((image * channels + c) * height + y) * width;
        for (let to = at + c, end = to + width * stored; to < end; to += stored) memory[to] = data[from++]!;
      }
    }
  });
}

export function copyOut(value: CallerValue, place: Place, memory: Float32Array, base: number): void {
  const { data, format, height, width, channels, members = 1 } = value;
  const stored = place.spec.channels;
  const order = Array.from(
    { length: channels },
    (_, o) => (o % members) * (stored / members) + Math.floor(o / members),
  );
  eachRow(place, base, value, (at, image, y) => {
    const row = (image * height + y) * width * channels;
    if (format === "NHWC" && channels === stored && members === 1) {
      data.set(memory.subarray(at, at + width * channels), row);
    } else if (format === "NHWC") {
      for (let x = 0, from = at, to = row; x < width; x++, from += stored)
        for (let c = 0; c < channels; c++) data[to++] = memory[from + order[c]!]!;
    } else {
      for (let c = 0; c < channels; c++) {
        let to = ((image * channels + c) * height + y) * width;
        for (let from = at + order[c]!, end = from + width * stored; from < end; from += stored)
          data[to++] = memory[from]!;
      }
    }
  });
}
