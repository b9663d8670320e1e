// Pictures from arrays of numbers: NumPy's .npy files, and raw pixels whose form is told.
import { checkLimit, describe, InvalidArgumentError } from "../errors.ts";
import type { PictureSpec } from "../index.ts";
import { bytesOf, type DType, type Image, type ImageArray, imageDTypeOf, imageDTypes, storedIn, type TypedArray } from "../tensor.ts"; // biome-ignore format: a line
import { plural } from "../words.ts";
import { readNpy } from "./npy.ts";

/** The form of raw pixels: row by row, channels interleaved, little-endian. */
export type RawSpec = Omit<PictureSpec, "hasAlpha" | "premultiplied">;

/** The pictures of a file, of which there is one here. */
interface ArrayFile {
  readonly pages: readonly (Image & { readonly data: ImageArray; readonly alpha: boolean })[];
  readonly notes: readonly string[];
  readonly format: "npy" | "raw";
}

/** The picture in a .npy file: an array of [height, width] or [height, width, channels]. No channel is alpha. */
export function readArray(bytes: Uint8Array, name: string, maxPixels: number): ArrayFile {
  const { shape, data, dtype } = readNpy(bytes, name);
  const [height, width, channels = 1] = shape as [number, number, number?];
  checkShape(shape, name);
  checkLimit(name, width * height, maxPixels, "pixels", "maxPixels");
  const { values, notes } = asImageArray(data, dtype);
  if (height <= 4 && channels > 4)
    notes.push(
      `read as height ${height}, width ${width}, ${plural(channels, "channel")}; x.transpose(1, 2, 0) puts channels last`,
    );
  return { pages: [{ width, height, channels, data: values, alpha: false }], notes, format: "npy" };
}

/** Checks that an array has the sides of a picture. */
export function checkShape(shape: readonly number[], name: string): void {
  if ((shape.length === 2 || shape.length === 3) && !shape.includes(0)) return;
  const expected = "an array of [height, width] or [height, width, channels]";
  throw new InvalidArgumentError({ parameter: name, expected, received: describe(shape) });
}

/** The picture in raw pixels. No channel is alpha. */
export function readRaw(bytes: Uint8Array, spec: RawSpec, name: string, maxPixels: number): ArrayFile {
  const { width, height, channels, dtype } = spec;
  checkLimit(name, width * height, maxPixels, "pixels", "maxPixels");
  checkRawSize(spec, bytes.length, name);
  const data = storedIn(dtype, bytes) as ImageArray;
  return { pages: [{ width, height, channels, data, alpha: false }], notes: [], format: "raw" };
}

/** Checks that there are as many bytes as pixels of that form have. */
export function checkRawSize({ width, height, channels, dtype }: RawSpec, bytes: number, name: string): void {
  const size = width * height * channels * bytesOf[dtype];
  if (bytes === size) return;
  const expected = `${width} x ${height} x ${channels} values of ${dtype}: ${size} bytes`;
  throw new InvalidArgumentError({ parameter: name, expected, received: plural(bytes, "byte") });
}

/** Numbers as pictures have them: integers of 64 bits become 64-bit floats, which hold those up to 2^53. */
function asImageArray(data: TypedArray, dtype: DType | undefined): { values: ImageArray; notes: string[] } {
  const own = imageDTypeOf(data);
  if (own && dtype !== "bool") return { values: data as ImageArray, notes: [] };
  if (dtype === "bool") return { values: data as Uint8Array, notes: ["bool is converted to u8"] };
  const values = new Float64Array(data.length);
  for (let i = 0; i < data.length; i++) values[i] = Number(data[i]);
  return { values, notes: [`${data instanceof BigUint64Array ? "u64" : "i64"} is converted to f64`] };
}

/** Checks the form of raw pixels. */
export function checkRaw(spec: RawSpec): RawSpec {
  const { width, height, channels, dtype } = spec;
  const sides = [width, height, channels].every((side) => Number.isSafeInteger(side) && side >= 1);
  if (sides && imageDTypes.includes(dtype)) return spec;
  const expected = `width, height and channels of at least 1, and one of ${imageDTypes.join(", ")}`;
  throw new InvalidArgumentError({ parameter: "raw", expected, received: describe(spec) });
}
