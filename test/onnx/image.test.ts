// Pictures as inputs of networks, against the definition: a triangle around every place of the result, in f64.
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ImageTensorOptions, imageToTensor } from "../../src/onnx/image.ts";
import { type TensorImageOptions, tensorToImage } from "../../src/onnx/picture-out.ts";
import type { Image } from "../../src/tensor.ts";

/** One value of the result, straight from the definition: a weighted mean over all pixels. */
function definition(image: Image, c: number, x: number, y: number, width: number, height: number): number {
  const weight = (at: number, from: number, to: number, i: number): number =>
    Math.max(0, 1 - Math.abs(at + 0.5 - ((i + 0.5) * from) / to) / Math.max(1, from / to));
  let [sum, total] = [0, 0];
  for (let v = 0; v < image.height; v++)
    for (let u = 0; u < image.width; u++) {
      const w = weight(u, image.width, width, x) * weight(v, image.height, height, y);
      sum += w * image.data[(v * image.width + u) * image.channels + c]!;
      total += w;
    }
  return sum / total;
}

const size = fc.integer({ min: 1, max: 9 });
const picture = fc.tuple(size, size, fc.constantFrom(1, 2, 3, 4), fc.infiniteStream(fc.nat(255))).map(([width, height, channels, stream]): Image => ({ width, height, channels, data: Uint8Array.from(stream.take(width * height * channels)) })); // biome-ignore format: one line

test("every pixel is the mean under a triangle, scaled to 0..1, in both layouts", () => {
  fc.assert(
    fc.property(picture, size, size, fc.constantFrom(1 as const, 3 as const), (image, width, height, channels) => {
      const rgb = image.channels >= 3;
      const at = (c: number, x: number, y: number) => definition(image, c, x, y, width, height) / 255;
      const expected = (c: number, x: number, y: number): number => {
        if (!rgb) return at(0, x, y);
        return channels === 3 ? at(c, x, y) : 0.299 * at(0, x, y) + 0.587 * at(1, x, y) + 0.114 * at(2, x, y);
      };
      const planes = imageToTensor(image, { size: { width, height }, channels });
      const pixels = imageToTensor(image, { size: { width, height }, channels, layout: "NHWC" });
      expect(planes.shape).toEqual([1, channels, height, width]);
      expect(pixels.shape).toEqual([1, height, width, channels]);
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          for (let c = 0; c < channels; c++) {
            const value = planes.data[(c * height + y) * width + x]!;
            expect(Math.abs(value - expected(c, x, y))).toBeLessThanOrEqual(2 ** -23);
            expect(pixels.data[(y * width + x) * channels + c]).toBe(value);
          }
    }),
    { numRuns: 60 },
  );
});

test("a picture of the wanted size is not touched; mean and std are on 0..1", () => {
  const image: Image = { width: 2, height: 1, channels: 4, data: Uint8Array.of(0, 127, 255, 9, 64, 32, 16, 9) };
  const { shape, data } = imageToTensor(image, { mean: 127 / 255, std: 128 / 255 });
  expect(shape).toEqual([1, 3, 1, 2]);
  const expected = [0, 64, 127, 32, 255, 16].map((value) => Math.fround((value - 127) / 128));
  for (const [i, value] of expected.entries()) expect(data[i]).toBeCloseTo(value, 6);
  const channels = imageToTensor(image, { mean: [0, 0.5, 1], std: [1, 2, 4], layout: "NHWC" });
  expect(channels.data[1]).toBeCloseTo((127 / 255 - 0.5) / 2, 6);
  expect(channels.data[5]).toBeCloseTo((16 / 255 - 1) / 4, 6);
});

test("16-bit and float pictures, and sharp's form", () => {
  const wide = imageToTensor({ width: 1, height: 1, channels: 1, data: Uint16Array.of(65535) }, { channels: 1 });
  expect(wide).toMatchObject({ shape: [1, 1, 1, 1], data: Float32Array.of(1) });
  const float = imageToTensor({ width: 1, height: 1, channels: 1, data: Float32Array.of(-3.5) });
  expect(float.data).toEqual(Float32Array.of(-3.5, -3.5, -3.5));
  const sharp = imageToTensor({ data: Uint8Array.of(255, 0, 0), info: { width: 1, height: 1, channels: 3 } });
  expect(sharp.data).toEqual(Float32Array.of(1, 0, 0));
});

