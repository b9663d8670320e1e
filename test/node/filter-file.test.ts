// filterFile: frames, pages, metadata, floats and arrays go from file to file, and what does not is said.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { encodePictures, writePicture } from "../../src/node/encode.ts";
import { filterFile } from "../../src/node/filter-file.ts";
import { readNpy, writeNpy } from "../../src/node/npy.ts";
import { type Picture, readPicture, readPictures } from "../../src/node/pictures.ts";
import type { ImageArray } from "../../src/tensor.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const force = { force: true } as const;

function picture(data: ImageArray, width: number, channels = 1): Picture {
  return { width, height: data.length / width / channels, channels, data, alpha: channels % 2 === 0 };
}

const noise = <T extends ImageArray>(data: T, scale = 1, from = 0): T => {
  for (let i = 0, v = 1; i < data.length; i++) data[i] = from + ((scale * ((v = (v * 48271) % 2147483647) >> 7)) % 251);
  return data;
};

/** A plain 3 × 3 sum with a reflected border. */
function correlate({ width, height, channels, data }: Picture, taps: readonly number[]): number[] {
  const inside = (v: number, n: number): number => (v < 0 ? -v : v >= n ? 2 * n - 2 - v : v);
  return Array.from(data, (_, i) => {
    const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    return taps.reduce((sum, tap, k) => {
      const [row, column] = [inside(y + Math.floor(k / 3) - 1, height), inside(x + (k % 3) - 1, width)];
      return sum + tap * data[(row * width + column) * channels + c]!;
    }, 0);
  });
}

const sobelX = [-1, 0, 1, -2, 0, 2, -1, 0, 1];

describe("frames and pages", () => {
  const frames = [10, 90, 200].map((v) => picture(new Uint8Array(24 * 18 * 3).fill(v), 24, 3));
  const animation = { delays: [50, 220, 90], loop: 3 };

  test.each(["gif", "webp"] as const)("of an animated %s are all filtered, with their times", async (format) => {
    const input = path(`moving.${format}`);
    const { bytes } = await encodePictures(frames, format, { animation, quality: 100 });
    writeFileSync(input, bytes);
    for (const name of ["out.gif", "out.webp"]) {
      const report = await filterFile(input, path(name), "sharpen", { ...force, quality: 100 });
      expect(report.pages).toBe(3);
      const read = await readPictures(path(name));
      expect(read.animation).toEqual(animation);
      expect(read.pages.map(({ data }) => data[0])).toEqual([10, 90, 200]); // flat pictures stay as they are
    }
    const report = await filterFile(input, path("pages.tiff"), "box:3", force);
    expect(report.notes).toEqual(["the times of frames left out: TIFF has pages"]);
    expect((await readPictures(path("pages.tiff"))).pages.map(({ data }) => data[0])).toEqual([10, 90, 200]);
    await filterFile(input, path("one.png"), "box:3", { ...force, page: 2 });
    expect((await readPicture(path("one.png"))).data[0]).toBe(90);
    await expect(filterFile(input, path("none.png"), "box:3")).rejects.toThrow(
      /none\.png: expected one picture for PNG, got 3; page picks one/,
    );
    await expect(filterFile(input, path("none.png"), "box:3", { page: 4 })).rejects.toThrow(/a page from 1 to 3, got page 4/); // biome-ignore format: a line
    expect(existsSync(path("none.png"))).toBe(false);
  });

  test("each frame is filtered by itself", async () => {
    const moving = [0, 1, 2].map((i) => picture(noise(new Uint8Array(24 * 18 * 3), 1, i), 24, 3));
    writeFileSync(path("noise.webp"), (await encodePictures(moving, "webp", { animation, quality: 100 })).bytes);
    await filterFile(path("noise.webp"), path("sharp.webp"), "box:3", { ...force, quality: 100 });
    for (const [i, { data }] of (await readPictures(path("sharp.webp"))).pages.entries()) {
      const exact = correlate(moving[i]!, Array(9).fill(1 / 9));
      for (const [k, v] of exact.entries()) expect(Math.abs(data[k]! - v)).toBeLessThanOrEqual(0.51);
    }
  });

  test("pages of a TIFF keep their sizes and types", async () => {
    const pages = [
      picture(noise(new Uint8Array(20 * 10 * 3)), 20, 3),
      picture(noise(new Uint16Array(9 * 14), 200), 9),
      picture(noise(new Float32Array(11 * 5 * 3), 0.01, -1), 11, 3),
      picture(noise(new Uint16Array(8 * 8 * 4), 250), 8, 4),
    ];
    await writePicture(path("pages.tif"), { pages });
    const { pages: read } = await readPictures(path("pages.tif"));
    expect(read.map(({ data, width, channels, alpha }) => [data, width, channels, alpha])).toEqual(
      pages.map(({ data, width, channels, alpha }) => [data, width, channels, alpha]),
    );
    const report = await filterFile(path("pages.tif"), path("same.tif"), "identity", { ...force, alpha: "none" });
    expect(report.pages).toBe(4);
    expect((await readPictures(path("same.tif"))).pages.map(({ data }) => data)).toEqual(read.map(({ data }) => data));
    await expect(filterFile(path("pages.tif"), path("no.webp"), "identity")).rejects.toThrow(/f32; TIFF, .npy and .raw hold them/); // biome-ignore format: a line
    const two = { pages: pages.slice(0, 2) };
    await expect(writePicture(path("no.webp"), two)).rejects.toThrow(/frames of one size for WebP, got 20 x 10 and 9 x 14/); // biome-ignore format: a line
  });

  test.each([1, 2, 3, 4])("pages of every type come back: %i channels", async (channels) => {
    for (const Class of [Uint8Array, Uint16Array, Int16Array, Float32Array]) {
      const from = Class === Int16Array || Class === Float32Array ? -100 : 0;
      const page = picture(noise(new Class(6 * 50 * channels), 1, from), 6, channels);
      const read = await readPicture(await written("typed.tif", page));
      expect([read.data, read.channels, read.alpha]).toEqual([page.data, channels, channels % 2 === 0]);
    }
  });

  test("of an animated PNG only the first can be read, and that is said", async () => {
    const png = readFileSync(await written("still.png", frames[0]!));
    const control = Buffer.from([0, 0, 0, 8, ...Buffer.from("acTL"), 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0]);
    writeFileSync(path("moving.png"), Buffer.concat([png.subarray(0, 33), control, png.subarray(33)]));
    const { notes } = await readPictures(path("moving.png"));
    expect(notes).toEqual(["of the 5 frames of an animated PNG only the first can be read"]);
  });
});

