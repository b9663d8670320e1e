// Compiled filters, loaded as files are: the bits of an engine's 128-bit code on one thread.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { compileFilter } from "../../src/ahead/index.ts";
import { createEngine, type Image } from "../../src/index.ts";
import { imageDTypes } from "../../src/tensor.ts";
import { randomImage } from "../oracle.ts";
import { type LoadedFilter, load } from "./load.ts";

const engines = {
  relaxed: await createEngine({ backend: "wasm", threads: 1 }),
  plain: await createEngine({ backend: "wasm", threads: 1, deterministic: true }),
};
afterAll(() => {
  for (const engine of Object.values(engines)) engine.dispose();
});

const bytes = ({ data }: Pick<Image, "data">): string => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"); // biome-ignore format: a line

const cases = fc.record({
  ...{ width: fc.integer({ min: 9, max: 70 }), height: fc.integer({ min: 1, max: 40 }) },
  ...{ channels: fc.integer({ min: 1, max: 4 }), dtype: fc.constantFrom(...imageDTypes), seed: fc.nat(1e6) },
  filter: fc.constantFrom("gaussian:1.5", "sobel-x", "box:5", "box:9x3", "unsharp", "disk:4", "motion:length=9,angle=30", "identity"), // biome-ignore format: a line
  options: fc.record(
    {
      border: fc.constantFrom(
        "reflect" as const,
        "edge" as const,
        "wrap" as const,
        "symmetric" as const,
        "constant" as const,
      ),
      ...{ gain: fc.constantFrom(1, 0.3), offset: fc.constantFrom(0, 5), flip: fc.boolean() },
    },
    { requiredKeys: ["border"] },
  ),
  ...{ hasAlpha: fc.boolean(), opaque: fc.boolean(), premultiplied: fc.boolean() },
});

it("give the engine's bits: 80 random ones, with fused multiply-adds and without", { timeout: 300_000 }, async () => {
  let compiled = 0;
  await fc.assert(
    fc.asyncProperty(cases, async ({ width, height, channels, dtype, seed, filter, options, opaque, ...given }) => {
      const hasAlpha = given.hasAlpha && channels % 2 === 0;
      const image: Image = { ...randomImage(width, height, channels, dtype, seed), hasAlpha, premultiplied: hasAlpha && given.premultiplied }; // biome-ignore format: a line
      const full = dtype.startsWith("f")
        ? 1
        : 2 ** (8 * image.data.BYTES_PER_ELEMENT - (dtype.startsWith("i") ? 1 : 0)) - 1;
      if (opaque && hasAlpha) for (let i = channels - 1; i < image.data.length; i += channels) image.data[i] = full;
      const files = await compileFilter(filter, { width, height, channels, dtype, hasAlpha }, options).catch(
        (error) => {
          // Of few columns.
          if (error.parameter !== "picture") throw error;
        },
      );
      if (!files) return;
      compiled++;
      for (const mode of ["relaxed", "plain"] as const) {
        const run = await load<LoadedFilter>(files, mode);
        const wanted = await engines[mode].filter(image, filter, options);
        expect(bytes(run(image)), mode).toBe(bytes(wanted));
        const out = wanted.data.slice();
        out.fill(0);
        expect(run(image, { out }).data).toBe(out);
        expect(bytes({ data: out })).toBe(bytes(wanted));
      }
    }),
    { numRuns: 80 },
  );
  expect(compiled).toBeGreaterThan(40);
});

it("are small: a Gaussian of 640 x 480 x 3 pixels with its loader below 8 kB", async () => {
  const { gzipSync } = await import("node:zlib");
  const { files } = await compileFilter("gaussian:sigma=2", { width: 640, height: 480, channels: 3, dtype: "u8" });
  expect(Object.keys(files)).toEqual(["filter.wasm", "filter.js", "filter.d.ts", "filter.worker.js", "filter.worker.d.ts", "filter.source.js", "filter.source.d.ts"]); // biome-ignore format: a line
  const gzipped = (name: string): number => gzipSync(files[name]!).length;
  expect(gzipped("filter.wasm") + gzipped("filter.js") + gzipped("filter.worker.js")).toBeLessThan(8000);
  expect(gzipped("filter.js")).toBeLessThan(6000);
});

