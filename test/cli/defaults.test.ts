// What rank1 filter does where nothing is said: faint derivatives are scaled, tap sums that change the brightness are said,
// pipes keep the input's format, edges in a chain see transparent areas as white.
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { encodePicture, encodePictures, writePicture } from "../../src/node/encode.ts";
import { filterFile } from "../../src/node/filter-file.ts";
import { writeNpy } from "../../src/node/npy.ts";
import { type Picture, readPicture, readPictures } from "../../src/node/pictures.ts";
import { temporaryFolder } from "../node/folder.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

/** A ramp with a soft spot. */
function soft(width: number, height: number, depth: 8 | 16, contrast = 1): Picture {
  const full = 2 ** depth - 1;
  const data = new (depth === 8 ? Uint8Array : Uint16Array)(width * height);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [(i % width) - width / 2, Math.floor(i / width) - height / 2];
    data[i] = Math.round(full * (0.3 + contrast * (0.5 * Math.exp(-(x * x + y * y) / 50) + x / width / 5)));
  }
  return { width, height, channels: 1, data, alpha: false };
}

async function run(picture: Picture, ...flags: string[]): Promise<{ picture: Picture; notes: string[] }> {
  await writePicture(path("in.png"), picture);
  const { code, stdout, stderr } = await rank1("filter", path("in.png"), "-o", path("out.png"), "--force", "--json", ...flags); // biome-ignore format: a call
  expect([code, stderr]).toEqual([0, ""]);
  return { picture: await readPicture(path("out.png")), notes: JSON.parse(stdout).pictures[0].notes };
}

const peak = ({ data }: Picture): number => Math.max(...data);

describe("faint derivatives", () => {
  test.each(["laplacian-of-gaussian:sigma=3", "difference-of-gaussians", "sobel-x", "laplacian-4"])("of %s fill the range, and a note says it", async (filter) => {
    for (const depth of [8, 16] as const) {
      const full = 2 ** depth - 1;
      const source = soft(64, 48, depth);
      const plain = await run(source, "-f", filter, "--show", "abs");
      expect(peak(plain.picture)).toBeLessThan(full / 2);
      expect(plain.notes).toEqual([]);
      const { picture, notes } = await run(source, "-f", filter);
      expect(peak(picture)).toBe(full);
      expect(notes).toHaveLength(1);
      const [, times] = /^values reach \S+ of \d+: they are shown (\S+) times as large/.exec(notes[0]!)!;
      const off = picture.data.map((v, i) => (v === full ? 0 : Math.abs(v - Number(times) * plain.picture.data[i]!)));
      expect(Math.max(...off)).toBeLessThanOrEqual(0.51 * Number(times) + 0.01 * full);
    }
  }); // biome-ignore format: a call

  test("are scaled in linear light and in chains, too", async () => {
    for (const flags of [
      ["--linear", "-f", "laplacian-of-gaussian:sigma=3"],
      ["-f", "gaussian:2", "-f", "sobel-x"],
    ]) {
      const { picture, notes } = await run(soft(64, 48, 8), ...flags);
      expect(peak(picture)).toBe(255);
      expect(notes).toEqual([expect.stringMatching(/^values reach /)]);
    }
  });

  test.each([["--show", "abs"], ["--gain", "1"], ["--offset", "0"], ["--type", "u8"]])("stay as they are with %s %s", async (...flags) => {
    const { picture, notes } = await run(soft(64, 48, 8), "-f", "laplacian-of-gaussian:sigma=3", ...flags);
    expect(peak(picture)).toBeLessThan(64);
    expect(notes).toEqual([]);
  }); // biome-ignore format: a call

  test("flat pictures stay black, strong ones as they are", async () => {
    const flat = { ...soft(64, 48, 8), data: new Uint8Array(64 * 48).fill(199) };
    expect(await run(flat, "-f", "laplacian-of-gaussian:sigma=3")).toMatchObject({ notes: [] });
    expect(peak((await run(flat, "-f", "laplacian-of-gaussian:sigma=3")).picture)).toBe(0);
    const stripes = { ...flat, data: flat.data.map((_, i) => (i % 4 < 2 ? 200 : 20)) };
    expect((await run(stripes, "-f", "sobel-x")).notes).toEqual([]);
  });

  test("frames share one scale", async () => {
    const frames = [0, 1, 0.5].map((contrast) => soft(64, 48, 8, contrast));
    await writePicture(path("pages.tiff"), { pages: frames });
    const report = await filterFile(path("pages.tiff"), path("log.tiff"), "laplacian-of-gaussian:sigma=3", {
      force: true,
    });
    const peaks = (await readPictures(path("log.tiff"))).pages.map(peak);
    expect([peaks[0], peaks[1]]).toEqual([0, 255]);
    expect(Math.abs(peaks[2]! - 127)).toBeLessThan(30);
    expect(report.notes).toHaveLength(1);
  });
});