async function written(name: string, one: Picture): Promise<string> {
  await writePicture(path(name), one);
  return path(name);
}

/** A photograph as cameras write it: lying on its side, with a thumbnail. */
async function photograph(): Promise<string> {
  const { data } = picture(noise(new Uint8Array(40 * 24 * 3)), 40, 3);
  const xmp =
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>';
  await sharp(data, { raw: { width: 40, height: 24, channels: 3 } })
    .withIccProfile("p3")
    .withExifMerge({ IFD0: { Copyright: "A. Body", Make: "Maker" }, IFD2: { ExposureTime: "1/60" }, IFD3: { GPSLatitudeRef: "N" } }) // biome-ignore format: a line
    .withXmp(xmp)
    .withMetadata({ orientation: 6, density: 240 })
    .jpeg({ quality: 95 })
    .toFile(path("photo.jpg"));
  expect(await sharp(path("photo.jpg")).metadata()).toMatchObject({ orientation: 6, density: 240 });
  return path("photo.jpg");
}

const textIn = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString("latin1");

describe("metadata", () => {
  test.each(["jpg", "png", "webp", "avif", "tiff"])("is kept in .%s, upright, or stripped", async (ending) => {
    const input = await photograph();
    const output = path(`kept.${ending}`);
    const { notes } = await filterFile(input, output, "gaussian", force);
    expect(notes).toEqual([]);
    const { width, height, icc, metadata } = await readPicture(output);
    expect([width, height]).toEqual([24, 40]);
    expect(icc).toEqual((await readPicture(input)).icc);
    for (const text of ["A. Body", "Maker"]) expect(textIn(metadata!.exif)).toContain(text);
    expect(textIn(metadata!.xmp)).toContain('tiff:Orientation="1"');
    const found = await sharp(readFileSync(output)).metadata();
    expect(found.orientation ?? 1).toBe(1);
    if (!["webp", "avif"].includes(ending)) expect(metadata!.density).toBe(240); // there the EXIF says it
    // From there on, to where it came from
    await filterFile(output, path("back.jpg"), "identity", force);
    const back = await sharp(readFileSync(path("back.jpg"))).metadata();
    expect(textIn(back.exif)).toContain("A. Body");
    if (ending !== "avif" && ending !== "webp") expect(back.density).toBe(240);
    await filterFile(input, output, "gaussian", { ...force, strip: true });
    const bare = await sharp(readFileSync(output)).metadata(); // libvips remembers files by name
    expect([bare.exif, bare.xmp, bare.icc]).toEqual([undefined, undefined, undefined]);
    expect((await readPicture(output)).width).toBe(24);
  });

  test("a thumbnail of the unfiltered picture goes", async () => {
    const input = await photograph();
    const { exif } = (await readPicture(input)).metadata!;
    const thumbnail = Buffer.from("the old picture, small");
    const block = Buffer.from(exif!);
    // A second directory: where the thumbnail stands, and its length
    const directory = Buffer.alloc(2 + 24 + 4);
    directory.writeUInt16LE(2);
    for (const [i, [tag, value]] of [
      [513, block.length + directory.length],
      [514, thumbnail.length],
    ].entries()) {
      directory.writeUInt16LE(tag!, 2 + 12 * i);
      directory.writeUInt16LE(4, 4 + 12 * i);
      directory.writeUInt32LE(1, 6 + 12 * i);
      directory.writeUInt32LE(value!, 10 + 12 * i);
    }
    block.writeUInt32LE(block.length, block.readUInt32LE(4) + 2 + 12 * block.readUInt16LE(block.readUInt32LE(4)));
    const whole = Buffer.concat([block, directory, thumbnail]);
    const jpeg = readFileSync(await written("plain.jpg", { ...picture(new Uint8Array(64), 8), icc: undefined }));
    const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0, 0]), Buffer.from("Exif\0\0"), whole]);
    segment.writeUInt16BE(segment.length - 2, 2);
    writeFileSync(path("thumb.jpg"), Buffer.concat([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]));
    expect(textIn(readFileSync(path("thumb.jpg")))).toContain("the old picture");
    for (const name of ["t.jpg", "t.png", "t.webp", "t.tiff"]) {
      await filterFile(path("thumb.jpg"), path(name), "box:3", force);
      expect(textIn(readFileSync(path(name)))).not.toContain("the old picture");
      expect(textIn((await readPicture(path(name))).metadata!.exif)).toContain("A. Body");
    }
  });

  test("what a format does not hold is said", async () => {
    const input = await photograph();
    const gif = await filterFile(input, path("p.gif"), "box:3", force);
    expect(gif.notes).toEqual(["the colour profile, EXIF, XMP, the resolution left out: GIF has no place for it"]);
    const wide = await written("wide.png", picture(noise(new Uint16Array(300), 200), 10));
    expect((await filterFile(wide, path("w.avif"), "box:3", force)).notes).toEqual([
      "16 bits a channel become 8: AVIF holds no more",
    ]);
    await sharp(input).toColourspace("cmyk").tiff().toFile(path("cmyk.tif"));
    expect((await filterFile(path("cmyk.tif"), path("c.png"), "box:3", force)).notes).toEqual([
      "CMYK is converted to RGB of 8 bits a channel",
    ]);
    const glass = await written("glass.png", picture(noise(new Uint8Array(400)), 10, 4));
    expect((await filterFile(glass, path("g.jpg"), "box:3", force)).notes).toEqual([
      "JPEG has no alpha: the picture is laid on white",
    ]);
  });

  test("damaged EXIF harms nothing", async () => {
    const file = readFileSync(await photograph());
    const at = file.indexOf("Exif\0\0") + 6;
    for (let seed = 1; seed <= 60; seed++) {
      const broken = Buffer.from(file);
      for (let k = 0; k < 4; k++) broken[at + ((seed * 7919 + k * 104729) % 200)] = (seed * 31 + k * 57) % 256;
      writeFileSync(path("broken.jpg"), broken);
      await filterFile(path("broken.jpg"), path("mended.tiff"), "identity", force);
    }
  });
});

