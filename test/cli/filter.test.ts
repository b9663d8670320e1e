// rank1 filter on real files: right pixels, type, alpha and profile; streams; several pictures; Ctrl-C.
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { encodePicture, writePicture } from "../../src/node/encode.ts";
import { readNpy } from "../../src/node/npy.ts";
import { type Picture, readPicture, readPictures } from "../../src/node/pictures.ts";
import { dataPath, withoutData } from "../data.ts";
import { temporaryFolder } from "../node/folder.ts";
import { rank1, rank1With, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

/** A picture of pseudo-random values. */
function noise(width: number, height: number, channels: number, depth: 8 | 16): Picture {
  const data = new (depth === 8 ? Uint8Array : Uint16Array)(width * height * channels);
  for (let i = 0, v = 1; i < data.length; i++) data[i] = (v = (v * 48271) % 2147483647) >> 7;
  return { width, height, channels, data, alpha: channels % 2 === 0 };
}

/** The plain sum over a 3 × 3 window with a border that repeats the edge, per channel. */
function correlate({ width, height, channels, data }: Picture, taps: number[]): number[] {
  const clamp = (v: number, n: number): number => Math.min(n - 1, Math.max(0, v));
  return Array.from(data, (_, i) => {
    const [c, x, y] = [i % channels, Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    const at = (dx: number, dy: number): number =>
      data[(clamp(y + dy, height) * width + clamp(x + dx, width)) * channels + c]!;
    return taps.reduce((sum, tap, k) => sum + tap * at((k % 3) - 1, Math.floor(k / 3) - 1), 0);
  });
}

async function filtered(picture: Picture, ...flags: string[]): Promise<Picture> {
  await writePicture(path("in.png"), picture);
  const common = ["--force", "--quiet", "--border", "edge"];
  const result = await rank1("filter", path("in.png"), "-o", path("out.png"), ...common, ...flags);
  expect(result).toEqual({ code: 0, stdout: "", stderr: "" });
  return readPicture(path("out.png"));
}

const laplacian = [0, 1, 0, 1, -4, 1, 0, 1, 0];
const sharpen = laplacian.map((tap, i) => (i === 4 ? 1 : 0) - tap);

describe("values", () => {
  test.each([1, 3])("of 8 and 16 bits, %i channels, against plain loops", async (channels) => {
    for (const depth of [8, 16] as const) {
      const picture = noise(31, 17, channels, depth);
      const max = 2 ** depth - 1;
      const result = await filtered(picture, "-f", "sharpen");
      expect([result.width, result.height, result.channels, result.alpha]).toEqual([31, 17, channels, false]);
      expect(result.data.constructor).toBe(picture.data.constructor);
      expect([...result.data]).toEqual(correlate(picture, sharpen).map((v) => Math.min(max, Math.max(0, v))));
    }
  });

  test("signed results are shown as absolute values, clipped, or about mid-grey", async () => {
    const picture = noise(31, 17, 3, 8);
    const exact = correlate(picture, laplacian);
    const abs = await filtered(picture, "-f", "laplacian-4", "--no-grey");
    expect([...abs.data]).toEqual(exact.map((v) => Math.min(255, Math.abs(v))));
    const clip = await filtered(picture, "-f", "laplacian-4", "--no-grey", "--show", "clip");
    expect([...clip.data]).toEqual(exact.map((v) => Math.min(255, Math.max(0, v))));
    const signed = await filtered(picture, "-f", "laplacian-4", "--no-grey", "--show", "signed");
    for (const [i, v] of exact.entries())
      expect(Math.sign(signed.data[i]! - 128) * Math.sign(v)).toBeGreaterThanOrEqual(0);
    const own = await filtered(
      picture,
      "-f",
      "laplacian-4",
      "--no-grey",
      "--gain",
      "0.0625",
      "--offset",
      "128",
      "--type",
      "u8",
    );
    expect([...own.data]).toEqual(exact.map((v) => Math.min(255, Math.max(0, Math.floor(v / 16 + 128.5)))));
  });

  test("sobel is the magnitude of both derivatives", async () => {
    const picture = noise(20, 20, 1, 8);
    const [gx, gy] = [
      correlate(picture, [-1, 0, 1, -2, 0, 2, -1, 0, 1]),
      correlate(picture, [-1, -2, -1, 0, 0, 0, 1, 2, 1]),
    ];
    const { data } = await filtered(picture, "-f", "sobel");
    expect([...data]).toEqual(gx.map((v, i) => Math.min(255, Math.floor(Math.hypot(v, gy[i]!) + 0.5))));
  });

  test("derivatives keep alpha; blurs weight colours by it; pictures without are left alone", async () => {
    const picture = noise(24, 24, 4, 8);
    const alphas = (data: ArrayLike<number>): number[] => Array.from(data).filter((_, i) => i % 4 === 3);
    const edges = await filtered(picture, "-f", "sobel-x", "--no-grey");
    expect(alphas(edges.data)).toEqual(alphas(picture.data));
    const magnitude = await filtered(picture, "-f", "sobel", "--no-grey");
    expect(alphas(magnitude.data)).toEqual(alphas(picture.data));
    // Red that is opaque beside green that is not there: no green appears
    const halves = {
      ...picture,
      data: picture.data.map((_, i) => (((i >> 2) % 24) + 1 <= 12 ? [200, 0, 0, 255] : [0, 200, 0, 0])[i % 4]!),
    };
    const soft = await filtered(halves, "-f", "box:5");
    const greens = Array.from(soft.data).filter((_, i) => i % 4 === 1);
    expect(Math.max(...greens)).toBe(0);
    expect(new Set(alphas(soft.data)).size).toBeGreaterThan(4);
    const plain = await filtered(halves, "-f", "box:5", "--alpha", "none");
    expect(Math.max(...Array.from(plain.data).filter((_, i) => i % 4 === 1))).toBe(200);
    await filtered(noise(9, 9, 3, 8), "-f", "box:5", "--alpha", "premultiply");
  });

  test("--linear averages light, keeps constants, and can widen to 16 bits", async () => {
    const stripes: Picture = {
      width: 64,
      height: 8,
      channels: 1,
      alpha: false,
      data: new Uint8Array(64 * 8).map((_, i) => (i % 2) * 255),
    };
    const linear = await filtered(stripes, "-f", "box:8", "--linear");
    const plain = await filtered(stripes, "-f", "box:8");
    expect([linear.data[32], plain.data[32]]).toEqual([188, 128]); // half the light is 188 in sRGB
    const flat: Picture = { ...stripes, data: new Uint8Array(64 * 8).fill(77) };
    expect((await filtered(flat, "-f", "gaussian:sigma=2", "--linear")).data).toEqual(flat.data);
    const wide = await filtered(flat, "-f", "identity", "--linear", "--type", "u16");
    expect([...new Set(wide.data)]).toEqual([77 * 257]);
    const edge = await filtered(stripes, "-f", "[[-1,1]]", "--linear");
    expect(Math.max(...edge.data)).toBe(255);
  });
});

describe("edges", () => {
  test("are grey: of 0.299 red + 0.587 green + 0.114 blue", async () => {
    const picture = noise(31, 17, 3, 8);
    const { data } = picture;
    const grey = { ...picture, channels: 1, data: new Uint8Array(31 * 17) };
    for (let i = 0; i < grey.data.length; i++)
      grey.data[i] = Math.round(0.299 * data[3 * i]! + 0.587 * data[3 * i + 1]! + 0.114 * data[3 * i + 2]!);
    const edges = await filtered(picture, "-f", "laplacian-4");
    expect([edges.channels, ...edges.data]).toEqual([
      1,
      ...correlate(grey, laplacian).map((v) => Math.min(255, Math.abs(v))),
    ]);
    expect((await filtered(picture, "-f", "sobel")).channels).toBe(1);
    expect((await filtered(picture, "-f", "sobel", "--no-grey")).channels).toBe(3);
    expect((await filtered(picture, "-f", "box:3")).channels).toBe(3);
    expect([...(await filtered(picture, "-f", "identity", "--grey")).data]).toEqual([...grey.data]);
  });

  test("keep alpha, and lose a profile that describes colours", async () => {
    const picture = noise(9, 9, 4, 16);
    const icc = await profile();
    const edges = await filtered({ ...picture, icc }, "-f", "sobel");
    expect([edges.channels, edges.alpha, edges.icc, edges.data.constructor]).toEqual([2, true, undefined, Uint16Array]);
    const alphas = [...edges.data].filter((_, i) => i % 2 === 1);
    expect(alphas).toEqual([...picture.data].filter((_, i) => i % 4 === 3));
  });
});

describe("several filters", () => {
  const half = '{"column": [1], "row": [1], "gain": 0.5}';
  const double = '{"column": [1], "row": [1], "gain": 2}';

  test("follow one another in order, neither rounded nor cut off in between", async () => {
    const picture = noise(31, 17, 3, 8);
    expect((await filtered(picture, "-f", half, "-f", double)).data).toEqual(picture.data);
    expect((await filtered(picture, "-f", double, "--filter", half)).data).toEqual(picture.data);
    const [shift, edge] = ["[[0, 0, 1]]", "[[1, 0, 0]]"]; // there and back again, but for the edge
    const back = await filtered(picture, "-f", shift, "-f", edge);
    const inside = (data: ArrayLike<number>) => Array.from(data).filter((_, i) => Math.floor(i / 3) % 31 > 0);
    expect(inside(back.data)).toEqual(inside(picture.data));
    const turned = await filtered(picture, "-f", edge, "-f", shift);
    expect(inside(turned.data)).not.toEqual(inside(picture.data));
  });

  test("are signed where a derivative is among them, and say so in --json", async () => {
    const picture = noise(31, 17, 1, 8);
    const exact = correlate(picture, laplacian);
    const { data } = await filtered(picture, "-f", "laplacian-4", "-f", half);
    expect([...data]).toEqual(exact.map((v) => Math.min(255, Math.round(Math.abs(v / 2)))));
    const both = ["-f", "gaussian", "-f", "sobel", "-o", path("both.png"), "--json"];
    const { stdout } = await rank1("filter", path("in.png"), ...both);
    const { filters, pictures } = JSON.parse(stdout);
    expect([filters, pictures[0].plans.length]).toEqual([["gaussian", "sobel"], 3]);
  });

  test("--gain, --offset and --type are the last one's", async () => {
    const picture = noise(12, 9, 3, 8);
    const flags = ["-f", "identity", "-f", "identity", "--gain", "0.5", "--offset", "7", "--type", "u16"];
    const { data } = await filtered(picture, ...flags);
    expect([...data]).toEqual(Array.from(picture.data, (v) => Math.floor(v / 2 + 7.5)));
  });

  test("weight colours by alpha as each alone does", async () => {
    const picture = noise(24, 24, 4, 8);
    const both = await filtered(picture, "-f", "box:3", "-f", "gaussian");
    const second = await filtered(await filtered(picture, "-f", "box:3"), "-f", "gaussian");
    for (const [i, v] of both.data.entries()) expect(Math.abs(v - second.data[i]!)).toBeLessThanOrEqual(1);
  });
});

/** Display P3. */
async function profile(): Promise<Uint8Array> {
  const red = sharp({ create: { width: 8, height: 8, channels: 3, background: "red" } });
  return (await sharp(await red.withIccProfile("p3").png().toBuffer()).metadata()).icc!;
}

test("the colour profile is kept, and every format can be written", async () => {
  const icc = await profile();
  await writePicture(path("p3.png"), { ...noise(16, 16, 3, 8), icc });
  for (const name of ["p3.out.png", "p3.jpg", "p3.webp", "p3.avif", "p3.tiff"]) {
    const { code, stderr } = await rank1(
      "filter",
      path("p3.png"),
      "-o",
      path(name),
      "-f",
      "gaussian",
      "--quality",
      "95",
    );
    expect(code).toBe(0);
    expect(stderr).toMatch(/ {2}16 × 16 × 3 u8 {2}\S+ {2}read .* ms, filter .* ms, write .* ms\n$/);
    expect(Buffer.from((await readPicture(path(name))).icc!), name).toEqual(icc);
  }
});

test("standard input to standard output; a filter on the standard input", async () => {
  const picture = noise(12, 9, 3, 8);
  const input = await encodePicture(picture, "png");
  const { code, bytes, stderr } = await spawnRank1(
    ["filter", "-", "-o", "-", "--format", "tiff", "-f", "identity", "--quiet"],
    { input },
  );
  expect([code, stderr]).toEqual([0, ""]);
  expect((await sharp(bytes).metadata()).format).toBe("tiff");
  expect((await readPicture(bytes)).data).toEqual(picture.data);
  const png = await spawnRank1(["filter", "-", "-o", "-", "-f", "identity", "--quiet"], { input });
  expect((await sharp(png.bytes).metadata()).format).toBe("png");
  await writePicture(path("in.png"), picture);
  const filter = ["filter", path("in.png"), "-o", path("piped.png"), "-f", "-"];
  expect((await spawnRank1(filter, { input: "[[0, 1, 0]]" })).code).toBe(0);
  expect((await readPicture(path("piped.png"))).data).toEqual(picture.data);
});

test("--json tells the plan and the times", async () => {
  await writePicture(path("in.png"), noise(40, 30, 3, 8));
  const args = ["filter", path("in.png"), "-o", path("j.png"), "-f", "gaussian:sigma=2", "--json", "--threads", "1"];
  const { stdout, stderr } = await rank1(...args);
  expect(stderr).toBe("");
  const { version, filters, pictures, failures, engine } = JSON.parse(stdout);
  expect([version, filters, failures, engine.threads]).toEqual([1, ["gaussian:sigma=2"], [], 1]);
  expect(pictures).toHaveLength(1);
  expect(pictures[0]).toMatchObject({
    input: path("in.png"),
    output: path("j.png"),
    width: 40,
    height: 30,
    channels: 3,
    type: "u8",
    alpha: false,
  });
  expect(pictures[0].plans[0]).toMatchObject({ solver: "column-row", error: 0 });
  expect(Object.keys(pictures[0].milliseconds)).toEqual(["read", "filter", "write"]);
});

test("several pictures: one that fails does not stop the others, and the exit code is 3", async () => {
  const out = path("several/of/them"); // folders are made
  await writePicture(path("one.png"), noise(10, 10, 3, 8));
  await writePicture(path("two.webp"), noise(10, 10, 3, 8));
  const inputs = [path("one.png"), path("missing.png"), path("two.webp")];
  const { code, stderr } = await rank1("filter", ...inputs, "-o", `${out}/`, "-f", "box:3", "--format", "avif");
  expect(code).toBe(3);
  expect(stderr).toMatch(/^rank1: .*missing\.png: expected a readable file/m);
  expect(stderr).toMatch(/rank1: 1 of 3 pictures failed\n$/);
  expect(readdirSync(out).sort()).toEqual(["one.avif", "two.avif"]);
  const none = await rank1("filter", path("missing.png"), path("gone.png"), "-o", path("none/"), "-f", "box:3");
  expect([none.code, existsSync(path("none"))]).toEqual([1, false]);
});

test("a list of files alone writes nothing: results go where -o says, and replace files only with --force", async () => {
  const [a, b] = [path("glob-a.png"), path("glob-b.png")];
  for (const [i, file] of [a, b].entries()) await writePicture(file, noise(10 + i, 10, 3, 8));
  const before = [readFileSync(a), readFileSync(b)];
  const attempts = [[], ["-o", b], ["-o", b, "--force"], ["-o", `${folder}/`], ["-o", `${folder}/`, "--force"]];
  for (const more of attempts) {
    const { code, stderr } = await rank1("filter", a, b, "-f", "sobel", ...more);
    expect([code !== 0, stderr]).toEqual([true, expect.stringMatching(/^rank1: .*-o|^rank1: .*glob-[ab]\.png: /)]);
  }
  expect((await rank1("filter", a, "-o", b, "-f", "sobel")).stderr).toMatch(/free, got a file; --force replaces it/);
  expect([readFileSync(a), readFileSync(b)]).toEqual(before);
});

test("--page, --strip, --raw and .npy; what is not kept is a line, and in --json a note", async () => {
  const pages = [noise(10, 8, 3, 8), noise(12, 9, 1, 16)];
  await writePicture(path("pages.tiff"), { pages });
  const run = (input: string, output: string, ...more: string[]) =>
    rank1("filter", path(input), "-o", path(output), "-f", "identity", "--force", ...more);
  expect((await run("pages.tiff", "both.tiff")).stderr).toMatch(/ {2}2 of 10 × 8 × 3 u8 {2}/);
  expect((await readPictures(path("both.tiff"))).pages.map(({ data }) => data)).toEqual(pages.map(({ data }) => data));
  const second = await run("pages.tiff", "second.avif", "--page", "2");
  expect(second.stderr).toMatch(/\nrank1: .*pages\.tiff: 16 bits a channel become 8: AVIF holds no more\n$/);
  const told = JSON.parse((await run("pages.tiff", "second.jpg", "--page", "2", "--json")).stdout);
  expect(told.pictures[0]).toMatchObject({ pages: 1, notes: ["16 bits a channel become 8: JPEG holds no more"] });
  const one = await run("pages.tiff", "one.png");
  expect([one.code, one.stderr]).toEqual([
    1,
    expect.stringMatching(/one\.png: expected one picture for PNG, got 2; .*--page 1/),
  ]);
  await run("pages.tiff", "first.raw", "--page", "1");
  expect(readFileSync(path("first.raw"))).toEqual(Buffer.from(pages[0]!.data));
  await run("first.raw", "first.npy", "--raw", "10x8x3:u8");
  expect(readNpy(readFileSync(path("first.npy")))).toEqual({ shape: [8, 10, 3], data: pages[0]!.data });
  const piped = await spawnRank1(["filter", "-", "-o", "-", "-f", "identity", "--raw", "10x8x3", "--quiet"], {
    input: pages[0]!.data as Uint8Array,
  });
  expect(piped.bytes).toEqual(Buffer.from(pages[0]!.data));
  await sharp(pages[0]!.data, { raw: { width: 10, height: 8, channels: 3 } })
    .withExif({ IFD0: { Copyright: "A. Body" } })
    .jpeg()
    .toFile(path("mine.jpg"));
  await run("mine.jpg", "kept.jpg");
  await run("mine.jpg", "bare.jpg", "--strip");
  const exifOf = async (name: string) => (await readPicture(path(name))).metadata?.exif;
  expect(Buffer.from((await exifOf("kept.jpg"))!).toString("latin1")).toContain("A. Body");
  expect(await exifOf("bare.jpg")).toBeUndefined();
});

test("Ctrl-C ends with 130 and leaves nothing", async () => {
  const out = path("interrupted");
  mkdirSync(out);
  const waiting = await spawnRank1(["filter", "-", "-o", join(out, "x.png"), "-f", "box:3"], {
    input: null,
    // More than a pipe holds: once it is written, the process is at work, and waits for the rest
    started: (child) => child.stdin!.write(new Uint8Array(1 << 20), () => child.kill("SIGINT")),
  });
  expect([waiting.code, waiting.stderr]).toEqual([130, "rank1: interrupted\n"]);
  await writePicture(path("large.png"), noise(1000, 1000, 3, 8));
  const slow = ["filter", path("large.png"), "-o", join(out, "y.png"), "-f", "disk:6", "--backend", "reference"];
  const working = await rank1With(AbortSignal.timeout(500), ...slow);
  expect([working.code, working.stderr]).toEqual([130, "rank1: interrupted\n"]);
  expect(readdirSync(out)).toEqual([]);
});

const suite = dataPath("images/pngsuite");
const missing = withoutData("images/pngsuite");
test.skipIf(missing)(`PngSuite: sound files filter, broken ones fail${missing}`, async () => {
  const out = path("suite");
  mkdirSync(out);
  const names = readdirSync(suite).filter((name) => name.endsWith(".png"));
  const inputs = names.map((name) => join(suite, name));
  const { code, stdout } = await rank1("filter", ...inputs, "-o", out, "-f", "gaussian", "--json");
  const { pictures, failures } = JSON.parse(stdout);
  const sound = names.filter((name) => !name.startsWith("x"));
  expect(code).toBe(3);
  expect(
    readdirSync(out)
      .filter((name) => name !== ".rank1")
      .sort(),
  ).toEqual(sound.sort());
  expect([pictures.length, failures.length]).toEqual([sound.length, names.length - sound.length]);
  const before = await readPicture(join(suite, "basn2c16.png"));
  const after = await readPicture(join(out, "basn2c16.png"));
  expect([after.width, after.height, after.channels, after.data.constructor]).toEqual([32, 32, 3, Uint16Array]);
  expect(after.data).not.toEqual(before.data);
  expect(readFileSync(join(out, "basn2c16.png")).subarray(1, 4).toString()).toBe("PNG");
});
