// What goes into a picture file comes out: pixels, depth, alpha, profile, upright; and what cannot be read says why.
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError } from "../../src/errors.ts";
import { encodePicture, writePicture } from "../../src/node/encode.ts";
import { checkFormat, formatNamed, formatOf, type PictureFormat, pictureFormats } from "../../src/node/formats.ts";
import { type Picture, readPicture, readPictures } from "../../src/node/pictures.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const formats = Object.keys(pictureFormats) as PictureFormat[];

/** Smooth in both directions, so that lossy codecs stay near; alpha never 0, so that its colours survive. */
function gradient(channels: number, depth: 8 | 16, width = 37, height = 23): Picture {
  const max = 2 ** depth - 1;
  const data = new (depth === 8 ? Uint8Array : Uint16Array)(width * height * channels);
  for (let i = 0; i < data.length; i++) {
    const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    data[i] = Math.round(max * (0.3 + (0.6 * ((c + 1) * x + (4 - c) * y)) / (4 * (width + height))));
  }
  return { width, height, channels, data, alpha: channels % 2 === 0 };
}

/** WebP and AVIF have no grey: it comes back as three equal channels. */
function asRgb(picture: Picture): Picture {
  if (picture.channels > 2) return picture;
  const { channels, data } = picture;
  const out: number[] = [];
  for (let i = 0; i < data.length; i += channels)
    out.push(data[i]!, data[i]!, data[i]!, ...data.slice(i + 1, i + channels));
  return {
    ...picture,
    channels: channels + 2,
    data: data instanceof Uint8Array ? Uint8Array.from(out) : Uint16Array.from(out),
  };
}

function maxDifference(a: Picture, b: Picture): number {
  expect([b.width, b.height, b.channels, b.alpha]).toEqual([a.width, a.height, a.channels, a.alpha]);
  expect(b.data.constructor).toBe(a.data.constructor);
  let max = 0;
  for (let i = 0; i < a.data.length; i++) max = Math.max(max, Math.abs(a.data[i]! - b.data[i]!));
  return max;
}

describe("a round trip", () => {
  for (const channels of [1, 2, 3, 4]) {
    test(`${channels} channels, 8 bits`, async () => {
      const picture = gradient(channels, 8);
      for (const format of ["png", "tiff"] as const)
        expect(maxDifference(picture, await readPicture(await encodePicture(picture, format)))).toBe(0);
      for (const format of ["webp", "avif"] as const) {
        const exact = await readPicture(await encodePicture(picture, format, { quality: 100 }));
        expect(maxDifference(asRgb(picture), exact)).toBe(0);
        const near = await readPicture(await encodePicture(picture, format));
        expect(maxDifference(asRgb(picture), near)).toBeLessThan(12);
      }
      if (picture.alpha) return;
      const jpeg = await readPicture(await encodePicture(picture, "jpeg"));
      expect(maxDifference(picture, jpeg)).toBeLessThan(8);
    });

    test(`${channels} channels, 16 bits`, async () => {
      const picture = gradient(channels, 16);
      for (const format of ["png", "tiff"] as const)
        expect(maxDifference(picture, await readPicture(await encodePicture(picture, format)))).toBe(0);
      const rounded = { ...picture, data: Uint8Array.from(picture.data, (v) => Math.round(v / 257)) };
      const webp = await readPicture(await encodePicture(picture, "webp", { quality: 100 }));
      expect(maxDifference(asRgb(rounded), webp)).toBe(0);
    });
  }

  test("lays alpha on white where the format has none", async () => {
    const data = Uint8Array.from({ length: 16 * 16 * 4 }, (_, i) => [200, 50, 0, 128][i % 4]!);
    const picture: Picture = { width: 16, height: 16, channels: 4, data, alpha: true };
    const before = picture.data.slice();
    const jpeg = await readPicture(await encodePicture(picture, "jpeg", { quality: 100 }));
    expect([jpeg.channels, jpeg.alpha]).toEqual([3, false]);
    for (const [c, v] of [227, 152, 127].entries()) expect(Math.abs(jpeg.data[c]! - v)).toBeLessThanOrEqual(2);
    expect(picture.data).toEqual(before);
  });

  test("higher quality makes larger files", async () => {
    const smooth = gradient(3, 8, 64, 64);
    const noise = { ...smooth, data: Uint8Array.from(smooth.data, (v, i) => v + ((i * i) % 17)) };
    for (const format of ["jpeg", "webp", "avif"] as const) {
      const [low, high] = await Promise.all([20, 95].map((quality) => encodePicture(noise, format, { quality })));
      expect(low!.length).toBeLessThan(high!.length);
    }
  });
});

