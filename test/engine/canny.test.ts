// Canny's edges against index loops in f64 and against OpenCV; what they take, and what they refuse.
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import { EngineValue, type Image, type ImageDType } from "../../src/index.ts";
import { random, randomImage } from "../oracle.ts";
import { engineMaker, testEngines } from "./engines.ts";

interface Bounds {
  low: number;
  high: number;
  norm: "l1" | "l2";
}

/** A channel as numbers by row and column, repeated beyond its edges. */
function reader({ width, height, channels, data }: Image, channel = 0) {
  const inside = (i: number, size: number): number => Math.min(size - 1, Math.max(0, i));
  return (y: number, x: number): number => data[(inside(y, height) * width + inside(x, width)) * channels + channel]!;
}

/** The definition: Sobel's gradient, its crests, and what strong ones lead to. */
function edgesOf(image: Image, { low, high, norm }: Bounds, channel = 0): Uint8Array {
  const { width, height } = image;
  const at = reader(image, channel);
  const gx = (y: number, x: number): number =>
    at(y - 1, x + 1) - at(y - 1, x - 1) + 2 * (at(y, x + 1) - at(y, x - 1)) + at(y + 1, x + 1) - at(y + 1, x - 1);
  const gy = (y: number, x: number): number =>
    at(y + 1, x - 1) - at(y - 1, x - 1) + 2 * (at(y + 1, x) - at(y - 1, x)) + at(y + 1, x + 1) - at(y - 1, x + 1);
  const size = (y: number, x: number): number => {
    if (y < 0 || x < 0 || y >= height || x >= width) return 0;
    const [a, b] = [gx(y, x), gy(y, x)];
    return norm === "l1" ? Math.abs(a) + Math.abs(b) : Math.sqrt(a * a + b * b);
  };
  const isCrest = (y: number, x: number): boolean => {
    const [a, b, own] = [gx(y, x), gy(y, x), size(y, x)];
    const [flat, steep] = [13573 / 32768, 2 + 13573 / 32768].map((tangent) => Math.abs(a) * tangent);
    if (Math.abs(b) < flat!) return own > size(y, x - 1) && own >= size(y, x + 1);
    if (Math.abs(b) > steep!) return own > size(y - 1, x) && own >= size(y + 1, x);
    const side = a < 0 !== b < 0 ? -1 : 1;
    return own > size(y - 1, x - side) && own > size(y + 1, x + side);
  };
  const weak = new Set<number>();
  const out = new Uint8Array(width * height);
  const strong: number[] = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!(size(y, x) > low) || !isCrest(y, x)) continue;
      if (size(y, x) > high) strong.push(y * width + x);
      else weak.add(y * width + x);
    }
  }
  for (let next = strong.pop(); next !== undefined; next = strong.pop()) {
    out[next] = 255;
    for (const dy of [-1, 0, 1]) {
      for (const dx of [-1, 0, 1]) {
        const beside = next + dy * width + dx;
        if (Math.abs((next % width) + dx - (beside % width)) === 0 && weak.delete(beside)) strong.push(beside);
      }
    }
  }
  return out;
}

/** Blobs, so that there are long edges; integers, also among floats. */
function blobs(width: number, height: number, channels: number, dtype: ImageDType, seed: number): Image {
  const next = random(seed);
  const full = { u8: 255, u16: 65535, i16: 20000, f32: 1024 }[dtype as "u8"];
  const image = randomImage(width, height, channels, dtype, seed);
  const centres = Array.from({ length: 6 }, () => [next() * width, next() * height, 2 + next() * 9, next()] as const);
  for (let i = 0; i < image.data.length; i++) {
    const [x, y] = [Math.floor(i / channels) % width, Math.floor(i / channels / width)];
    const value = centres.reduce(
      (sum, [cx, cy, r, v]) => sum + v * Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / r ** 2),
      0,
    );
    image.data[i] = Math.floor(full * Math.min(1, 0.9 * value + 0.08 * next() * ((i % channels) + 1)));
  }
  return image;
}

const nameOf = ({ low, high, norm }: Bounds, more = "sigma=0"): string =>
  `canny:${more},low=${low},high=${high},norm=${norm}`;

