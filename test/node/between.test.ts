// From a file through an engine into a file: readPicture, engine.filter, writePicture.
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { createEngine } from "../../src/index.ts";
import { filterFile, readPicture, readPictures, type Writable, writePicture } from "../../src/node/index.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const [width, height] = [12, 9];

/** Colours that are seen on the left, and others that are not on the right. */
const halfSeen = (channels: number): Uint8Array =>
  Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const [c, x] = [i % channels, Math.floor(i / channels) % width];
    if (c === channels - 1) return x < 6 ? 255 : 0;
    return x < 6 ? 40 + 10 * x + c : 250;
  });

describe.each([2, 4])("%i channels", (channels) => {
  test("of which one is alpha give what filterFile gives", async () => {
    const data = halfSeen(channels);
    await writePicture(path("in.png"), { width, height, channels, data, hasAlpha: true });
    const read = await readPicture(path("in.png"));
    expect([read.alpha, read.hasAlpha, read.data]).toEqual([true, true, data]);
    const engine = await createEngine({ threads: 1 });
    for (const filter of ["gaussian:2", "sharpen"]) {
      await writePicture(path("a.png"), { ...read, ...(await engine.filter(read, filter)) });
      await writePicture(path("b.png"), await engine.filter(read, filter));
      await filterFile(path("in.png"), path("c.png"), filter, { force: true, engine });
      const [a, b, c] = await Promise.all(["a.png", "b.png", "c.png"].map((name) => readPicture(path(name))));
      expect([a!.data, b!.data]).toEqual([c!.data, c!.data]);
    }
    engine.dispose();
  });
});

test("a result without alpha of a picture with one is written so", async () => {
  const read = { width, height, channels: 4, data: halfSeen(4), alpha: true };
  const engine = await createEngine({ threads: 1 });
  await writePicture(path("edges.png"), { ...read, ...(await engine.filter({ ...read, hasAlpha: true }, "canny")) });
  engine.dispose();
  expect(await readPicture(path("edges.png"))).toMatchObject({ channels: 1, alpha: false });
});

test("what is known of the file is kept", async () => {
  const file = sharp(Buffer.alloc(width * height * 3, 90), { raw: { width, height, channels: 3 } });
  await file
    .withMetadata({ density: 300, exif: { IFD0: { Copyright: "me" } } })
    .jpeg()
    .toFile(path("in.jpg"));
  const read = await readPicture(path("in.jpg"));
  const engine = await createEngine({ threads: 1 });
  await writePicture(path("out.jpg"), { ...read, ...(await engine.filter(read, "box:3")) });
  await writePicture(path("bare.jpg"), await engine.filter(read, "box:3"));
  engine.dispose();
  const again = await readPicture(path("out.jpg"));
  expect([again.icc, again.metadata?.density]).toEqual([read.icc, 300]);
  expect(Buffer.from(again.metadata!.exif!).includes("me\0")).toBe(true);
  expect((await readPicture(path("bare.jpg"))).icc).toBeUndefined();
});

test("pictures of browsers and of sharp are written, too, and several of them as pages", async () => {
  const data = halfSeen(4);
  const browser = { width, height, data: new Uint8ClampedArray(data) };
  const raw = await sharp(data, { raw: { width, height, channels: 4 } })
    .raw()
    .toBuffer({ resolveWithObject: true });
  for (const [i, one] of [browser, raw].entries()) {
    await writePicture(path(`${i}.png`), one);
    expect((await readPicture(path(`${i}.png`))).data).toEqual(data);
  }
  await writePicture(path("both.tiff"), { pages: [browser, raw] });
  expect((await readPictures(path("both.tiff"))).pages.map((page) => page.data)).toEqual([data, data]);
});

test.each<[Writable, RegExp]>([
  [{} as Writable, /^picture\.width: expected an integer of at least 1, got undefined/],
  [undefined as unknown as Writable, /^picture: expected an image/],
  [{ width: 2, height: 1, channels: 1, data: new Uint8Array(3) }, /^picture\.data: expected 2 x 1 x 1 = 2 elements/],
  [
    { width: 1, height: 1, channels: 4, data: new Uint8Array(4), hasAlpha: true, premultiplied: true },
    /not multiplied by alpha/,
  ],
  [{ width: 1, height: 1, channels: 5, data: new Uint8Array(5) }, /1 or 3 colour channels for PNG, and alpha, got 5/],
])("%j is refused", async (picture, message) => {
  await expect(writePicture(path("never.png"), picture)).rejects.toThrow(message);
});

test("a report is of what was written", async () => {
  const data = new Uint16Array(width * height * 4).fill(65535);
  await writePicture(path("deep.png"), { width, height, channels: 4, data, hasAlpha: true });
  const written = await filterFile(path("deep.png"), path("deep.jpg"), "box:3");
  expect(written).toMatchObject({ type: "u8", channels: 3, alpha: false });
});