describe("EXIF orientation", () => {
  const [w, h] = [5, 3];
  const stored = Uint8Array.from({ length: w * h }, (_, i) => 10 * i);
  // Where the pixel (x, y) of the upright picture stands in the stored one, by the EXIF specification
  const source: ((x: number, y: number) => [number, number])[] = [
    (x, y) => [x, y],
    (x, y) => [w - 1 - x, y],
    (x, y) => [w - 1 - x, h - 1 - y],
    (x, y) => [x, h - 1 - y],
    (x, y) => [y, x],
    (x, y) => [y, h - 1 - x],
    (x, y) => [w - 1 - y, h - 1 - x],
    (x, y) => [w - 1 - y, x],
  ];
  test.each(source.map((from, i) => [i + 1, from] as const))("%i is applied once", async (orientation, from) => {
    const file = await sharp(stored, { raw: { width: w, height: h, channels: 1 } })
      .withMetadata({ orientation })
      .png()
      .toBuffer();
    expect((await sharp(file).metadata()).orientation).toBe(orientation);
    const picture = await readPicture(file);
    expect([picture.width, picture.height]).toEqual(orientation > 4 ? [h, w] : [w, h]);
    const upright = picture.data.map((_, i) => {
      const pixel = Math.floor(i / 3); // sharp writes RGB here
      const [x, y] = from(pixel % picture.width, Math.floor(pixel / picture.width));
      return stored[y * w + x]!;
    });
    expect(picture.data).toEqual(upright);
    for (const format of formats) {
      const written = await encodePicture(picture, format);
      const { orientation: again, width } = await sharp(written).metadata();
      expect([again ?? 1, width]).toEqual([1, picture.width]);
    }
  });
});

describe("a colour profile", () => {
  test.each([8, 16] as const)("stays with %i-bit pixels, and neither changes", async (depth) => {
    const plain = gradient(3, depth, 40, 40);
    const raw = { width: 40, height: 40, channels: 3 as const };
    const file = await sharp(plain.data, { raw })
      .toColourspace(depth === 8 ? "srgb" : "rgb16")
      .withIccProfile("p3")
      .png()
      .toBuffer();
    const { icc } = await sharp(file).metadata();
    const stored = await sharp(file, { ignoreIcc: true })
      .toColourspace(depth === 8 ? "srgb" : "rgb16")
      .raw({ depth: depth === 8 ? "uchar" : "ushort" })
      .toBuffer();
    const picture = await readPicture(file);
    expect(Buffer.from(picture.data.buffer)).toEqual(stored);
    if (depth === 8) expect(maxDifference(plain, picture)).toBeGreaterThan(2); // sharp moved sRGB to another space
    expect(Buffer.from(picture.icc!)).toEqual(icc);
    for (const format of formats.filter((one) => pictureFormats[one].metadata)) {
      const again = await readPicture(await encodePicture(picture, format, { quality: 100 }));
      expect(Buffer.from(again.icc!), format).toEqual(icc);
      if (formatNamed(format).types.includes("u16")) expect(maxDifference(picture, again)).toBe(0);
      else {
        const rounded = {
          ...picture,
          data: Uint8Array.from(picture.data, (v) => (depth === 8 ? v : Math.round(v / 257))),
        };
        expect(maxDifference(rounded, again)).toBeLessThanOrEqual(format === "jpeg" ? 3 : 0);
      }
    }
  });

  test("travels with alpha, and with many strips", async () => {
    const { icc } = await sharp(gradient(3, 8).data, { raw: { width: 37, height: 23, channels: 3 } })
      .withIccProfile("p3")
      .png()
      .toBuffer()
      .then((file) => sharp(file).metadata());
    for (const picture of [gradient(4, 8), gradient(4, 16), gradient(3, 16, 701, 500)]) {
      const again = await readPicture(await encodePicture({ ...picture, icc }, "png"));
      expect(maxDifference(picture, again)).toBe(0);
      expect(Buffer.from(again.icc!)).toEqual(icc);
    }
  });
});