test("a file's bytes, and what would decode them, are told from pixels", () => {
  const decode = ".raw().toBuffer({ resolveWithObject: true }) gives one";
  const given: [unknown, string][] = [[{ raw() {}, toBuffer() {} }, "image"], [Buffer.of(1, 2), "sharp(bytes)"], [new ArrayBuffer(2), "sharp(bytes)"]]; // biome-ignore format: a line
  for (const [image, by] of given) expect(() => imageToTensor(image as never)).toThrow(`; await ${by}${decode}`);
});

test("a constant picture stays constant, and a ramp a ramp, at any size", () => {
  const ramp = Float32Array.from({ length: 40 }, (_, x) => x);
  const image: Image = { width: 40, height: 1, channels: 1, data: ramp };
  const { data } = imageToTensor(image, { size: { width: 10, height: 3 }, channels: 1 });
  for (let x = 1; x < 9; x++) expect(data[x]).toBeCloseTo(4 * x + 1.5, 5);
  const flat = imageToTensor({ ...image, data: ramp.fill(0.1) }, { size: { width: 777, height: 5 } });
  for (const value of flat.data) expect(Math.abs(value - Math.fround(0.1))).toBeLessThan(1e-8);
});

test("ranges, orders and types", () => {
  const image: Image = { width: 1, height: 1, channels: 3, data: Uint8Array.of(0, 51, 255) };
  const of = (options: ImageTensorOptions) => Array.from(imageToTensor(image, options).data as Float32Array, (v) => Number(v.toFixed(6))); // biome-ignore format: a line
  expect(of({ range: [0, 255] })).toEqual([0, 51, 255]);
  expect(of({ range: [-1, 1] })).toEqual([-1, -0.6, 1]);
  expect(of({ range: [0, 255], mean: [255, 0, 51], std: [1, 255, 1], order: "BGR" })).toEqual([0, 0.2, -51]);
  const bytes = imageToTensor(image, { dtype: "u8", order: "BGR" });
  expect(bytes.data).toEqual(Uint8Array.of(255, 51, 0));
});

test("of an input of a model: size, channels, layout and type", () => {
  const image: Image = { width: 4, height: 2, channels: 1, data: new Uint8Array(8).fill(255) };
  const of = (dtype: "f32" | "f16" | "u8", ...shape: (number | string)[]) => imageToTensor(image, { input: { name: "x", dtype, shape } }); // biome-ignore format: a line
  expect(of("f32", 1, 3, 6, 5).shape).toEqual([1, 3, 6, 5]);
  expect(of("f32", 1, 6, 5, 3).shape).toEqual([1, 6, 5, 3]);
  expect(of("f16", "N", 1, "h", "w")).toMatchObject({ shape: [1, 1, 2, 4], data: new Float32Array(8).fill(1) });
  expect(of("u8", 6, 5, 3)).toMatchObject({ shape: [6, 5, 3], data: new Uint8Array(90).fill(255) });
  expect(() => of("f32", 2, 3, 6, 5)).toThrow(
    /^input "x": expected an input for one picture: .* got f32 \[2, 3, 6, 5\]$/,
  );
  expect(() => of("f32", 1, 5, 6, 6)).toThrow(/1 or 3 channels/);
});

test("proportions are kept in a frame, or by cutting, and the place says how to get back", () => {
  const image: Image = { width: 4, height: 2, channels: 1, data: Uint8Array.of(0, 255, 255, 0, 0, 255, 255, 0) };
  const size = { width: 4, height: 4 };
  const framed = imageToTensor(image, { size, channels: 1, fit: "contain", background: 0.5 });
  const [edge, row] = [[0.5, 0.5, 0.5, 0.5], [0, 1, 1, 0]]; // biome-ignore format: a line
  expect([Array.from(framed.data), framed.place]).toEqual([[edge, row, row, edge].flat(), { left: 0, top: 1, width: 4, height: 2 }]); // biome-ignore format: a line
  const first = imageToTensor(image, { size, channels: 1, fit: "contain", align: [0, 0] });
  expect([Array.from(first.data).slice(0, 4), first.place.top]).toEqual([row, 0]);
  const cut = imageToTensor(image, { size: { width: 2, height: 2 }, channels: 1, fit: "cover" });
  expect([Array.from(cut.data), cut.place]).toEqual([[1, 1, 1, 1], { left: -1, top: 0, width: 4, height: 2 }]);
});