/** The picture of test/golden: formulas that Python has, too. */
const formula = (width: number, height: number): Image => ({
  ...{ width, height, channels: 1 },
  data: Uint8Array.from({ length: width * height }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width)];
    const wave = Math.floor((x * x * 3 + y * y * 5 + x * y * 7) / 61) % 256;
    const isTile = (Math.floor(x / 9) + Math.floor(y / 7)) % 3 === 0;
    return isTile ? (Math.floor(wave / 8) + x * 2) % 256 : Math.floor(wave / 3) + 40;
  }),
});

/** cv2.Canny(picture, low, high, L2gradient=...): how many pixels are edges, and the checksum of all. */
const opencv = [
  [97, 61, 60, 150, "l1", 983, 3030263176],
  [97, 61, 60, 150, "l2", 944, 1969037712],
  [97, 61, 10.5, 40, "l2", 1214, 274690483],
  [97, 61, 300, 500, "l1", 395, 1578699746],
  [64, 33, 60, 150, "l1", 252, 2262627956],
  [64, 33, 60, 150, "l2", 201, 3724199194],
  [64, 33, 10.5, 40, "l2", 397, 4013548490],
  [64, 33, 300, 500, "l1", 0, 3864502259],
] as const;

describe.each(testEngines())("on %s", (_name, promise) => {
  it("gives what index loops give, by every type, channel and norm", async () => {
    const engine = await promise;
    let seed = 1;
    for (const dtype of ["u8", "u16", "i16", "f32"] as const) {
      for (const norm of ["l1", "l2"] as const) {
        for (const [width, height] of [
          [45, 31],
          [32, 5],
          [33, 8],
          [1, 9],
          [7, 1],
          [1, 1],
          [2, 2],
        ] as const) {
          // biome-ignore format: a line
          const full = { u8: 255, u16: 65535, i16: 20000, f32: 1024 }[dtype as "u8"];
          const bounds: Bounds = { low: 0.3 * full, high: 0.9 * full, norm };
          const image = blobs(width, height, 1 + (seed % 3), dtype, seed++);
          const name = nameOf(bounds, "sigma=0,colour=each");
          const { data, channels } = await engine.filter(image, name);
          expect([data.constructor, channels]).toEqual([Uint8Array, image.channels]);
          for (let c = 0; c < channels; c++) {
            const own = data.filter((_, i) => i % channels === c);
            expect(own, `${dtype} ${norm} ${width} x ${height}, channel ${c}`).toEqual(edgesOf(image, bounds, c));
          }
        }
      }
    }
  });

  it("gives what OpenCV gives, pixel for pixel", async () => {
    const engine = await promise;
    for (const [width, height, low, high, norm, count, sum] of opencv) {
      const { data } = await engine.filter(formula(width, height), nameOf({ low, high, norm }));
      expect([data.filter((v) => v === 255).length, crc32(data as Uint8Array)]).toEqual([count, sum]);
    }
  });

  it("blurs first: bytes with five bits after the point", async () => {
    const engine = await promise;
    const image = blobs(50, 40, 1, "u8", 7);
    const blur = await engine.filter(image, "gaussian:1.4", { gain: 32, output: "i16" });
    const scaled = edgesOf(blur, { low: 32 * 25, high: 32 * 60, norm: "l1" });
    expect((await engine.filter(image, nameOf({ low: 25, high: 60, norm: "l1" }, "sigma=1.4"))).data).toEqual(scaled);
    const floats = { ...image, data: Float32Array.from(image.data) };
    const fine = await engine.filter(floats, "gaussian:1.4");
    const found = await engine.filter(floats, nameOf({ low: 25, high: 60, norm: "l1" }, "sigma=1.4"));
    expect(found.data.filter((v, i) => v !== edgesOf(fine, { low: 25, high: 60, norm: "l1" })[i]).length).toBeLessThan(
      4,
    );
    expect(found.data.some((v) => v === 255)).toBe(true);
  });
});

const make = engineMaker({ threads: 1 });

