// The bundled network and the pictures that it was made for.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { drawShape, drawShapes, shapeSide } from "../../demo/drawing/shapes/draw.ts";
import { type Distance, outlines, shapeNames } from "../../demo/drawing/shapes/outlines.ts";
import { readSidecar } from "../../src/node/model-files.ts";
import { exampleModel } from "../../src/node/package.ts";
import { imageToTensor, loadModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { runRuntime, runtime, withoutRuntime } from "../onnx/runtime.ts";

describe("the outlines", () => {
  const [reach, step] = [1.5, 0.025];
  const places = Array.from({ length: Math.round((2 * reach) / step) }, (_, i) => (i + 0.5) * step - reach);
  const grid = places.flatMap((y) => places.map((x) => [x, y] as const));

  it.each(Object.entries<Distance>(outlines))("%s has an area of about 2, and distances for values", (_name, of) => {
    const area = step ** 2 * grid.filter(([x, y]) => of(x, y) < 0).length;
    expect(area).toBeGreaterThan(1.75);
    expect(area).toBeLessThan(2.2);
    // No value changes faster than one walks
    for (const [x, y] of grid) {
      expect(Math.abs(of(x + step, y) - of(x, y))).toBeLessThan(step * 1.0001);
      expect(Math.abs(of(x, y + step) - of(x, y))).toBeLessThan(step * 1.0001);
    }
  });
});

describe("the pictures", () => {
  it("are the same every time", () => {
    const hash = createHash("sha256");
    for (const { picture } of drawShapes(30)) hash.update(picture.data);
    expect(hash.digest("hex")).toBe("8fa0732322e04240690b475d6697e081dfa651b1e74522aca14b3b5ccc3bee6e");
  });

  it("are of every shape in turn, as many as are asked for", () => {
    const drawn = drawShapes(12, 5);
    expect(drawn.map(({ label }) => label)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    expect(drawn[11]!.picture).toEqual(drawShape("ring", 1, 5));
    for (const { picture } of drawn) {
      expect(picture).toMatchObject({ width: shapeSide, height: shapeSide, channels: 3 });
      expect(picture.data.length).toBe(3 * shapeSide ** 2);
      const values = Array.from(picture.data);
      expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(50);
    }
  });

  it("differ by shape, number and seed", () => {
    const texts = shapeNames.flatMap((shape) =>
      [0, 1].flatMap((index) => [0, 1].map((seed) => drawShape(shape, index, seed).data.join())),
    );
    expect(new Set(texts).size).toBe(4 * shapeNames.length);
  });
});

describe("the network", () => {
  const bytes = readFileSync(exampleModel);

  it("is small and, before its head, nothing but regular convolutions of 3 x 3", async () => {
    expect(bytes.length).toBeLessThan(600_000);
    const { graph } = await loadModel(bytes);
    const count = 6;
    expect(graph.nodes.map(({ op }) => op)).toEqual([
      ...Array.from({ length: count }, () => ["Conv", "Relu"]).flat(),
      ...["GlobalAveragePool", "Flatten", "Gemm"],
    ]);
    for (const { attributes } of graph.nodes.filter(({ op }) => op === "Conv"))
      expect(attributes).toMatchObject({ kernel_shape: [3, 3], group: 1, dilations: [1, 1] });
    expect(graph.inputs).toMatchObject([{ name: "input", dtype: "f32", shape: ["N", 3, shapeSide, shapeSide] }]);
    expect(graph.outputs).toMatchObject([{ name: "logits", shape: ["N", shapeNames.length] }]);
  });

  it("has a sidecar with the shapes' names", async () => {
    const size = { width: shapeSide, height: shapeSide };
    expect(await readSidecar(fileURLToPath(exampleModel))).toEqual({ size, labels: shapeNames });
  });

  const drawn = drawShapes(300);
  const inputs = { input: batch(drawn.map(({ picture }) => imageToTensor(picture))) };

  it("knows nine in ten pictures that it has never seen", async ({ skip }) => {
    const model = await loadModel(bytes);
    const classes = best((await model.run(inputs)).logits!);
    model.dispose();
    const known = drawn.filter(({ label }, i) => classes[i] === label).length / drawn.length;
    expect(known).toBeGreaterThan(0.89);
    expect(known).toBeLessThan(1);
    skip(!runtime, withoutRuntime);
    expect(classes).toEqual(best((await runRuntime(bytes, inputs)).logits!));
  });
});

/** One tensor of many that hold one picture each. */
function batch(pictures: readonly (Tensor & { data: Float32Array })[]): Tensor {
  const { shape, data } = pictures[0]!;
  const all = new Float32Array(pictures.length * data.length);
  for (const [i, picture] of pictures.entries()) all.set(picture.data, i * data.length);
  return { shape: [pictures.length, ...shape.slice(1)], data: all };
}

/** Of every row the place of its largest element. */
function best({ shape, data }: Tensor): number[] {
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, i) => {
    const row = Array.from(data.subarray(i * width, (i + 1) * width), Number);
    return row.indexOf(Math.max(...row));
  });
}
