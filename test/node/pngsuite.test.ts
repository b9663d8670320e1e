// PngSuite (Willem van Schaik): every kind of PNG reads, every broken one is a typed error, and the pixels are right:
// against a small decoder written here from the specification, and where the suite stores one picture in several ways.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../src/errors.ts";
import { readPicture } from "../../src/node/pictures.ts";
import { dataPath, withoutData } from "../data.ts";

const folder = dataPath("images/pngsuite");
const missing = withoutData("images/pngsuite");
const names = missing ? [] : readdirSync(folder).filter((name) => name.endsWith(".png"));
const read = (name: string) => readPicture(join(folder, `${name}.png`));

/** Decodes grey and RGB pictures of 8 and 16 bits, with or without alpha, that are not interlaced; else undefined. */
function decodePlain(png: Buffer): number[] | undefined {
  const chunks = new Map<string, Buffer[]>();
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const [length, type] = [png.readUInt32BE(at), png.toString("latin1", at + 4, at + 8)];
    chunks.set(type, [...(chunks.get(type) ?? []), png.subarray(at + 8, at + 8 + length)]);
  }
  const header = chunks.get("IHDR")![0]!;
  const [width, height, depth, colour, interlaced] = [
    header.readUInt32BE(0),
    header.readUInt32BE(4),
    header[8]!,
    header[9]!,
    header[12]!,
  ];
  const channels = { 0: 1, 2: 3, 4: 2, 6: 4 }[colour];
  if (channels === undefined || depth < 8 || interlaced || chunks.has("tRNS")) return undefined;
  const step = (channels * depth) / 8;
  const stride = width * step;
  const packed = inflateSync(Buffer.concat(chunks.get("IDAT")!));
  const bytes = Buffer.alloc(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = packed[y * (stride + 1)]!;
    for (let x = 0; x < stride; x++) {
      const a = x >= step ? bytes[y * stride + x - step]! : 0;
      const b = y > 0 ? bytes[(y - 1) * stride + x]! : 0;
      const c = x >= step && y > 0 ? bytes[(y - 1) * stride + x - step]! : 0;
      const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
      const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
      bytes[y * stride + x] = packed[y * (stride + 1) + 1 + x]! + [0, a, b, (a + b) >> 1, paeth][filter]!;
    }
  }
  return Array.from({ length: width * height * channels }, (_, i) =>
    depth === 8 ? bytes[i]! : bytes.readUInt16BE(2 * i),
  );
}

describe.skipIf(missing)(`PngSuite${missing}`, () => {
  test("every sound file reads, in its own type, channels and pixels", async () => {
    let decoded = 0;
    for (const name of names.filter((n) => !n.startsWith("x"))) {
      const { width, height, channels, data, alpha } = await readPicture(join(folder, name));
      const [colour, depth] = [name[5] === "c" || name[5] === "a" ? 0 : Number(name[4]), Number(name.slice(6, 8))];
      expect(data.length, name).toBe(width * height * channels);
      expect(alpha, name).toBe(channels % 2 === 0);
      expect(data instanceof Uint16Array, name).toBe(depth === 16);
      if (colour === 3 || colour === 2) expect(channels, name).toBeGreaterThanOrEqual(3);
      const wanted = decodePlain(readFileSync(join(folder, name)));
      if (wanted === undefined) continue;
      decoded++;
      expect(Array.from(data), name).toEqual(wanted);
    }
    expect(decoded).toBeGreaterThan(60);
  });

  test("every broken file is one sentence that names it", async () => {
    const broken = names.filter((n) => n.startsWith("x"));
    expect(broken.length).toBeGreaterThan(10);
    for (const name of broken) {
      const error = await readPicture(join(folder, name)).then(
        () => undefined,
        (e: unknown) => e as Error,
      );
      expect(error, name).toBeInstanceOf(InvalidArgumentError);
      expect(error!.message).toMatch(new RegExp(`${name}: expected an intact [^\\n]* picture, got [^\\n]+$`));
    }
  });

  test("one picture stored in several ways reads the same", async () => {
    const same: string[][] = [
      ...names.filter((n) => n.startsWith("basn")).map((n) => [n.slice(0, 8), n.slice(0, 8).replace("basn", "basi")]),
      ...names.filter((n) => /^s\d\dn/.test(n)).map((n) => [n.slice(0, 8), n.slice(0, 8).replace("n3", "i3")]),
      ["z00n2c08", "z03n2c08", "z06n2c08", "z09n2c08"], // levels of compression
      ["oi1n2c16", "oi2n2c16", "oi4n2c16", "oi9n2c16", "basn2c16"], // numbers of data chunks
      ["cs5n2c08", "cs5n3p08"], // RGB and palette
      ["tbbn3p08", "tbgn3p08", "tbwn3p08", "tp1n3p08"], // transparency with other background hints
    ];
    for (const group of same) {
      const pictures = await Promise.all(group.map(read));
      for (const picture of pictures) expect(picture, group.join(" ")).toEqual(pictures[0]);
    }
  });

  test("1, 2 and 4 bits span the whole range, and transparent entries have alpha 0", async () => {
    const values = async (name: string) => [...new Set((await read(name)).data)].sort((a, b) => a - b);
    expect(await values("basn0g01")).toEqual([0, 255]);
    expect(await values("basn0g02")).toEqual([0, 85, 170, 255]);
    expect(await values("basn0g04")).toEqual(Array.from({ length: 15 }, (_, i) => 17 * i));
    const { data } = await read("tm3n3p02");
    expect([...new Set(data.filter((_, i) => i % 4 === 3))].sort((a, b) => a - b)).toEqual([0, 85, 170, 255]);
    const corner = await read("tbbn0g04");
    expect([corner.channels, corner.data[1]]).toEqual([2, 0]);
  });
});
