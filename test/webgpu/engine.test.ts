// Filters, layers, models and values on the GPU against WebAssembly; what is not the GPU's; and a device that is lost.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createEngine, type Engine } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import type { Image, ImageDType, Tensor } from "../../src/tensor.ts";
import { attributeOf, model, node, tensor, value } from "../onnx/build.ts";
import { random } from "../oracle.ts";
import { missingAdapter } from "./software.ts";

const seed = Number(process.env.RANK1_SEED ?? Math.floor(Math.random() * 2 ** 31));
const next = random(seed);
const floats = (...shape: number[]): Tensor & { data: Float32Array } => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1),
});
const side = (least: number, most: number): number => least + Math.floor(next() * (most - least + 1));

type Class = typeof Uint8Array | typeof Uint16Array | typeof Int16Array | typeof Int8Array | typeof Float32Array;
const classes: [name: ImageDType, Class, scale: number, offset: number][] = [
  ["u8", Uint8Array, 255, 0],
  ["u16", Uint16Array, 65535, 0],
  ["i16", Int16Array, 65535, -32768],
  ["i8", Int8Array, 255, -128],
  ["f32", Float32Array, 1, 0],
];
const filled = (Elements: Class, length: number, number: () => number): Image["data"] => {
  const data = new Elements(length);
  for (let i = 0; i < length; i++) data[i] = number();
  return data;
};
const picture = (Elements: Class, scale: number, offset: number, channels: number): Image => {
  const [width, height] = [side(1, 40), side(1, 30)];
  const length = width * height * channels;
  const number = (): number => offset + (Elements === Float32Array ? next() : Math.round(next() * scale));
  return { width, height, channels, data: filled(Elements, length, number) };
};

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length);
  let most = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= most)) most = difference;
  }
  return most;
}

let gpuOfTests: GPU | undefined;
/** What devices of the tests' own come from; kept as long as these, which it takes with it. */
function ownGpu(): GPU {
  gpuOfTests ??= (createRequire(import.meta.url)("webgpu") as { create(options: string[]): GPU }).create([]);
  return gpuOfTests;
}