describe("floats and arrays", () => {
  test("a TIFF of floats stays one, against plain sums", async () => {
    for (const channels of [1, 3]) {
      const floats = picture(noise(new Float32Array(13 * 9 * channels), 0.01, -1), 13, channels);
      await writePicture(path("f.tif"), floats);
      const report = await filterFile(path("f.tif"), path("g.tif"), "sobel-x", { ...force, grey: false });
      expect(report.type).toBe("f32");
      const { data } = await readPicture(path("g.tif"));
      for (const [i, v] of correlate(floats, sobelX).entries()) expect(data[i]).toBeCloseTo(v, 3);
    }
    const soft = { ...force, type: "u8", gain: 255 } as const;
    expect((await filterFile(path("f.tif"), path("f.png"), "box:3", soft)).type).toBe("u8");
    await expect(filterFile(path("f.tif"), path("h.png"), "box:3")).rejects.toThrow(/expected u8 or u16 values for PNG, got f32/); // biome-ignore format: a line
    await expect(filterFile(path("f.tif"), path("h.tif"), "box:3", { show: "abs" })).rejects.toThrow(/^show: /);
  });

  test.each([
    ["u8", new Uint8Array(60)],
    ["u16", new Uint16Array(60)],
    ["i16", new Int16Array(60)],
    ["f32", new Float32Array(60)],
  ] as const)(".npy and raw of %s, in and out", async (dtype, array) => {
    const data = noise(array, 1, dtype === "u8" || dtype === "u16" ? 0 : -100);
    writeFileSync(path("a.npy"), writeNpy({ shape: [5, 4, 3], data }));
    await filterFile(path("a.npy"), path("b.npy"), "identity", force);
    expect(readNpy(readFileSync(path("b.npy")))).toEqual({ shape: [5, 4, 3], data });
    expect(await readPicture(path("a.npy"))).toEqual({ width: 4, height: 5, channels: 3, data, alpha: false });
    await filterFile(path("a.npy"), path("b.raw"), "identity", force);
    expect(readFileSync(path("b.raw"))).toEqual(Buffer.from(data.buffer));
    const raw = { width: 4, height: 5, channels: 3, dtype };
    await filterFile(path("b.raw"), path("c.npy"), "sobel-x", { ...force, raw, grey: false });
    const { data: edges } = readNpy(readFileSync(path("c.npy")));
    expect(Array.from(edges, Number)).toEqual(correlate(picture(data, 4, 3), sobelX));
    await expect(filterFile(path("b.raw"), path("d.npy"), "box:3", { raw: { ...raw, width: 5 } })).rejects.toThrow(
      /b\.raw: expected 5 x 5 x 3 values of .*, got \d+ bytes/,
    );
  });

  test("other numbers are converted, and that is said; other arrays are refused", async () => {
    const bool = { shape: [2, 2], data: Uint8Array.of(0, 1, 1, 0), dtype: "bool" as const };
    writeFileSync(path("bool.npy"), writeNpy(bool));
    expect((await filterFile(path("bool.npy"), path("x.npy"), "box:3", force)).notes).toEqual([
      "bool is converted to u8",
    ]);
    writeFileSync(path("long.npy"), writeNpy({ shape: [1, 2], data: BigInt64Array.of(3n, -4n) }));
    const { notes } = await filterFile(path("long.npy"), path("x.npy"), "identity", force);
    expect([notes, readNpy(readFileSync(path("x.npy")))]).toEqual([
      ["i64 is converted to f64"],
      { shape: [1, 2], data: Float64Array.of(3, -4) },
    ]);
    writeFileSync(path("first.npy"), writeNpy({ shape: [3, 5, 6], data: new Uint8Array(90) }));
    expect((await filterFile(path("first.npy"), path("x.npy"), "identity", force)).notes).toEqual([
      "read as height 3, width 5, 6 channels; x.transpose(1, 2, 0) puts channels last",
    ]);
    writeFileSync(path("line.npy"), writeNpy({ shape: [4], data: new Uint8Array(4) }));
    await expect(filterFile(path("line.npy"), path("y.npy"), "box:3")).rejects.toThrow(/an array of \[height, width\]/);
    await expect(filterFile(path("bool.npy"), path("y.npy"), "box:3", { page: 2 })).rejects.toThrow(/the only one/);
  });
});

