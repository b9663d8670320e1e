// Small files that failed once.
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { createEngine, LimitError } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { dataPath, withoutData } from "../data.ts";
import { noise } from "./models.ts";

const missing = withoutData("cases");

const open = async (name: string) => {
  const engine = await createEngine({ threads: 1 });
  return { engine, model: await loadModel(readFileSync(dataPath("cases", `${name}.onnx`)), { engine }) };
};

test.skipIf(missing)(`integers inside a graph serve every run${missing}`, async () => {
  const { engine, model } = await open("i64_second_run");
  const x = noise([1, 3, 4, 4]);
  const first = await model.run({ x });
  expect(await model.run({ x })).toEqual(first);
  expect(first.y!.data[0]).toBe([0, 1, 2].reduce((best, c) => (x.data[c * 16]! > x.data[best * 16]! ? c : best), 0));
  engine.dispose();
});

test.skipIf(missing)(`weights that Expand makes are folded${missing}`, async () => {
  const { engine, model } = await open("weights_from_expand");
  await model.run({ x: noise([1, 64, 80, 80]) });
  expect((await model.info()).programs[0]!.host).toEqual([]);
  engine.dispose();
});

test.skipIf(missing)(`values that are too many together are refused before they take memory${missing}`, async () => {
  const { engine, model } = await open("many_expand");
  const before = process.memoryUsage().rss;
  await expect(model.run({ x: noise([1, 3, 8, 8]) })).rejects.toThrow(LimitError);
  expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 27);
  engine.dispose();
});

test.skipIf(missing)(`Resize aligns corners by the fractional size, as ONNX's test vector${missing}`, async () => {
  const { engine, model } = await open("resize_align_corners_fractional");
  const [{ nodes, constants }, x] = [model.graph, noise([3, 17, 11, 10])];
  const scales = [...constants.get(nodes[0]!.inputs[2]!)!.data].map(Number);
  const { v2 } = await model.run({ x });
  const [rows, columns] = v2!.shape.slice(2) as [number, number];
  expect([rows, columns]).toEqual([Math.floor(11 * scales[2]!), Math.floor(10 * scales[3]!)]);
  const at = (i: number, side: number, scale: number): number => (i * (side - 1)) / (side * scale - 1);
  const pixel = (y: number, px: number): number => x.data[Math.min(y, 10) * 10 + Math.min(px, 9)]!;
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) {
      const [y, px] = [at(i, 11, scales[2]!), at(j, 10, scales[3]!)];
      const [y0, x0] = [Math.floor(y), Math.floor(px)];
      const row = (r: number): number => pixel(r, x0) * (1 - px + x0) + pixel(r, x0 + 1) * (px - x0);
      expect(v2!.data[i * columns + j]).toBeCloseTo(row(y0) * (1 - y + y0) + row(y0 + 1) * (y - y0), 5);
    }
  engine.dispose();
});