describe("other kinds of input", () => {
  const rgb = { raw: { width: 37, height: 23, channels: 3 as const } };
  test("CMYK and Lab become 8-bit sRGB", async () => {
    const picture = gradient(3, 8);
    for (const space of ["cmyk", "lab"]) {
      const file = await sharp(picture.data, rgb).toColourspace(space).tiff({ compression: "lzw" }).toBuffer();
      const read = await readPicture(file);
      expect(maxDifference(picture, read)).toBeLessThan(space === "lab" ? 4 : 40);
      expect(read.icc).toBeUndefined();
    }
  });

  test("palettes and 1, 2 and 4 bits are expanded", async () => {
    const steps = Uint8Array.from({ length: 16 }, (_, i) => 85 * (i % 4));
    const grey = sharp(steps, { raw: { width: 4, height: 4, channels: 1 } }).toColourspace("b-w");
    for (const bitdepth of [2, 4] as const) {
      const read = await readPicture(await grey.clone().tiff({ bitdepth, compression: "none" }).toBuffer());
      expect([read.channels, ...read.data]).toEqual([1, ...steps]);
    }
    const palette = await readPicture(await grey.clone().png({ palette: true, colours: 4 }).toBuffer());
    expect(asRgb({ ...palette }).data).toEqual(asRgb({ ...palette, channels: 1, data: steps }).data);
  });

  test("10-bit AVIF is read as 16 bits", async () => {
    const picture = gradient(3, 8);
    const read = await readPicture(
      await sharp(picture.data, rgb).avif({ bitdepth: 10, quality: 95, effort: 1 }).toBuffer(),
    );
    expect(read.data).toBeInstanceOf(Uint16Array);
    const narrow = { ...read, data: Uint8Array.from(read.data, (v) => Math.round(v / 257)) };
    expect(maxDifference(picture, narrow)).toBeLessThan(6);
  });

  test("an animation gives its first frame", async () => {
    const frame = (v: number) => ({
      create: { width: 8, height: 6, channels: 3 as const, background: { r: v, g: v, b: v } },
    });
    const pngs = await Promise.all([40, 200].map((v) => sharp(frame(v)).png().toBuffer()));
    for (const format of ["gif", "webp"] as const) {
      const file = await sharp(pngs, { join: { animated: true } })
        .toFormat(format, { lossless: true })
        .toBuffer();
      expect((await sharp(file).metadata()).pages).toBe(2);
      const { width, height, channels, data } = await readPicture(file);
      expect([width, height, data[0], data.at(-channels)]).toEqual([8, 6, 40, 40]);
    }
  });
});