describe("calls", () => {
  test("a strategy is asked of the picture that is filtered: one that suits no single pixel is taken", async () => {
    await writePicture(path("wide.png"), picture(noise(new Uint8Array(200 * 150)), 200));
    const { plans } = await filterFile(path("wide.png"), path("fft.png"), "disk:6", { ...force, strategy: "fft" });
    expect(plans.map(({ solver }) => solver)).toEqual(["fft"]);
    await writePicture(path("tiny.png"), picture(new Uint8Array(6), 3));
    const tiny = filterFile(path("tiny.png"), path("none.png"), "disk:6", { strategy: "fft" });
    await expect(tiny).rejects.toThrow(/^strategy: .* got "fft"; fft .*the picture only 3/);
    const wrong = filterFile(path("nowhere.png"), path("none.png"), "disk:6", { strategy: "fast" });
    await expect(wrong).rejects.toThrow(/^strategy: expected one of .* got "fast"/); // before any file is read
  });

  test("take one filter or several, and an engine", async () => {
    const data = noise(new Uint8Array(12 * 9));
    const input = await written("in.png", picture(data, 12));
    const engine = await createEngine();
    const half = { column: [1], row: [1], gain: 0.5 };
    const double = [[2]];
    await filterFile(input, path("o.png"), [half, double], { ...force, engine });
    expect((await readPicture(path("o.png"))).data).toEqual(data);
    await filterFile(input, path("o.png"), [[[0, 0, 1]], [[1, 0, 0]]], { ...force, engine });
    expect((await readPicture(path("o.png"))).data[5]).toBe(data[5]);
    await filterFile(input, path("o.png"), [[0, 0, 0], [0, 1, 0], [0, 0, 0]], { ...force, engine }); // biome-ignore format: a matrix
    expect((await readPicture(path("o.png"))).data).toEqual(data);
    const done: number[] = [];
    await filterFile(input, path("o.png"), "sobel", { ...force, engine, onProgress: (share) => done.push(share) });
    expect(done.at(-1)).toBe(1);
    engine.dispose();
  });

  test.each<[options: object, message: RegExp]>([
    [{ qualty: 3 }, /options key: .*did you mean "quality"/],
    [{ quality: 500 }, /^quality: expected an integer from 1 to 100/],
    [{ page: 0 }, /^page: /],
    [{ strip: 1 }, /^strip: expected true or false/],
    [{ show: "both" }, /^show: /],
    [{ raw: { width: 1, height: 1, channels: 1, dtype: "u9" } }, /^raw: /],
    [{ borderValue: 3 }, /^borderValue: expected border "constant", .*got border "reflect"/],
    [{ format: "bmp" }, /^format: /],
    [{ force: "yes" }, /^force: /],
    [{ onProgress: 3 }, /^onProgress: /],
    [{ maxPixels: 5 }, /at most 5 pixels, got 108/],
    [{ signal: AbortSignal.abort() }, /abort/],
  ])("are refused with %o, and write nothing", async (options, message) => {
    const input = await written("in.png", picture(noise(new Uint8Array(12 * 9)), 12));
    await expect(filterFile(input, path("never.png"), "box:3", options)).rejects.toThrow(message);
    expect(existsSync(path("never.png"))).toBe(false);
  });

  test("replace nothing unasked, and never the input", async () => {
    const input = await written("in.png", picture(noise(new Uint8Array(12 * 9)), 12));
    const before = readFileSync(input);
    const other = await written("other.png", picture(new Uint8Array(4), 2));
    await expect(filterFile(input, other, "box:3")).rejects.toThrow(
      /a name that is free, got a file; force replaces it/,
    );
    await expect(filterFile(input, input, "box:3", force)).rejects.toThrow(/not one of the inputs/);
    expect(readFileSync(input)).toEqual(before);
    expect((await readPicture(other)).width).toBe(2);
  });
});