describe("tap sums", () => {
  test.each<[filter: string, note: RegExp | undefined]>([
    ["[[1,2,1],[2,4,2],[1,2,1]]", /^the taps sum to 16: .* 16 times as bright, up to white \(--gain 0\.0625 keeps/],
    ['{"column":[1,2,1],"row":[1,2,1]}', /sum to 16: .*--gain 0\.0625 /],
    ["[[0.1,0.1]]", /sum to 0\.2: the picture becomes dark \(--gain 5 /],
    ["[[-1,-2,-1]]", /sum to -4: results are below 0, and written as 0 \(--gain -0\.25 /],
    ["[[2]]", undefined],
    ["sharpen", undefined],
    ["gaussian:2", undefined],
    ["unsharp:threshold=3", undefined],
  ])("of %s", async (filter, note) => {
    const { notes } = await run(soft(24, 18, 8), "-f", filter);
    expect(notes).toEqual(note ? [expect.stringMatching(note)] : []);
    for (const flags of [
      ["--gain", "0.5"],
      ["--offset", "9"],
      ["--type", "u8"],
    ])
      expect((await run(soft(24, 18, 8), "-f", filter, ...flags)).notes).toEqual([]);
  });

  test("of several filters count together; a gain that a note names keeps the brightness", async () => {
    const chain = ["-f", "[[1,1]]", "-f", "box:3", "-f", "[[2],[2]]"];
    expect((await run(soft(24, 18, 8), ...chain)).notes).toEqual([expect.stringMatching(/sum to 8: .*--gain 0\.125 /)]);
    const flat = { ...soft(24, 18, 8), data: new Uint8Array(24 * 18).fill(77) };
    expect((await run(flat, ...chain, "--gain", "0.125")).picture.data).toEqual(flat.data);
  });
});

test("a pipe keeps the input's format, of arrays and frames too", async () => {
  const grey = soft(24, 18, 8);
  const data = grey.data as Uint8Array;
  const colour = { ...grey, width: 8, channels: 3 };
  const moving = await encodePictures([colour, { ...colour, data: data.map((v) => 255 - v) }], "gif", {
    animation: { delays: [50, 90], loop: 0 },
  });
  for (const [format, input] of [
    ["jpeg", await encodePicture(grey, "jpeg")],
    ["webp", await encodePicture(colour, "webp")],
    ["tiff", await encodePicture(grey, "tiff")],
    ["gif", moving.bytes],
  ] as const) {
    const { code, bytes, stderr } = await spawnRank1(["filter", "-", "-o", "-", "-f", "box:3", "--quiet"], { input });
    expect([code, stderr]).toEqual([0, ""]);
    const found = await sharp(bytes).metadata();
    expect([found.format, found.pages ?? 1]).toEqual([format, format === "gif" ? 2 : 1]);
  }
  const array = writeNpy({ shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, -6) });
  const { bytes } = await spawnRank1(["filter", "-", "-o", "-", "-f", "identity", "--quiet"], { input: array });
  expect(bytes.equals(array)).toBe(true);
});

test("--colour is --no-grey, in both spellings", async () => {
  const { data } = soft(24, 18, 8);
  const colours = { width: 8, height: 18, channels: 3, data, alpha: false };
  for (const flag of ["--colour", "--color", "--no-grey"])
    expect((await run(colours, "-f", "sobel", flag)).picture.channels).toBe(3);
  expect((await run(colours, "-f", "sobel")).picture.channels).toBe(1);
  const both = await rank1("filter", path("in.png"), "-o", path("x.png"), "-f", "sobel", "--grey", "--colour");
  expect([both.code, both.stderr]).toEqual([2, expect.stringMatching(/--colour: expected either --grey or --colour/)]);
});

test("--json does not list verdicts on kernels", async () => {
  await writePicture(path("in.png"), soft(24, 18, 8));
  const { stdout } = await rank1("filter", path("in.png"), "-o", path("v.png"), "-f", "box:3", "--json");
  expect(Object.keys(JSON.parse(stdout).engine.wide)).not.toContain("verdicts");
});

test("edges in a chain see what is transparent as white, with 8 and 16 bits", async () => {
  for (const depth of [8, 16] as const) {
    const full = 2 ** depth - 1;
    const data = new (depth === 8 ? Uint8Array : Uint16Array)(40 * 30 * 4);
    // Visible white on the left, hidden black on the right: no edge between them. Visible black in a corner: one.
    for (let i = 0; i < 40 * 30; i++) {
      const [x, y] = [i % 40, Math.floor(i / 40)];
      data.set(x < 10 && y < 10 ? [0, 0, 0, full] : x < 20 ? [full, full, full, full] : [0, 0, 0, 0], i * 4);
    }
    const source: Picture = { width: 40, height: 30, channels: 4, data, alpha: true };
    const alone = (await run(source, "--no-grey", "-f", "canny:sigma=0")).picture;
    const { picture } = await run(source, "-f", "identity", "-f", "canny:sigma=0");
    expect(picture.channels).toBe(1);
    const edge = (one: Picture, x: number, y: number): number => one.data[(y * 40 + x) * one.channels]!;
    for (const one of [alone, picture]) {
      for (let y = 0; y < 30; y++) for (const x of [18, 19, 20, 21]) expect(edge(one, x, y), `${x}, ${y}`).toBe(0);
      expect(Math.max(edge(one, 9, 5), edge(one, 10, 5))).toBeGreaterThan(0);
    }
  }
});