describe("a picture", () => {
  it("in colours is made grey, and one with alpha is laid on white", async () => {
    const engine = await make();
    const image = blobs(40, 30, 4, "u8", 3);
    const grey = (i: number): number => [0.299, 0.587, 0.114].reduce((s, k, c) => s + k * image.data[4 * i + c]!, 0);
    const pixels = { width: 40, height: 30, channels: 1 };
    const plain = { ...pixels, data: Uint8Array.from({ length: 1200 }, (_, i) => Math.round(grey(i))) };
    expect((await engine.filter(image, "canny")).data).toEqual((await engine.filter(plain, "canny")).data);
    const laid = {
      ...pixels,
      data: Uint8Array.from({ length: 1200 }, (_, i) =>
        Math.round(255 + (image.data[4 * i + 3]! / 255) * (grey(i) - 255)),
      ),
    };
    const found = await engine.filter(image, "canny", { alpha: "premultiply" });
    expect([found.channels, found.data]).toEqual([1, (await engine.filter(laid, "canny")).data]);
  });

  it("that is an ImageData gives one that can be shown", async () => {
    const engine = await make();
    const { data } = randomImage(33, 21, 4, "u8", 8);
    const plain: Image = { width: 33, height: 21, channels: 4, data, hasAlpha: true };
    const image = { width: 33, height: 21, data: new Uint8ClampedArray(data) };
    const region = { x: 5, y: 3, width: 12, height: 9 };
    for (const filter of ["canny", "canny:colour=each,low=40,high=90"])
      for (const options of [{}, { region }]) {
        const edges = await engine.filter(plain, filter, options);
        expect(edges.data.some((v) => v === 255)).toBe(true);
        const shown = await engine.filter(image, filter, options);
        expect(shown).toMatchObject({ width: edges.width, height: edges.height, channels: 4, hasAlpha: true });
        expect(shown.data).toBeInstanceOf(Uint8ClampedArray);
        const { channels } = edges;
        const wanted = Array.from({ length: edges.width * edges.height }, (_, i) =>
          channels === 1
            ? [edges.data[i]!, edges.data[i]!, edges.data[i]!, 255]
            : [...edges.data.subarray(3 * i, 3 * i + 3), 255],
        ).flat();
        expect([...shown.data]).toEqual(wanted);
        const out = new Uint8ClampedArray(shown.data.length);
        await engine.filter(image, filter, { ...options, out });
        expect([...out]).toEqual(wanted);
        const alone = new Uint8Array(edges.data.length);
        expect((await engine.filter(image, filter, { ...options, out: alone })).channels).toBe(channels);
        expect(alone).toEqual(edges.data);
      }
    const whole = { ...image, data: new Uint8ClampedArray(image.data) };
    const shown = await engine.filter(image, "canny", { region });
    await engine.filter(whole, "canny", { region, out: whole.data });
    const row = (y: number) => whole.data.subarray(((3 + y) * 33 + 5) * 4, ((3 + y) * 33 + 17) * 4);
    for (let y = 0; y < 9; y++) expect(row(y)).toEqual(shown.data.subarray(y * 48, (y + 1) * 48));
    expect(whole.data.subarray(0, 400)).toEqual(image.data.subarray(0, 400));
  });

  it("has thresholds in its units, by default 50 and 100 of 255", async () => {
    const engine = await make();
    const image = blobs(40, 30, 1, "u8", 5);
    const { data } = await engine.filter(image, "canny");
    for (const name of ["canny:low=50,high=100", "canny:high=100", "canny:low=50", "canny:1.4"])
      expect((await engine.filter(image, name)).data).toEqual(data);
    const long = { ...image, data: Uint16Array.from(image.data, (v) => 257 * v) };
    const unit = { ...image, data: Float32Array.from(image.data, (v) => v / 255) };
    for (const other of [long, unit]) {
      const found = (await engine.filter(other, "canny")).data;
      expect(found.filter((v, i) => v !== data[i]).length).toBeLessThan(12);
    }
  });

  it("may be a value of the engine, as may the result", async () => {
    const engine = await make();
    const image = blobs(37, 21, 3, "u8", 9);
    const wanted = (await engine.filter(image, "canny")).data;
    const value = engine.alloc({ width: 37, height: 21, channels: 3 });
    await value.write(image.data);
    const out = engine.alloc({ width: 37, height: 21, channels: 1 });
    expect(await engine.filter(value, "canny", { out })).toBeInstanceOf(EngineValue);
    expect(await out.read()).toEqual(wanted);
    const array = new Uint8ClampedArray(37 * 21).fill(9);
    await engine.filter(value, "canny", { out: array });
    expect([...array]).toEqual([...wanted]);
  });
});