const reason = missingAdapter();
describe.skipIf(reason !== undefined)(
  `an engine on the GPU, seed ${seed}${reason ? `: ${reason}` : ""}`,
  { timeout: 300_000 },
  () => {
    let [gpu, wasm]: [Engine, Engine] = [undefined as never, undefined as never];
    beforeAll(async () => {
      gpu = await createEngine({ backend: "webgpu", allowSoftware: true });
      wasm = await createEngine({ backend: "wasm", threads: 1 });
    });
    afterAll(() => {
      gpu?.dispose();
      wasm?.dispose();
    });

    it("says which adapter it has", () => {
      const { backend, webgpu } = gpu.info();
      expect(backend).toBe("webgpu");
      expect(webgpu?.adapter).not.toBe("");
      expect(webgpu?.maxBindingBytes).toBeGreaterThan(2 ** 20);
    });

    it("takes no software adapter unless it is asked to", async () => {
      if (!gpu.info().webgpu!.software) return;
      await expect(createEngine({ backend: "webgpu" })).rejects.toThrow(
        /backend: expected a GPU, got the software adapter .*allowSoftware/,
      );
    });

    const filters = ["gaussian:sigma=1.2", "sobel-x", "box:5", "laplacian-4", "gaussian:sigma=4"] as const;
    const borders = ["reflect", "constant", "wrap", "edge", "symmetric"] as const;
    it.each(classes)("filters pictures of %s as WebAssembly does", async (dtype, Elements, scale, offset) => {
      for (const [i, filter] of filters.entries()) {
        const image = picture(Elements, scale, offset, side(1, 4));
        const options = { border: borders[i]!, borderValue: side(0, 100) };
        const [a, b] = [await gpu.filter(image, filter, options), await wasm.filter(image, filter, options)];
        const context = `${filter} of ${image.width} x ${image.height} x ${image.channels}, ${options.border}`;
        const isReal = b.data instanceof Float32Array;
        expect(a.data.constructor, context).toBe(b.data.constructor);
        const most = Math.max(1, ...Float64Array.from(b.data).map(Math.abs));
        // Sums in f32 that are rounded to integers may fall on either side of a half.
        const exact = gpu.plan(gpu.filterProblem({ ...image, dtype }, filter, options)).error.maxAbs === 0;
        expect(distance(a.data, b.data), context).toBeLessThanOrEqual(isReal ? 3e-6 * most : exact ? 0 : 1);
      }
    });

    it.each(["keep", "premultiply"] as const)("filters alpha by %s", async (alpha) => {
      for (const [, Elements, scale] of classes.filter(([, , , offset]) => offset === 0)) {
        for (const filter of ["gaussian:sigma=1", "sobel-y"]) {
          const image = picture(Elements, scale, 0, 4);
          for (let i = 3; i < image.data.length; i += 4) if (next() < 0.3) image.data[i] = 0;
          const [a, b] = [await gpu.filter(image, filter, { alpha }), await wasm.filter(image, filter, { alpha })];
          expect(distance(a.data, b.data), `${filter}, ${scale}`).toBeLessThanOrEqual(scale === 1 ? 1e-5 : 1);
        }
      }
    });

    it("puts a region where it belongs, and a whole extent", async () => {
      const image: Image = {
        width: 33,
        height: 17,
        channels: 3,
        data: Uint8Array.from({ length: 33 * 17 * 3 }, () => 255 * next()),
      };
      const region = { x: side(0, 9), y: side(0, 5), width: side(1, 20), height: side(1, 11) };
      const outs = [image.data.slice(), image.data.slice()] as [Uint8Array, Uint8Array];
      await gpu.filter(image, "gaussian:sigma=2", { region, out: outs[0] });
      await wasm.filter(image, "gaussian:sigma=2", { region, out: outs[1] });
      expect(distance(...outs)).toBe(0);
      for (const extent of ["full", "valid"] as const) {
        const [a, b] = [await gpu.filter(image, "box:3", { extent }), await wasm.filter(image, "box:3", { extent })];
        expect(distance(a.data, b.data)).toBe(0);
      }
    });

    it("filters what stays on the GPU", async () => {
      const [width, height, channels] = [side(1, 30), side(1, 30), side(1, 4)];
      const data = Uint8Array.from({ length: width * height * channels }, () => 255 * next());
      const [a, b] = [gpu.alloc({ width, height, channels }), gpu.alloc({ width, height, channels })];
      await a.write(data);
      await gpu.filter(a, "gaussian:sigma=1", { out: b });
      await gpu.filter(b, "gaussian:sigma=1", { out: a });
      const image = { width, height, channels, data };
      const wanted = await wasm.filter(await wasm.filter(image, "gaussian:sigma=1"), "gaussian:sigma=1");
      expect(distance((await a.read()) as Uint8Array, wanted.data)).toBe(0);
      a.dispose();
      await expect(gpu.filter(a, "box:3")).rejects.toMatchObject({ code: "DISPOSED" });
      b.dispose();
    });

    it("runs elsewhere what has no kernel, and says so", async () => {
      const image: Image = {
        width: 20,
        height: 12,
        channels: 1,
        data: Float64Array.from({ length: 240 }, () => next()),
      };
      const mask = Uint8Array.from({ length: 240 }, () => Number(next() < 0.8));
      const small = { ...image, data: Uint8Array.from(image.data, (v) => 255 * v) };
      for (const [one, options] of [
        [image, {}],
        [small, { mask }],
      ] as const) {
        const [a, b] = [
          await gpu.filter(one, "gaussian:sigma=1", options),
          await wasm.filter(one, "gaussian:sigma=1", options),
        ];
        expect(distance(a.data, b.data)).toBe(0);
      }
      const told = gpu.info().webgpu!.elsewhere;
      expect(told).toContain("taps: sums in f64, which WGSL does not have");
      expect(told).toContain("pixels with weights of their own");
      const value = gpu.alloc({ width: 20, height: 12, channels: 1 });
      await value.write(small.data);
      const [a, b] = [await gpu.filter(value, "box:3", { mask }), await wasm.filter(small, "box:3", { mask })];
      expect(distance(a.data, b.data)).toBe(0);
      value.dispose();
    });

    it("computes layers, in either order of axes, and into values", async () => {
      const [images, height, width, inputs, outputs] = [side(1, 2), side(3, 12), side(3, 12), side(1, 14), side(1, 21)];
      const x = floats(images, height, width, inputs);
      const options = { pads: "same", activation: "relu6" } as const;
      const calls = {
        conv: (e: Engine) => e.conv2d(x, weight, options),
        strided: (e: Engine) => e.conv2d(x, weight, { ...options, strides: [2, 2] }),
        pointwise: (e: Engine) => e.pointwiseConv2d(x, mix, { activation: "silu" }),
        depthwise: (e: Engine) => e.depthwiseConv2d(x, each, options),
        separable: (e: Engine) => e.separableConv2d(x, each, mixed, options),
        nchw: (e: Engine) => e.conv2d(planes, other, { pads: [1, 0, 0, 1], dataFormat: "NCHW" }),
      };
      const [weight, mix] = [floats(3, 3, inputs, outputs), floats(1, 1, inputs, outputs)];
      const [each, mixed] = [floats(3, 3, inputs, 2), floats(1, 1, 2 * inputs, outputs)];
      const [planes, other] = [{ shape: [images, inputs, height, width], data: x.data }, floats(outputs, inputs, 3, 3)];
      const shape = [images, height, width, inputs, outputs].join(" ");
      for (const [name, call] of Object.entries(calls)) {
        const [a, b] = [await call(gpu), await call(wasm)];
        expect(a.shape).toEqual(b.shape);
        expect(distance(a.data, b.data), `${name}, ${shape}`).toBeLessThan(1e-4);
      }
      const [from, to] = [gpu.alloc({ shape: x.shape }), gpu.alloc({ shape: [images, height, width, outputs] })];
      await from.write(x.data);
      await gpu.conv2d(from, weight, { ...options, out: to });
      const wanted = await wasm.conv2d(x, weight, options);
      expect(distance((await to.read()) as Float32Array, wanted.data)).toBeLessThan(1e-4);
      from.dispose();
      to.dispose();
    });

    it("runs a model whole, and one of which a part is computed elsewhere", async () => {
      const shapes = new Uint8Array(readFileSync(new URL("../../assets/shapes.onnx", import.meta.url)));
      const weights = (name: string, data: Float32Array, dims: number[]) =>
        tensor(name, dims, { rawData: new Uint8Array(data.buffer) });
      const pads = { attribute: [attributeOf(["pads", [1, 1, 1, 1]])] };
      const mixed = model({
        nodes: [
          node("Conv", ["x", "w"], ["a"], pads),
          node("Sin", ["a"], ["b"]),
          node("Conv", ["b", "w"], ["c"], pads),
          node("Add", ["c", "a"], ["y"]),
        ],
        initializers: [weights("w", floats(8, 8, 3, 3).data, [8, 8, 3, 3])],
        inputs: [value("x", [1, 8, 9, 7])],
        outputs: [value("y", [1, 8, 9, 7])],
      });
      for (const bytes of [shapes, mixed]) {
        const [a, b] = [await loadModel(bytes, { engine: gpu }), await loadModel(bytes, { engine: wasm })];
        const feeds = Object.fromEntries(
          a.inputs.map(({ name, shape }) => [
            name,
            floats(...shape!.map((one) => (typeof one === "number" && one > 0 ? one : 1))),
          ]),
        );
        for (let run = 0; run < 2; run++) {
          const [mine, theirs] = [await a.run(feeds), await b.run(feeds)];
          for (const [name, { data }] of Object.entries(theirs)) {
            const most = Math.max(1, ...(data as Float32Array).map(Math.abs));
            expect(distance(mine[name]!.data as Float32Array, data as Float32Array)).toBeLessThan(1e-5 * most);
          }
        }
        a.dispose();
        b.dispose();
      }
      expect(gpu.info().webgpu!.elsewhere).toContain("expression: WGSL's sin is not exact enough");
    });

    it("goes on with another device after its own was lost, and says what is gone", async () => {
      const device = await (await ownGpu().requestAdapter())!.requestDevice();
      const engine = await createEngine({ backend: "webgpu", device, allowSoftware: true });
      const image: Image = {
        width: 9,
        height: 5,
        channels: 1,
        data: Uint8Array.from({ length: 45 }, () => 255 * next()),
      };
      const wanted = await wasm.filter(image, "box:3");
      expect(distance((await engine.filter(image, "box:3")).data, wanted.data)).toBe(0);
      const value = engine.alloc({ width: 9, height: 5, channels: 1 });
      await value.write(image.data as Uint8Array);
      device.destroy();
      await device.lost;
      await expect(value.read()).rejects.toMatchObject({ code: "DEVICE_LOST" });
      expect(distance((await engine.filter(image, "box:3")).data, wanted.data)).toBe(0);
      expect(engine.info().webgpu!.losses).toBe(1);
      await value.write(image.data as Uint8Array);
      expect(distance((await engine.filter(value, "box:3")).data, wanted.data)).toBe(0);
      engine.dispose();
    });

    it("keeps within its memory, and hears a signal", async () => {
      const engine = await createEngine({ backend: "webgpu", allowSoftware: true, maxMemory: 2 ** 20 });
      expect(() => engine.alloc({ shape: [2 ** 19] })).toThrow(/maxMemory: expected at most/);
      const image = { width: 1000, height: 1000, channels: 1, data: new Uint8Array(1e6) };
      await expect(engine.filter(image, "box:3")).rejects.toMatchObject({ code: "LIMIT_EXCEEDED" });
      const signal = AbortSignal.abort(new Error("enough"));
      await expect(
        engine.filter({ ...image, width: 10, height: 10, data: new Uint8Array(100) }, "box:3", { signal }),
      ).rejects.toThrow("enough");
      engine.dispose();
    });
  },
);
