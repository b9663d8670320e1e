// Pictures larger than memory: what is filtered strip by strip is, byte for byte, what the whole picture gives, for all filters,
// borders, types and formats; what cannot be is refused; nothing is left behind.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Border, createEngine, type Engine, type Filter } from "../../src/index.ts";
import { type FilterFileOptions, filterFile, readPicture, writePicture } from "../../src/node/index.ts";
import { reachOf, rowsRead, stripsOf } from "../../src/node/strips.ts";
import type { ImageDType } from "../../src/tensor.ts";
import { random, randomImage } from "../oracle.ts";
import { temporaryFolder } from "./folder.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
/** Pictures of more than 150 kB are filtered strip by strip, with some rows each. */
const memory = 2 ** 20;
let engine: Engine;

beforeAll(async () => {
  engine = await createEngine({ threads: 2 });
});
afterAll(() => engine.dispose());

/** Files that are no results. */
const left = (): string[] => readdirSync(folder).filter((name) => name.startsWith("."));

/** What becomes of a file as a whole and in strips: the file and what is said of it, or the message. */
async function both(input: string, ending: string, filter: Filter | Filter[], options: FilterFileOptions) {
  const one = async (name: string, more: FilterFileOptions) => {
    const output = path(name + ending);
    try {
      const report = await filterFile(path(input), output, filter, { engine, force: true, ...options, ...more });
      return [readFileSync(output), { ...report, output: "", milliseconds: 0 }] as const;
    } catch (error) {
      return (error as Error).message;
    }
  };
  return [await one("whole", { memory: 2 ** 40 }), await one("strips", { memory })] as const;
}

const borders: Border[] = ["constant", "edge", "reflect", "symmetric", "wrap"];
const some: (Filter | Filter[])[] = [
  ...["gaussian:1", "gaussian:sigma=2x4", "box:5", "sobel-x", "sobel", "scharr", "laplacian-8", "sharpen", "emboss"],
  ...["unsharp:amount=0.8,sigma=2", "unsharp:threshold=9,sigma=1", "motion:length=7,angle=30", "disk:3.5", "disk:11"],
  [[1, 0, -2, 4], [0, 0, 0, 5]],
  { column: [0.3, -1.7], row: [2.5, 0, Math.PI] },
  ["gaussian:1", "sharpen"],
  ["sharpen", "gaussian:1", "sobel"],
  ["sobel-y", "box:3"],
]; // biome-ignore format: matrices

/** A file and how it is filtered, by a number. */
async function caseOf(seed: number) {
  const next = random(seed);
  const one = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const dtype = one<ImageDType>(["u8", "u8", "u8", "u16", "f32"]);
  const channels = one([1, 2, 3, 3, 4]);
  const bytes = channels * { u8: 1, u16: 2, f32: 4 }[dtype as "u8"];
  // Of thin ones plans may be turned, and floats be summed in another order.
  const width = one([64, 150, 333]) + Math.floor(next() * 9);
  const height = Math.ceil((160e3 + next() * 60e3) / (width * bytes));
  const image = randomImage(width, height, channels, dtype, seed);
  const alpha = channels % 2 === 0;
  if (alpha) opacities(image.data, channels, dtype, one(["any", "opaque", "rows"]), width);
  const filter = one(some);
  const single = !Array.isArray(filter) || Array.isArray(filter[0]);
  const options: FilterFileOptions = {
    ...(next() < 0.7 && { border: one(borders) }),
    ...(single && next() < 0.2 && { extent: one(["valid", "full"] as const) }),
    ...(next() < 0.2 && { type: one(["f32", "u8", "u16"] as const) }),
    ...(next() < 0.2 && { gain: 1.5, offset: 3 }),
    ...(next() < 0.2 && { grey: one([true, false]) }),
    ...(next() < 0.2 && { show: one(["abs", "clip", "signed"] as const) }),
    ...(next() < 0.15 && { linear: true }),
    ...(next() < 0.15 && { tolerance: 0.05 }),
    ...(next() < 0.15 && { flip: true }),
    ...(next() < 0.3 && alpha && { alpha: one(["keep", "premultiply", "none"] as const) }),
    ...(next() < 0.2 && { region: { x: 1, y: 5, width: width - 2, height: height - 9 } }),
    ...(single && next() < 0.1 && { mask: { ...randomImage(width, height, 1, "u8", seed + 1) } }),
  };
  if (options.border === "constant" && next() < 0.5) options.borderValue = 1;
  await writePicture(path("in.tif"), { ...image, alpha, hasAlpha: alpha });
  return {
    filter,
    options,
    what: JSON.stringify({ seed, filter, ...options, mask: options.mask && 1, width, height, channels, dtype }),
  };
}