describe("a picture that cannot be read is one clear sentence", () => {
  const failing = async (source: string | Uint8Array, maxPixels?: number): Promise<Error> => {
    const error = await readPicture(source, { maxPixels }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(Error);
    return error as Error;
  };

  test("missing, a folder, text, empty, SVG", async () => {
    const text = join(folder, "text.png");
    const empty = join(folder, "empty.png");
    const svg = join(folder, "drawing.png");
    writeFileSync(text, "only words\n");
    writeFileSync(empty, "");
    writeFileSync(svg, '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    const wanted = [
      [join(folder, "missing.png"), /missing\.png: expected a readable file, got a name that does not exist$/],
      [folder, /: expected a readable file, got a folder$/],
      [text, /text\.png: expected an intact PNG, JPEG, WebP, AVIF, TIFF or GIF picture, got data of another kind$/],
      [empty, /empty\.png: expected a PNG, .* picture, got an empty file$/],
      [svg, /drawing\.png: expected a PNG, .* picture, got svg$/],
    ] as const;
    for (const [path, message] of wanted) {
      const error = await failing(path);
      expect(error).toBeInstanceOf(InvalidArgumentError);
      expect(error.message).toMatch(message);
    }
  });

  test("truncated", async () => {
    for (const format of formats) {
      const file = await encodePicture(gradient(3, 8, 200, 150), format);
      for (const share of [0.9, 0.5, 0.1]) {
        const error = await failing(file.subarray(0, Math.floor(share * file.length)));
        expect(error).toBeInstanceOf(InvalidArgumentError);
        expect(error.message).toMatch(/^picture: expected an intact .* picture, got [^\n]+$/);
      }
    }
  });

  test("cut-off animations, wherever they end", async () => {
    const noise = { width: 20, height: 15 * 4, channels: 3 as const, pageHeight: 15 };
    const data = Buffer.from(Array.from({ length: 20 * 60 * 3 }, (_, i) => (i * 7919) % 251));
    for (const format of ["gif", "webp"] as const) {
      const file = await sharp(data, { raw: noise })
        [format]({ delay: [50, 50, 50, 50] })
        .toBuffer();
      expect((await readPictures(file)).pages.length).toBe(4);
      for (let length = Math.floor(file.length / 4); length < file.length - 2; length += 61) {
        const found = await readPictures(file.subarray(0, length)).catch((error: Error) => error);
        if (found instanceof Error)
          expect(found.message).toMatch(/^picture: expected an intact .*, got broken or truncated data/);
        else expect(found.notes).toEqual([expect.stringMatching(/frames may be missing/)]);
      }
    }
    const whole = await sharp(data, { raw: noise })
      .gif({ delay: [50, 50, 50, 50] })
      .toBuffer();
    const unmarked = await readPictures(whole.subarray(0, -1));
    expect(unmarked.pages.length).toBe(4);
    expect(unmarked.notes.join()).toMatch(/without an end mark/);
    await expect(readPicture(whole.subarray(0, whole.length - 5))).rejects.toThrow(/it ends within frame/);
  });

  test("too many pixels, before they are decoded", async () => {
    const huge = await sharp({ create: { width: 20000, height: 10, channels: 3, background: "red" } })
      .png()
      .toBuffer();
    const error = await failing(huge, 199_999);
    expect(error).toBeInstanceOf(LimitError);
    expect(error.message).toMatch(/at most 199999 pixels, got 200000/);
    expect((await readPicture(huge, { maxPixels: 200_000 })).width).toBe(20000);
  });

  test("aborted", async () => {
    const file = await encodePicture(gradient(3, 8), "png");
    await expect(readPicture(file, { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });
});

describe("writing", () => {
  test("takes the format from the name", async () => {
    expect(["a.PNG", "b/c.jpg", "d.jpeg", "e.webp", "f.tif", "g.tiff", "h.avif"].map(formatOf)).toEqual([
      "png",
      "jpeg",
      "jpeg",
      "webp",
      "tiff",
      "tiff",
      "avif",
    ]);
    expect((["jpg", "tif", "tiff", "npy"] as const).map((name) => checkFormat("format", name))).toEqual([
      "jpeg",
      "tiff",
      "tiff",
      "npy",
    ]);
    expect(() => checkFormat("format", "bmp")).toThrow(/^format: expected one of png, /);
    for (const path of ["a.bmp", "a", "png"])
      expect(() => formatOf(path)).toThrow(/a name that ends in \.png, \.jpg, .* or \.gif, got (\.bmp|no ending)/);
    const path = join(folder, "x.webp");
    await writePicture(path, gradient(3, 8));
    expect((await sharp(path).metadata()).format).toBe("webp");
  });

  test("refuses what a format cannot hold, and leaves nothing behind", async () => {
    const inner = join(folder, "inner");
    mkdirSync(inner);
    const long: Picture = { width: 20000, height: 1, channels: 1, data: new Uint8Array(20000), alpha: false };
    for (const name of ["long.webp", "long.avif"])
      await expect(writePicture(join(inner, name), long)).rejects.toThrow(/sides of at most 1638. pixels for/);
    await expect(writePicture(join(inner, "a.jpg"), gradient(3, 8), { quality: 0 })).rejects.toThrow(/^quality: /);
    expect(readdirSync(inner)).toEqual([]);
    await writePicture(join(inner, "new", "a.png"), gradient(3, 8)); // folders are made
    expect(readdirSync(inner)).toEqual(["new"]);
  });
});

test("a HEIC picture is named as what it is", async () => {
  const box = (text: string): number[] => [...text].map((letter) => letter.charCodeAt(0));
  const heic = Uint8Array.from([
    0,
    0,
    0,
    24,
    ...box("ftypheic"),
    0,
    0,
    0,
    0,
    ...box("mif1heic"),
    ...new Array(64).fill(0),
  ]);
  await expect(readPicture(heic)).rejects.toThrow(/got a HEIC picture \(HEVC\); .*convert it first/);
  const avif = await encodePicture(gradient(3, 8), "avif");
  await expect(readPicture(avif.subarray(0, 200))).rejects.toThrow(/broken or truncated/);
});
