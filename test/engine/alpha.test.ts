// What becomes of an alpha channel: weighted by it, kept, or filtered like the others.
import { describe, expect, it } from "vitest";
import type { Filter, FilterOptions, Image, ImageDType } from "../../src/index.ts";
import { arrays, correlate, random, randomImage, ranges } from "../oracle.ts";
import { strategiesOf } from "../strategies.ts";
import { bits, rowsOf, testEngines, worst } from "./engines.ts";

const fullOf = (dtype: ImageDType): number => (ranges[dtype][1] === Infinity ? 1 : ranges[dtype][1]);

/** Random colours; alpha from transparent to opaque. */
function translucent(width: number, height: number, channels: 2 | 4, dtype: "u8" | "u16" | "f32", seed: number): Image {
  const image = randomImage(width, height, channels, dtype, seed);
  const alpha = randomImage(width, height, channels, "u8", seed + 1);
  const scale = fullOf(dtype) / 255;
  const data = new arrays[dtype](image.data.length).map((_: number, i: number) =>
    i % channels === channels - 1 ? alpha.data[i]! * scale : Math.abs(image.data[i]!),
  );
  return { ...image, data };
}

/** Premultiplied, filtered, divided by the filtered alpha, in f64. */
function premultiplied(image: Image, dtype: ImageDType, filter: Filter, options: FilterOptions): Float64Array {
  const { channels, data } = image;
  const [full, last] = [fullOf(dtype), channels - 1];
  const weighted = Float64Array.from(data, (v, i) =>
    i % channels === last ? v : (v * data[i - (i % channels) + last]!) / full,
  );
  // Only the oracle reads this picture, and it takes any numbers.
  const sums = correlate({ ...image, data: weighted as unknown as Image["data"] }, rowsOf(filter), options);
  return sums.map((sum, i) => {
    const alpha = sums[i - (i % channels) + last]!;
    if (i % channels === last) return Math.min(full, Math.max(0, alpha));
    return alpha > 0 ? (sum / alpha) * full : 0;
  });
}

const mixed = [
  "sobel-x",
  "sharpen",
  "emboss",
  "laplacian-8",
  "roberts-x",
  "gabor:size=9x9",
  "laplacian-of-gaussian:sigma=2",
];

/** A third of the pixels transparent. */
const holed = (image: Image): Image => ({
  ...image,
  data: image.data.map((v, i) => {
    const [last, pixel] = [i % image.channels === image.channels - 1, Math.floor(i / image.channels)];
    return last && pixel % 7 < 3 ? 0 : v;
  }) as Image["data"],
});

/** Σ w · α · (c − own) + own · Σ w, in f64; 0 where all is transparent, with alpha as it was. */
function compared(image: Image, dtype: ImageDType, filter: Filter, options: FilterOptions): Float64Array {
  const { channels, data } = image;
  const [full, last] = [fullOf(dtype), channels - 1];
  const alphaAt = (i: number): number => data[i - (i % channels) + last]!;
  const weighted = Float64Array.from(data, (v, i) => (i % channels === last ? v : (v * alphaAt(i)) / full));
  const sums = correlate({ ...image, data: weighted as unknown as Image["data"] }, rowsOf(filter), { ...options, gain: 1 }); // biome-ignore format: a call
  const total = rowsOf(filter)
    .flat()
    .reduce((sum, tap) => sum + tap, 0);
  return sums.map((sum, i) => {
    if (i % channels === last) return data[i]!;
    const alpha = sums[i - (i % channels) + last]! / full;
    return alphaAt(i) === 0 ? 0 : (sum - data[i]! * alpha + data[i]! * total) * (options.gain ?? 1);
  });
}

const alphaOf = ({ data, channels }: Image): number[] =>
  Array.from(data).filter((_, i) => i % channels === channels - 1);
const opaque = (image: Image, dtype: ImageDType): Image => ({
  ...image,
  data: image.data.map((v, i) => (i % image.channels === image.channels - 1 ? fullOf(dtype) : v)) as Image["data"],
});