/** Alpha of all kinds, 1 everywhere, or other than that in a few rows alone. */
function opacities(
  data: { [i: number]: number; length: number },
  channels: number,
  dtype: ImageDType,
  kind: string,
  width: number,
) {
  const full = dtype === "u8" ? 255 : dtype === "u16" ? 65535 : 1;
  for (let i = channels - 1; i < data.length; i += channels) {
    const row = Math.floor(i / channels / width);
    const isOpaque = kind === "opaque" || (kind === "rows" && row > 8);
    if (isOpaque) data[i] = full;
    else if (dtype === "f32") data[i] = Math.abs(data[i]!) % 1;
  }
}

test("any picture, filters and options: the same bytes and report as of the whole", async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(1e9), async (seed) => {
      const { filter, options, what } = await caseOf(seed);
      const [whole, strips] = await both("in.tif", ".tif", filter, options);
      const messages = [whole, strips].map((one) => (typeof one === "string" ? one : "none"));
      if (messages[1]!.includes("of memory")) return;
      expect(messages[1], what).toBe(messages[0]);
      if (typeof whole === "string" || typeof strips === "string") return;
      expect(strips[1], what).toEqual(whole[1]);
      expect(strips[0].equals(whole[0]), what).toBe(true);
      count++;
    }),
    { numRuns: 12 },
  );
  expect(count).toBeGreaterThan(5);
  expect(left()).toEqual([]);
}, 300_000);

test("large filters by spectra, coarse grids and running sums, and thin pictures", async () => {
  const rows = (f: (x: number, y: number) => number) => Array.from({ length: 23 }, (_, y) => Array.from({ length: 23 }, (_, x) => f(x, y))); // biome-ignore format: a line
  const cases: [Filter, FilterFileOptions, number, string, Border][] = [
    [rows((x, y) => Math.sin(x * y + 1)), { gain: 0.02, strategy: "fft" }, 500, "fft", "reflect"],
    ["gaussian:sigma=12", { tolerance: 0.05, strategy: "coarse" }, 300, "coarse", "wrap"],
    ["box:31", {}, 300, "running-sum", "symmetric"],
    ["box:3", {}, 5, "", "wrap"],
  ];
  for (const [filter, options, width, solver, border] of cases) {
    await writePicture(path("in.npy"), randomImage(width, Math.ceil(3e6 / width), 1, "u8", width));
    const one = async (name: string, memory: number) => {
      const { plans } = await filterFile(path("in.npy"), path(name), filter, {
        engine,
        force: true,
        border,
        ...options,
        memory,
      });
      expect(plans[0]!.solver, name).toContain(solver);
      return readFileSync(path(name));
    };
    const whole = await one("whole.npy", 2 ** 40);
    // Tiles and halos take what they take: a strip of some, of a picture of some strips.
    expect((await one("strips.npy", 2e7)).equals(whole), `${solver} ${border} ${width}`).toBe(true);
  }
}, 120_000);

describe("formats", () => {
  const icc = async () => (await sharp({ create: { width: 1, height: 1, channels: 3, background: "red" } }).withMetadata().png().toBuffer().then((file) => sharp(file).metadata())).icc; // biome-ignore format: a chain

  test("profile, EXIF, resolution and alpha go from any format to any, and the bytes are the same", async () => {
    const rest = { icc: await icc(), metadata: { density: 300 } };
    for (const [input, dtype, channels] of [
      ["in.png", "u8", 4],
      ["in.png", "u16", 2],
      ["in.jpg", "u8", 3],
      ["in.tif", "f32", 4],
    ] as const) {
      const image = randomImage(210, 290, channels, dtype, 3);
      const alpha = channels % 2 === 0;
      if (alpha) opacities(image.data, channels, dtype, "any", 210);
      await writePicture(path(input), { ...image, alpha, hasAlpha: alpha, ...rest });
      for (const ending of dtype === "f32" ? [".tif", ".npy", ".raw"] : [".tif", ".png", ".jpg", ".npy", ".raw"]) {
        const [whole, strips] = await both(input, ending, "gaussian:1", {});
        if (typeof whole === "string" || typeof strips === "string") throw new Error(`${input} ${ending} ${strips}`);
        expect(strips[1]).toEqual(whole[1]);
        expect(strips[0].equals(whole[0]), `${input} ${dtype} ${ending}`).toBe(true);
      }
    }
  }, 120_000);

  test("EXIF's orientations, pages, CMYK, arrays and raw pixels", async () => {
    const pixels = randomImage(211, 303, 3, "u8", 8).data as Uint8Array;
    const raw = { raw: { width: 211, height: 303, channels: 3 } } as const;
    for (let orientation = 2; orientation <= 8; orientation++) {
      await sharp(pixels, raw).withMetadata({ orientation }).tiff({ compression: "lzw" }).toFile(path("in.tif"));
      const [whole, strips] = await both("in.tif", ".tif", "sharpen", {});
      expect((strips[0] as Buffer).equals(whole[0] as Buffer), `orientation ${orientation}`).toBe(true);
    }
    await sharp(pixels, raw).toColourspace("cmyk").tiff().toFile(path("in.tif"));
    await writePicture(path("pages.tif"), {
      pages: [randomImage(200, 300, 3, "u8", 1), randomImage(90, 500, 1, "u16", 2)],
    });
    writeFileSync(path("in.raw"), pixels);
    await writePicture(path("in.npy"), randomImage(90, 200, 5, "i32", 1));
    const all: [string, string, FilterFileOptions][] = [
      ["in.tif", ".tif", {}],
      ["pages.tif", ".tif", {}],
      ["pages.tif", ".png", { page: 1 }],
      ["in.raw", ".tif", { raw: { width: 211, height: 303, channels: 3, dtype: "u8" } }],
      ["in.npy", ".npy", {}],
    ];
    for (const [input, ending, options] of all) {
      const [whole, strips] = await both(input, ending, "sobel-x", options);
      expect(strips[1], input).toEqual(whole[1]);
      expect((strips[0] as Buffer).equals(whole[0] as Buffer), input).toBe(true);
    }
  }, 120_000);
});