test("tensorToImage gives back what imageToTensor took", () => {
  const side = fc.integer({ min: 1, max: 6 });
  const scale = fc.constantFrom<TensorImageOptions>({}, { range: [0, 255] }, { range: [-1, 1], order: "BGR" }, { mean: [0.5, 0.4, 0.3], std: 0.2, order: "BGR" }, { mean: 0.1 }); // biome-ignore format: a line
  const property = fc.property(side, side, scale, fc.constantFrom("NCHW" as const, "NHWC" as const), fc.infiniteStream(fc.nat(255)), (width, height, options, layout, stream) => {
    const data = Uint8Array.from(stream.take(width * height * 3));
    const tensor = imageToTensor({ width, height, channels: 3, data }, { ...options, layout });
    expect(tensorToImage(tensor, { ...options, layout })).toEqual({ width, height, channels: 3, data });
  }); // biome-ignore format: a line
  fc.assert(property, { numRuns: 100 });
  const mask = { dims: [1, 1, 2, 2], data: Float32Array.of(-1, 0.5, Number.NaN, 9) };
  expect(tensorToImage(mask)).toEqual({ width: 2, height: 2, channels: 1, data: Uint8Array.of(0, 128, 0, 255) });
  expect(tensorToImage({ shape: [2, 2], data: BigInt64Array.of(0n, 1n, 2n, 4n) }, { range: [0, 4] }).data).toEqual(Uint8Array.of(0, 64, 128, 255)); // biome-ignore format: a line
  expect(tensorToImage({ shape: [1, 2], data: Float32Array.of(0, 1) }, { size: { width: 4, height: 1 } }).data).toEqual(Uint8Array.of(0, 64, 191, 255)); // biome-ignore format: a line
  expect(() => tensorToImage({ shape: [2, 3, 4, 4], data: new Float32Array(96) })).toThrow(/tensor: expected a tensor of one picture/); // biome-ignore format: a line
  for (const size of [4, [4, 4], "4x4", { width: 4 }]) {
    expect(() => tensorToImage(mask, { size: size as never })).toThrow(/^size: expected \{ width, height \}, got /);
  }
  expect(() => tensorToImage({ y: mask } as never)).toThrow(
    /^tensor: .*, got an object with keys y; results\["y"\]\?$/,
  );
  expect(() => tensorToImage({ ...mask, shape: [4] })).toThrow(/shape or dims, or both the same/);
});

test.each<[string, ImageTensorOptions, RegExp]>([
  [
    "a mean of another range",
    { mean: 127 },
    /mean: expected numbers in the range from 0 to 1, got 127; .* give that range, too: \[0, 255\]/,
  ],
  ["a std of another range", { std: [58, 57, 57] }, /std: expected numbers that fit the range/],
  ["a range upside down", { range: [1, 0] }, /range: expected black below white/],
  ["an order of one channel", { order: "BGR", channels: 1 }, /order: expected 3 channels/],
  ["a letterbox by its other name", { fit: "letterbox" as "contain" }, /fit: .*here its name is "contain"/],
  ["a size of 0", { size: { width: 0, height: 5 } }, /size\.width: expected an integer from 1/],
  ["two means", { mean: [0.5, 0.5] }, /mean: expected one number or 3/],
  ["a mean that is none", { mean: Number.NaN }, /mean: expected a finite number/],
  ["a std of 0", { std: [1, 0, 1] }, /std: expected numbers other than 0/],
  ...[320, [320, 240], "320x240", null, { w: 3, h: 2 }, { width: 32 }].map(
    (size) =>
      ["a size of another form", { size } as never, /^size: expected \{ width, height \}, got /] as [
        string,
        ImageTensorOptions,
        RegExp,
      ],
  ),
  ...[[1, 3, 240, 320], [{ name: "x" }], "x", { inputs: [] }, null].map(
    (input) =>
      [
        "an input that is none",
        { input } as never,
        /^input: expected one of model\.inputs, got .*; model\.inputs\[0\]\?$/,
      ] as [string, ImageTensorOptions, RegExp],
  ),
  ["a background in bytes", { background: 114 }, /^background: expected numbers from 0 to 1, got 114; 114 \/ 255\?$/],
  ["a background below black", { background: [0, -1, 0] }, /^background: expected numbers from 0 to 1, got -1$/],
  ["channels as text", { channels: "3" as never }, /channels: expected one of 1, 3, got "3"/],
  ["a layout", { layout: "HWC" as "NHWC" }, /layout: expected one of NCHW, NHWC/],
  ["two channels", { channels: 2 as 1 }, /channels: expected one of 1, 3/],
  ["an option", { scale: 2 } as ImageTensorOptions, /options key: /],
  // biome-ignore format: a table
])("%s is refused", (_name, options, message) => {
  expect(() => imageToTensor({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }, options)).toThrow(message);
});
