// TIFF pages that sharp does not take as they are, said to be of a kind that it takes and that has the same bytes: floats of
// 64 bits are twice as many integers of 32; grey with more than one channel beside it is colours with as many less.
import { type ImageArray, storedIn } from "../tensor.ts";
import { type Directory, readDirectories, type Tag } from "./directories.ts";

/** A file as sharp reads it. */
export interface ReadableTiff {
  readonly bytes: Uint8Array;
  /** The pages' tags as they were; none of what is no TIFF. */
  readonly directories: readonly Directory[];
  /** Pages of 64-bit floats, counted from 0: they come as integers, and twice as wide. */
  readonly wide: ReadonlySet<number>;
}

const tags = { width: 256, bits: 258, photometric: 262, orientation: 274, samples: 277, planes: 284, predictor: 317 };
const moreTags = { tileWidth: 322, extra: 338, format: 339 };
const numbers = { ...tags, ...moreTags };

const tagIn = ({ tags }: Directory, name: keyof typeof numbers): Tag | undefined =>
  tags.find(({ tag }) => tag === numbers[name]);

/** The first number of a tag of 16 or 32 bits. */
function first(directory: Directory, name: keyof typeof numbers, initial: number): number {
  const tag = tagIn(directory, name);
  if (!tag || tag.data.length < 2) return initial;
  const view = new DataView(tag.data.buffer, tag.data.byteOffset, tag.data.length);
  return tag.type === 4 && tag.data.length >= 4 ? view.getUint32(0, true) : view.getUint16(0, true);
}

/** Whether the last channel is alpha, by what the page says of channels that are no colours. */
export function saysAlpha(directory: Directory | undefined): boolean {
  const extra = directory && tagIn(directory, "extra");
  const last = extra?.data.at(-2);
  return last === 1 || last === 2;
}

/** The file, or a copy in which pages say that they are what sharp takes. */
export function readableTiff(bytes: Uint8Array): ReadableTiff {
  const directories = readDirectories(bytes);
  const wide = new Set<number>();
  let out = bytes;
  for (const [i, directory] of directories.entries()) {
    const [isWide, isMany] = [isOfDoubles(directory), hasManyBesideGrey(directory)];
    if (!isWide && !isMany) continue;
    if (out === bytes) out = new Uint8Array(bytes);
    if (isWide) {
      wide.add(i);
      asIntegers(out, directory);
    }
    if (isMany) asColours(out, directory);
  }
  return { bytes: out, directories, wide };
}

/** Whether sharp takes a page as it stands. */
export const isReadable = (directory: Directory): boolean => !isOfDoubles(directory) && !hasManyBesideGrey(directory);

/** Floats of 64 bits whose bytes lie as they are, each pixel's channels together, and upright. */
function isOfDoubles(directory: Directory): boolean {
  const [bits, format, samples] = [first(directory, "bits", 1), first(directory, "format", 1), first(directory, "samples", 1)]; // biome-ignore format: a line
  if (bits !== 64 || format !== 3 || samples === 2) return false;
  const together = samples === 1 || first(directory, "planes", 1) === 1;
  const fits = (["width", "tileWidth"] as const).every((name) => 2 * first(directory, name, 0) < (tagIn(directory, name)?.type === 4 ? 2 ** 31 : 2 ** 16)); // biome-ignore format: a line
  return together && fits && first(directory, "predictor", 1) === 1 && first(directory, "orientation", 1) === 1;
}

/** More than four channels, of which one is grey, 0 as black. */
function hasManyBesideGrey(directory: Directory): boolean {
  const others = (tagIn(directory, "extra")?.data.length ?? 0) / 2;
  return first(directory, "photometric", 0) === 1 && first(directory, "samples", 1) > 4 && others > 2;
}

/** Writes numbers over those of a tag, each in the tag's own width. */
function put(bytes: Uint8Array, tag: Tag | undefined, value: number): void {
  if (!tag) return;
  const view = new DataView(bytes.buffer);
  const little = bytes[0] === 0x49;
  const width = tag.type === 4 ? 4 : 2;
  for (let i = 0; i < tag.data.length; i += width)
    if (width === 4) view.setUint32(tag.at! + i, value, little);
    else view.setUint16(tag.at! + i, value, little);
}

function asIntegers(bytes: Uint8Array, directory: Directory): void {
  for (const name of ["width", "tileWidth"] as const) put(bytes, tagIn(directory, name), 2 * first(directory, name, 0));
  put(bytes, tagIn(directory, "bits"), 32);
  put(bytes, tagIn(directory, "format"), 1);
}

function asColours(bytes: Uint8Array, directory: Directory): void {
  put(bytes, tagIn(directory, "photometric"), 2);
  const { countAt, data } = tagIn(directory, "extra")!;
  const view = new DataView(bytes.buffer);
  const little = bytes[0] === 0x49;
  const isBig = view.getUint16(2, little) === 43;
  const count = data.length / 2 - 2;
  if (isBig) view.setBigUint64(countAt!, BigInt(count), little);
  else view.setUint32(countAt!, count, little);
  // Few numbers stand in the directory itself, where there was the place of more.
  const own = countAt! + (isBig ? 8 : 4);
  if (2 * count <= (isBig ? 8 : 4)) bytes.fill(0, own, own + (isBig ? 8 : 4));
}

/** The 64-bit floats of a page, from the integers that sharp gives: their halves lie in the file's own order. */
export function doublesOf(read: Uint8Array, isLittle: boolean): ImageArray {
  if (isLittle) return storedIn("f64", read) as ImageArray;
  const words = Uint32Array.from(storedIn("u32", read) as Uint32Array);
  for (let i = 0; i < words.length; i += 2) [words[i], words[i + 1]] = [words[i + 1]!, words[i]!];
  return new Float64Array(words.buffer);
}