describe("what is refused or stopped", () => {
  beforeAll(() => writePicture(path("large.tif"), randomImage(700, 900, 3, "u8", 1)));

  test("says what to do, and leaves nothing behind", async () => {
    const fails = async (filter: Filter, options: FilterFileOptions, output = "no.tif") =>
      filterFile(path("large.tif"), path(output), filter, { engine, memory, ...options }).then(
        String,
        ({ message }: Error) => message,
      );
    expect(await fails("canny", {})).toMatch(/expected filters that can be applied strip by strip, as the picture is larger than memory, got canny.*; a larger memory/); // biome-ignore format: a line
    expect(await fails("gaussian:sigma=40", {})).toMatch(/expected strips within 524 kB|expected strips within .* of memory, got .* for the rows that the filters read at once; raise memory \(--memory\) to \d+M/); // biome-ignore format: a line
    expect(await fails("box:3", { memory: 5 })).toMatch(/^memory: expected an integer of at least 1048576/);
    expect(await fails("box:3", { maxPixels: 1000 })).toMatch(/expected at most 1000 pixels/);
    writeFileSync(path("cut.tif"), readFileSync(path("large.tif")).subarray(0, 3e5));
    await expect(filterFile(path("cut.tif"), path("no.tif"), "box:3", { engine, memory })).rejects.toThrow(
      /cut\.tif: expected/,
    );
    expect(left()).toEqual([]);
    expect(readdirSync(folder)).not.toContain("no.tif");
    // Nobody has asked for less memory, and there is enough.
    expect((await filterFile(path("large.tif"), path("canny.png"), "canny", { engine })).type).toBe("u8");
  });

  test("an abort ends it at any time, and what is told of it grows to 1", async () => {
    const seen: number[] = [];
    const onProgress = (done: number): void => void seen.push(done);
    await filterFile(path("large.tif"), path("all.tif"), "sobel-x", { engine, memory, onProgress });
    expect([...seen].sort((a, b) => a - b)).toEqual(seen);
    expect(seen.at(-1)).toBe(1);
    for (const at of [0, 0.01, 0.6]) {
      const stop = new AbortController();
      if (at === 0) setTimeout(() => stop.abort(new Error("enough")), 5);
      const run = filterFile(path("large.tif"), path("half.png"), "box:3", {
        ...{ engine, memory, signal: stop.signal },
        onProgress: (done) => void (at > 0 && done >= at && stop.abort(new Error("enough"))),
      });
      await expect(run).rejects.toThrow("enough");
      expect(readdirSync(folder)).not.toContain("half.png");
      expect(left()).toEqual([]);
    }
    expect((await readPicture(path("all.tif"))).width).toBe(700);
  });
});

test("rows that are read, and strips: all rows once, borders inside", () => {
  fc.assert(
    fc.property(fc.nat(300), fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 90 }), fc.constantFrom(...borders), (h, above, below, each, border) => {
      const height = h + 1;
      const strips = stripsOf({ from: 0, to: height }, each, 4);
      expect(strips.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))).toEqual([...Array(height).keys()]);
      for (const strip of strips) {
        const [read] = rowsRead([{ above, below, align: 1 }], strip, height, border) as [{ from: number; to: number }];
        if (border === "wrap") expect(read).toEqual({ from: strip.from - above, to: strip.to + below });
        else {
          expect(read.from).toBeLessThanOrEqual(Math.max(0, strip.from - above));
          expect(read.to).toBeGreaterThanOrEqual(Math.min(height, strip.to + below));
          expect(read.from >= 0 && read.to <= height).toBe(true);
          const beyond = Math.max(above - strip.from, strip.to + below - height, 0);
          if (beyond >= height) expect(read).toEqual({ from: 0, to: height });
        }
      }
    }),
  ); // biome-ignore format: a property
  expect(reachOf([])).toEqual({ above: 0, below: 0, align: 1 });
});
