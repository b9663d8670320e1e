// TIFF pages that sharp does not take as they are: 64-bit floats, and many channels. tifffile's files are laid out as here.
import { describe, expect, test } from "vitest";
import { readDirectories } from "../../src/node/directories.ts";
import { encodePictures } from "../../src/node/encode.ts";
import { type Picture, readPictures } from "../../src/node/pictures.ts";
import { type ImageDType, imageDTypes, isFloat, newArray } from "../../src/tensor.ts";

const [width, height] = [7, 5];

function picture(dtype: ImageDType, channels: number, alpha = false): Picture {
  const data = newArray(dtype, width * height * channels);
  for (let i = 0; i < data.length; i++) data[i] = isFloat(dtype) ? Math.sin(i) * 10 ** (i % 9) : (i * 37) % 120;
  return { width, height, channels, data, alpha };
}

/** The file with a number of one tag of its first page written over. */
function withTag(file: Uint8Array, tag: number, value: number): Uint8Array {
  const out = new Uint8Array(file);
  const { at } = readDirectories(file)[0]!.tags.find((one) => one.tag === tag)!;
  new DataView(out.buffer).setUint16(at!, value, true);
  return out;
}

/** A page of one strip without compression, in either byte order, grey whatever its channels are. */
function plain(page: Picture, { little = true, extra = 0, bits = 8 * page.data.BYTES_PER_ELEMENT } = {}): Uint8Array {
  const { channels, data } = page;
  const others = channels - 1;
  const kind = isFloat(imageDTypes.find((one) => newArray(one, 0).constructor === data.constructor)!) ? 3 : 1;
  const lists: [number, number[]][] = [
    [256, [width]], [257, [height]], [258, Array(channels).fill(bits)], [259, [1]], [262, [1]], [273, [8]],
    [277, [channels]], [278, [height]], [279, [data.byteLength]], [339, Array(channels).fill(kind)],
  ]; // biome-ignore format: a table
  if (others > 0) lists.splice(9, 0, [338, [...Array(others - 1).fill(0), extra]]);
  const start = 8 + data.byteLength;
  const apart = start + 2 + 12 * lists.length + 4;
  const file = new DataView(new ArrayBuffer(apart + lists.length * 2 * channels));
  new Uint8Array(file.buffer).fill(little ? 0x49 : 0x4d, 0, 2);
  file.setUint16(2, 42, little);
  file.setUint32(4, start, little);
  const size = data.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  for (let i = 0; i < bytes.length; i++)
    file.setUint8(8 + i, bytes[little ? i : i - (i % size) + size - 1 - (i % size)]!);
  file.setUint16(start, lists.length, little);
  let free = apart;
  for (const [i, [tag, values]] of lists.entries()) {
    const entry = start + 2 + 12 * i;
    file.setUint16(entry, tag, little);
    file.setUint16(entry + 2, 3, little);
    file.setUint32(entry + 4, values.length, little);
    const own = values.length <= 2 ? entry + 8 : free;
    if (own === free) file.setUint32(entry + 8, free, little);
    for (const [k, value] of values.entries()) file.setUint16(own + 2 * k, value, little);
    if (own === free) free += 2 * values.length;
  }
  return new Uint8Array(file.buffer);
}

async function read(file: Uint8Array): Promise<Picture> {
  const { pages } = await readPictures(file);
  expect(pages.length).toBe(1);
  const { width, height, channels, data, alpha } = pages[0]!;
  return { width, height, channels, data, alpha };
}

describe.each(imageDTypes)("%s", (dtype) => {
  test.each([1, 3, 5, 6, 7, 9])("of %i channels comes back as it was written", async (channels) => {
    const page = picture(dtype, channels);
    expect(await read((await encodePictures([page], "tiff")).bytes)).toEqual(page);
  });

  test("of many channels keeps what says that the last is alpha", async () => {
    const page = picture(dtype, 6, true);
    expect((await read((await encodePictures([page], "tiff")).bytes)).alpha).toBe(true);
  });
});

test("floats are stored as they are, which all programs read", async () => {
  const { bytes } = await encodePictures([picture("f32", 1)], "tiff");
  expect(readDirectories(bytes)[0]!.tags.find(({ tag }) => tag === 317)!.data[0]).toBe(1);
});

test("pages of every type in one file come back", async () => {
  const pages = imageDTypes.map((dtype, i) => picture(dtype, [1, 3, 5][i % 3]!));
  const found = await readPictures((await encodePictures(pages, "tiff")).bytes);
  expect(found.pages.map(({ data, channels }) => ({ data, channels }))).toEqual(
    pages.map(({ data, channels }) => ({ data, channels })),
  );
});

describe.each([true, false])("plain files, little-endian: %s", (little) => {
  test.each(["u8", "u16", "f32", "f64"] as const)("%s, one channel or grey with others beside it", async (dtype) => {
    for (const channels of [1, 5, 6, 8]) {
      const page = picture(dtype, channels);
      expect(await read(plain(page, { little }))).toEqual(page);
      if (channels > 4) expect((await read(plain(page, { little, extra: 2 }))).alpha).toBe(true);
    }
  });
});

describe("files that are traps", () => {
  /** Directories of tags, each a type, how many numbers and where they stand. */
  function trap(length: number, directories: readonly (readonly [tag: number, type: number, count: number, at: number])[][]): Uint8Array {
    const view = new DataView(new ArrayBuffer(length));
    view.setUint32(0, 0x49492a00);
    view.setUint32(4, 8, true);
    let at = 8;
    for (const tags of directories) {
      view.setUint16(at, tags.length, true);
      for (const [i, [tag, type, count, place]] of tags.entries()) {
        const entry = at + 2 + 12 * i;
        view.setUint16(entry, tag, true);
        view.setUint16(entry + 2, type, true);
        view.setUint32(entry + 4, count, true);
        view.setUint32(entry + 8, place, true);
      }
      at += 6 + 12 * tags.length;
    }
    return new Uint8Array(view.buffer);
  } // biome-ignore format: lines

  test("tags that all hold the same bytes take them once, and others no more than the file has", () => {
    const count = 2000;
    const same = trap(1e6, [Array.from({ length: count }, (_, i) => [41_000 + i, 1, 900_000, 50_000] as const)]);
    const [shared] = readDirectories(same);
    expect(shared!.tags).toHaveLength(count);
    expect(new Set(shared!.tags.map(({ data }) => data.buffer)).size).toBe(1);
    const shifted = trap(1e6, [Array.from({ length: count }, (_, i) => [41_000 + i, 1, 900_000, 50_000 + i] as const)]);
    const [some] = readDirectories(shifted);
    expect(some!.tags.reduce((sum, { data }) => sum + data.length, 0)).toBeLessThan(1e6);
  });

  test("directories within directories end", () => {
    const chain = Array.from({ length: 9999 }, (_, i) => [[34_665, 4, 1, 8 + 18 * (i + 1)] as const]);
    expect(readDirectories(trap(18 * 10_001, chain))).toHaveLength(1);
  });
});

test("other numbers of 64 bits are refused by what they are", async () => {
  const file = plain(picture("f64", 1));
  for (const bad of [withTag(file, 339, 1), plain(picture("f64", 2))])
    await expect(readPictures(bad, { name: "x.tif" })).rejects.toThrow(/^x\.tif: expected numbers of at most 32 bits, or 64-bit floats/); // biome-ignore format: a line
});