/** Gives each pixel back, and has a window of 5 × 5. */
const middle = Array.from({ length: 5 }, (_, y) => Array.from({ length: 5 }, (_, x) => Number(x === 2 && y === 2)));

describe.each(testEngines())("on %s", (_name, promise) => {
  for (const dtype of ["u8", "u16", "f32"] as const) {
    for (const channels of [2, 4] as const) {
      it(`premultiply weights the colours of ${dtype} with ${channels} channels`, async () => {
        const engine = await promise;
        const image = translucent(29, 17, channels, dtype, 5);
        for (const filter of ["gaussian:1.5", "box:size=3x4", "binomial:5", "disk:2"]) {
          for (const border of ["reflect", "edge", "constant"] as const) {
            const options = { border, alpha: "premultiply" } as const;
            const expected = premultiplied(image, dtype, filter, options);
            const { data } = await engine.filter(image, filter, options);
            // All taps are positive, so no cancellation magnifies what f32 misses: 30 roundings suffice.
            const missed = 30 * 2 ** -23 * fullOf(dtype) + (dtype === "f32" ? 0 : 0.5);
            for (let i = 0; i < data.length; i++) {
              const fair = Math.abs(data[i]! - expected[i]!) <= missed;
              if (!fair) expect.fail(`${filter}, ${border}: ${data[i]} where ${expected[i]} is right, at ${i}`);
            }
          }
        }
      });
    }
  }

  it("a transparent pixel's colour does not bleed", async () => {
    const engine = await promise;
    const image: Image = { width: 4, height: 1, channels: 4, data: new Uint8Array(16) };
    image.data.set([200, 100, 50, 255, 200, 100, 50, 255, 255, 0, 255, 0, 255, 0, 255, 0]);
    const { data } = await engine.filter(image, "box:size=1x3", { alpha: "premultiply" });
    expect([...data]).toEqual([200, 100, 50, 255, 200, 100, 50, 170, 200, 100, 50, 85, 0, 0, 0, 0]);
  });

  it("keep filters the colours alone, and carries alpha over exactly", async () => {
    const engine = await promise;
    for (const dtype of ["u8", "u16", "f32"] as const) {
      const image = translucent(19, 11, 4, dtype, 8);
      for (const filter of ["gaussian", "sobel-x", "emboss"]) {
        for (const output of [dtype, "f32"] as const) {
          const kept = await engine.filter(image, filter, { alpha: "keep", output });
          const plain = await engine.filter(image, filter, { alpha: "none", output });
          expect(alphaOf(kept)).toEqual(alphaOf(image));
          const colours = (data: Image["data"]): number[] => Array.from(data).filter((_, i) => i % 4 < 3);
          expect(colours(kept.data)).toEqual(colours(plain.data));
        }
      }
    }
  });

  it("keeps alpha of results that lie beyond the picture, or on a region of it, by its border", async () => {
    const engine = await promise;
    const places: FilterOptions[] = [
      { extent: "full" },
      { extent: "valid" },
      { extent: "full", region: { x: -2, y: 3, width: 9, height: 6 } },
      { region: { x: 2, y: 1, width: 7, height: 6 } },
    ];
    for (const dtype of ["u8", "f32"] as const) {
      const image = translucent(9, 7, 4, dtype, 8);
      const alphas = { width: 9, height: 7, channels: 1, data: image.data.filter((_, i) => i % 4 === 3) } as Image;
      for (const border of ["reflect", "symmetric", "edge", "wrap", "constant"] as const) {
        for (const place of places) {
          const options = { ...place, border, borderValue: 1, output: dtype } as const;
          const { data } = await engine.filter(alphas, middle, options);
          const kept = await engine.filter(image, middle, { ...options, alpha: "keep" });
          expect(alphaOf(kept), JSON.stringify(options)).toEqual([...data]);
        }
      }
    }
  });

  it("where alpha is opaque, premultiply gives the bits of keep", async () => {
    const engine = await promise;
    for (const dtype of ["u8", "u16", "f32"] as const) {
      const image = opaque(translucent(19, 11, 4, dtype, 9), dtype);
      for (const filter of ["gaussian:2", "sharpen", "box:3"]) {
        for (const more of [{}, { gain: 1.5, offset: fullOf(dtype) / 16 }]) {
          const [premultiply, keep] = [
            await engine.filter(image, filter, { ...more, alpha: "premultiply" }),
            await engine.filter(image, filter, { ...more, alpha: "keep" }),
          ];
          expect(bits(premultiply)).toBe(bits(keep));
        }
      }
    }
  });

  it("gain and offset change colours, whether or not some far pixel is translucent", async () => {
    const engine = await promise;
    const solid = opaque(translucent(40, 3, 4, "u8", 10), "u8");
    const hole = { ...solid, data: solid.data.with(solid.data.length - 1, 0) as Uint8Array };
    for (const [gain, offset] of [
      [1, 20],
      [1.5, 0],
      [0.5, -10],
    ] as const) {
      // biome-ignore format: pairs
      const options = { alpha: "premultiply", gain, offset } as const;
      const [a, b] = [await engine.filter(solid, "box:3", options), await engine.filter(hole, "box:3", options)];
      for (let i = 0; i < 20 * 4; i++) {
        const off = Math.abs(a.data[i]! - b.data[i]!);
        if (off > 1) expect.fail(`gain ${gain}, offset ${offset}: ${a.data[i]} and ${b.data[i]} at ${i}`);
      }
    }
  });

  it("the default is to premultiply where the picture is an ImageData, else none", async () => {
    const engine = await promise;
    const { width, height, channels, data } = translucent(19, 11, 4, "u8", 12);
    const plain: Image = { width, height, channels, data };
    const imageData = { width, height, data: Uint8ClampedArray.from(data) };
    const run = async (image: Parameters<typeof engine.filter>[0], alpha?: FilterOptions["alpha"]) =>
      bits(await engine.filter(image, "gaussian", { alpha }));
    expect(await run(imageData)).toBe(await run(plain, "premultiply"));
    expect(await run(plain)).toBe(await run(plain, "none"));
    expect(await run(imageData, "none")).toBe(await run(plain, "none"));
    expect(await run({ data, info: { width, height, channels } })).toBe(await run(plain, "none"));
  });

  it("alpha of floats that is kept in integers is rounded", async () => {
    const image = { width: 4, height: 1, channels: 2, data: Float32Array.of(9, 0.4, 9, 0.5, 9, 1, 9, 300.7) };
    for (const output of ["u8", "i16"] as const) {
      const { data } = await (await promise).filter(image, [[1]], { alpha: "keep", output });
      expect([...data]).toEqual([9, 0, 9, 1, 9, 1, 9, output === "u8" ? 255 : 301]);
    }
  });

  it("a filter of zeros keeps it, too, whether pixels are opaque or not", async () => {
    for (const alpha of [255, 9]) {
      const image = { width: 2, height: 1, channels: 2, data: Uint8Array.of(50, alpha, 60, 255) };
      const { data } = await (await promise).filter(image, [[0, 0]], { alpha: "premultiply", offset: 7 });
      expect([...data]).toEqual([7, alpha, 7, 255]);
    }
  });

  it("what lies beyond a constant border is weighed by its alpha, also around an opaque picture", async () => {
    const image = { width: 3, height: 1, channels: 2, data: Uint8Array.of(90, 255, 90, 255, 90, 255) };
    for (const known of [image, { width: 1, height: 1, data: Uint8ClampedArray.of(90, 90, 90, 255) }]) {
      const { data } = await (await promise).filter(known, "box:3", { border: "constant", ...("channels" in known && { alpha: "premultiply" }) }); // biome-ignore format: a line
      expect(data[0]).toBe(90);
      expect(data.at(-1)).toBe("channels" in known ? 57 : 28);
    }
    const opaque = await (await promise).filter(image, "box:3", { alpha: "premultiply", border: "constant", borderValue: 255 }); // biome-ignore format: a line
    expect([...opaque.data]).toEqual([218, 255, 200, 255, 218, 255]);
  });

  it("leaves no noise as a colour where terms cancel and nothing is visible", async () => {
    const engine = await promise;
    const image: Image = { width: 40, height: 30, channels: 4, data: new Float32Array(40 * 30 * 4) };
    image.data.set([0.3, 0.2, 0.1, 1], (15 * 40 + 20) * 4);
    for (const filter of ["disk:4.5", "motion:length=7,angle=30"]) {
      for (const strategy of ["direct", "column-row"]) {
        const { data } = await engine.filter(image, filter, { alpha: "premultiply", strategy });
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 3]! > 1e-3) expect(Math.abs(data[i]! - 0.3)).toBeLessThan(1e-3);
          else if (data[i + 3]! < 2 ** -18) expect([...data.slice(i, i + 3)]).toEqual([0, 0, 0]);
        }
      }
    }
  });

  it("every strategy of a plan that weighs runs where all is opaque, too", async () => {
    const engine = await promise;
    const image = opaque(translucent(60, 12, 4, "u8", 3), "u8");
    const filter = Array.from({ length: 17 }, (_, i) => Array.from({ length: 17 }, (_, j) => ((i * j) % 7) - 3));
    const spec = { ...image, dtype: "u8" } as const;
    const wanted = await engine.filter(image, filter, { alpha: "keep", output: "f32" });
    const plan = engine.plan(engine.filterProblem(spec, filter, { alpha: "premultiply", output: "f32" }));
    for (const strategy of strategiesOf(plan)) {
      const { data } = await engine.filter(image, filter, { alpha: "premultiply", output: "f32", strategy });
      expect(worst(data, wanted.data), strategy).toBeLessThanOrEqual(plan.error.maxAbs + 0.1);
    }
  });

  it("a stored plan of integers under real terms runs", async () => {
    const engine = await promise;
    const image = randomImage(21, 13, 1, "u16", 3);
    const next = random(5);
    const filter = Array.from({ length: 7 }, () => Array.from({ length: 7 }, () => Math.floor(next() * 2e6) - 1e6));
    const plan = engine.plan(engine.filterProblem({ ...image, dtype: "u16" }, filter, { output: "f32" }));
    const stored = JSON.parse(JSON.stringify(plan)) as typeof plan;
    expect(bits(await engine.run(stored, image))).toBe(bits(await engine.run(plan, image)));
  });

  it("states what rounding makes of alpha itself, under taps and gains of any size", async () => {
    const engine = await promise;
    const spec = { width: 30, height: 20, channels: 2, dtype: "u16" } as const;
    for (const gain of [0, 1e-9, 1]) {
      const { error } = engine.plan(engine.filterProblem(spec, "gaussian:2", { alpha: "premultiply", gain }));
      expect(error.maxAbs).toBeGreaterThan(65535 * 2 ** -24);
    }
  });

  for (const dtype of ["u8", "u16", "f32"] as const) {
    it(`taps above and below 0 compare neighbours with the pixel's own colour, by their alpha, and keep alpha (${dtype})`, async () => {
      const engine = await promise;
      for (const channels of [2, 4] as const) {
        const image = holed(translucent(29, 17, channels, dtype, 5));
        for (const filter of mixed) {
          for (const border of ["reflect", "wrap", "constant"] as const) {
            const options = { border, gain: 0.5, alpha: "premultiply", output: "f32" } as const;
            const expected = compared(image, dtype, filter, options);
            const { data } = await engine.filter(image, filter, options);
            const size = rowsOf(filter)
              .flat()
              .reduce((sum, tap) => sum + Math.abs(tap), 0);
            const missed = size * 60 * 2 ** -23 * fullOf(dtype);
            for (let i = 0; i < data.length; i++) {
              const fair = Math.abs(data[i]! - expected[i]!) <= missed;
              if (!fair) expect.fail(`${filter}, ${border}: ${data[i]} where ${expected[i]} is right, at ${i}`);
            }
          }
        }
      }
    });
  }

  it("hidden colours are nowhere in results, and what is transparent makes no outline", async () => {
    const engine = await promise;
    const image = holed(translucent(29, 17, 4, "u8", 6));
    const hidden = (colour: number): Image => ({
      ...image,
      data: image.data.map((v, i) => (image.data[i | 3] === 0 ? (i % 4 === 3 ? 0 : colour) : v)) as Uint8Array,
    });
    const flat = { ...image, data: image.data.map((_, i) => (i % 4 === 3 ? image.data[i]! : 90)) as Uint8Array };
    for (const filter of ["sobel", ...mixed]) {
      const results = [0, 255].map(async (v) => bits(await engine.filter(hidden(v), filter, { alpha: "premultiply" })));
      const [black, white] = await Promise.all(results);
      expect(black, filter).toBe(white);
      const { data } = await engine.filter(flat, filter, { alpha: "premultiply", output: "f32" });
      const sum =
        filter === "sobel"
          ? 0
          : rowsOf(filter)
              .flat()
              .reduce((total, tap) => total + tap, 0);
      for (let i = 0; i < data.length; i++)
        if (i % 4 < 3) expect(data[i], filter).toBeCloseTo(flat.data[i | 3] === 0 ? 0 : 90 * sum, 2);
    }
  });

  it("derivatives of a picture with alpha do so by themselves; regions and kept values, too", async () => {
    const engine = await promise;
    const { width, height, channels, data } = holed(translucent(29, 17, 4, "u8", 13));
    const plain: Image = { width, height, channels, data };
    const imageData = { width, height, data: Uint8ClampedArray.from(data) };
    const weighted = await engine.filter(plain, "sobel-x", { alpha: "premultiply" });
    expect(alphaOf(weighted)).toEqual(alphaOf(plain));
    expect(bits(await engine.filter(imageData, "sobel-x"))).toBe(bits(weighted));
    const value = await engine.alloc({ shape: [height, width, channels], dtype: "u8" });
    await value.write(data);
    expect(bits(await engine.filter(value, "sobel-x", { alpha: "premultiply" }))).toBe(bits(weighted));
    const region = { x: 3, y: 2, width: 11, height: 9 };
    const part = await engine.filter(plain, "sobel-x", { alpha: "premultiply", region });
    for (let i = 0; i < part.data.length; i++) {
      const [x, y] = [3 + (Math.floor(i / 4) % 11), 2 + Math.floor(i / 44)];
      expect(part.data[i]).toBe(weighted.data[(y * width + x) * 4 + (i % 4)]);
    }
  });

  it("what was premultiplied is compared as the colours themselves are, and stays premultiplied", async () => {
    const engine = await promise;
    const straight = holed(translucent(29, 17, 4, "f32", 15));
    const times = (data: Image["data"]) => Float32Array.from(data, (v, i) => (i % 4 === 3 ? v : v * data[i | 3]!));
    const given = { ...straight, data: times(straight.data), hasAlpha: true, premultiplied: true };
    for (const filter of ["sobel-x", "sharpen", "emboss"]) {
      const options = { alpha: "premultiply", gain: 0.5, offset: 0.25 } as const;
      const expected = times((await engine.filter(straight, filter, options)).data);
      const { data } = await engine.filter(given, filter, options);
      for (let i = 0; i < data.length; i++) expect(data[i]).toBeCloseTo(expected[i]!, 4);
    }
  });

  it("one tap changes no hidden colour", async () => {
    const engine = await promise;
    const { width, height, data } = holed(translucent(29, 17, 4, "u8", 14));
    const imageData = { width, height, data: Uint8ClampedArray.from(data) };
    expect([...(await engine.filter(imageData, "identity")).data]).toEqual([...data]);
    const halved = await engine.filter(imageData, [[0.5]]);
    expect([...halved.data]).toEqual(Array.from(data, (v, i) => (i % 4 === 3 ? v : Math.floor(v / 2 + 0.5))));
  });
});