describe("calls", () => {
  it.each([
    ["canny:low=5,high=3", {}, "canny low: expected at most high, 3, got 5"],
    ["canny:low=-1", {}, "canny low: expected a finite number of at least 0"],
    ["canny:norm=l3", {}, "canny norm: expected one of l1, l2"],
    ["canny:sigme=1", {}, 'did you mean "sigma"'],
    ["canny", { gain: 2 }, "gain: expected a linear filter, of which it is an option, got canny"],
    ["canny", { output: "f32" }, "output: expected u8, of edges, got f32"],
    ["canny", { out: new Uint8Array(3) }, "out: expected u8 elements, 1 of them"],
    ["canny:sigma=1e6", {}, "side of gaussian"],
  ] as const)("%s with %o is refused", async (name, options, message) => {
    const engine = await make();
    const image = { width: 1, height: 1, channels: 1, data: new Uint8Array(1) };
    await expect(engine.filter(image, name, options as object)).rejects.toThrow(message);
  });

  it("are no linear filters, and say so", async () => {
    const engine = await make();
    const image = { width: 1, height: 1, channels: 1, dtype: "u8" } as const;
    expect(() => engine.filterProblem(image, "canny")).toThrow("a linear filter");
  });

  it("stop on a signal, and tell how far they are", async () => {
    const engine = await make();
    const image = blobs(300, 200, 1, "u8", 2);
    const told: number[] = [];
    await engine.filter(image, "canny", { onProgress: (done) => told.push(done) });
    expect(told.at(-1)).toBe(1);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    await expect(engine.filter(image, "canny", { signal: AbortSignal.abort() })).rejects.toThrow(/abort/i);
  });

  it("follow an edge that winds through the whole picture, whichever way", async () => {
    const engine = await make();
    // A spiral of slopes that falls off: strong at one end alone.
    const side = 120;
    const data = new Float32Array(side * side);
    for (let turn = 0; turn < 9; turn++) {
      for (let i = 0; i < 4000; i++) {
        const angle = turn * 2 * Math.PI + (i / 4000) * 2 * Math.PI;
        const r = 4 + angle * 0.95;
        const [x, y] = [Math.round(60 + r * Math.cos(angle)), Math.round(60 + r * Math.sin(angle))];
        if (x >= 0 && y >= 0 && x < side && y < side) data[y * side + x] = 40 + 200 * (angle < 0.6 ? 1 : 0);
      }
    }
    const image = { width: side, height: side, channels: 1, data };
    for (const high of [150, 400]) {
      const found = await engine.filter(image, nameOf({ low: 30, high, norm: "l2" }));
      expect(found.data).toEqual(edgesOf(image, { low: 30, high, norm: "l2" }));
    }
  });
});

describe("unsharp with a threshold", () => {
  it.each(["u8", "u16", "f32"] as const)("adds differences that reach it: %s", async (dtype) => {
    const engine = await make();
    const image = randomImage(23, 17, 3, dtype, 4);
    const threshold = { u8: 20, u16: 5000, f32: 0.2 }[dtype];
    const blur = await engine.filter(image, "gaussian:2", { output: "f32" });
    const { data } = await engine.filter(image, `unsharp:amount=1.5,sigma=2,threshold=${threshold}`);
    const full = { u8: 255, u16: 65535, f32: Infinity }[dtype];
    const stays = data.filter((v, i) => {
      const d = image.data[i]! - blur.data[i]!;
      const wanted = Math.abs(d) < threshold ? image.data[i]! : image.data[i]! + 1.5 * d;
      const saturated = dtype === "f32" ? wanted : Math.min(full, Math.max(0, Math.floor(wanted + 0.5)));
      expect(Math.abs(v - saturated)).toBeLessThanOrEqual(dtype === "f32" ? 1e-6 : 0);
      return v === image.data[i];
    }).length;
    expect(stays).toBeGreaterThan(0);
    expect(stays).toBeLessThan(data.length);
  });

  it("of nothing is the linear filter, and alpha is kept", async () => {
    const engine = await make();
    const image = randomImage(9, 9, 4, "u8", 6);
    const linear = await engine.filter(image, "unsharp:amount=1");
    expect((await engine.filter(image, "unsharp:threshold=0")).data).toEqual(linear.data);
    const { data } = await engine.filter(image, "unsharp:threshold=2", { alpha: "premultiply" });
    expect(data.filter((_, i) => i % 4 === 3)).toEqual(image.data.filter((_, i) => i % 4 === 3));
  });
});