it("say which version made them", async () => {
  const { files } = await compileFilter("box:3", { width: 9, height: 9, channels: 1, dtype: "u8" });
  expect(files["filter.js"]).toMatch(new RegExp(`^// box:3; made by rank1 ${manifest.version}, data [0-9a-f]{8}\n`));
});

it("take ImageData, and give arrays of its kind", async () => {
  const run = await load<LoadedFilter>(await compileFilter("box:3", { width: 9, height: 9, channels: 4, dtype: "u8", hasAlpha: true })); // biome-ignore format: a line
  const data = new Uint8ClampedArray(9 * 9 * 4).fill(255);
  expect(run({ width: 9, height: 9, data })).toEqual({ width: 9, height: 9, channels: 4, data });
});

describe("refuse, with a code and the parameter", () => {
  const picture = { width: 20, height: 10, channels: 1, dtype: "u8" } as const;
  it.each([
    ["canny", picture, {}, "filter: expected a linear filter"],
    ["sobel", picture, {}, "filter: expected a linear filter"],
    ["unsharp:threshold=9", picture, {}, "filter: expected a linear filter"],
    ["gausian", picture, {}, "gaussian"],
    ["box:3", { ...picture, width: 0 }, {}, "width"],
    ["box:3", { ...picture, width: 3, height: 50_000 }, {}, "picture: expected rows of at least 64 elements"],
    ["box:3", picture, { name: "../x" }, "name: expected letters"],
    ["box:3", picture, { region: { x: 0, y: 0, width: 1, height: 1 } }, "region"],
    ["box:3", picture, { nan: "ignore" }, "nan"],
  ])("compiling %s %j %j", async (filter, spec, options, message) => {
    await expect(compileFilter(filter, spec, options as object)).rejects.toThrow(message);
  });

  it("runs of other pictures", async () => {
    const run = await load<LoadedFilter>(await compileFilter("box:3", picture));
    const data = new Uint8Array(200);
    for (const [image, message] of [
      [{ data: new Uint8Array(199) }, "image: expected 20 x 10 x 1 of u8, 200 elements, got Uint8Array of 199"],
      [{ data, width: 10, height: 20 }, "image: expected"],
      [{ data: new Float32Array(200) }, "image: expected"],
      [{ data: undefined }, "image: expected"],
    ] as const)
      expect(() => run(image as unknown as Image)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT", parameter: "image", message: expect.stringContaining(message) })); // biome-ignore format: a line
    expect(() => run({ data }, { out: new Uint8Array(3) })).toThrow("out: expected 200 elements of u8");
  });

  it("loading without SIMD, or what is no module", async () => {
    const files = await compileFilter("box:3", picture);
    await expect(load(files, "relaxed", { module: {} as WebAssembly.Module })).rejects.toThrow("module: expected a WebAssembly.Module, got Object"); // biome-ignore format: a line
    // Code that this host does not know stands for relaxed SIMD: the other file serves.
    const broken = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0, 255]);
    const one = await compileFilter("box:3", { ...picture, dtype: "f32" });
    const without = (...names: string[]) => ({ files: { ...one.files, ...Object.fromEntries(names.map((name) => [name, broken])) } }); // biome-ignore format: a line
    const run = await load<LoadedFilter>(without("filter.wasm"));
    expect(run({ data: new Float32Array(200).fill(3) }).data.every((value) => Math.abs(value - 3) < 1e-6)).toBe(true);
    const neither = load(without("filter.wasm", "filter.simd.wasm"));
    await expect(neither).rejects.toThrow(expect.objectContaining({ code: "UNSUPPORTED", parameter: "module" }));
  });
});
