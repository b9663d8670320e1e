// What a detector's outputs are read as: boxes by their corners, and by offsets from UltraFace's grid.
import { expect, test } from "vitest";
import { boxesOf, inCommon, isDetector } from "../../web/src/model/detections.ts";

type Run = Parameters<typeof boxesOf>[0];

function runOf(scores: number[], boxes: number[][], sides: number[] = [1, 3, 64, 64]): Run {
  const n = boxes.length;
  const outputs = [
    { name: "scores", shape: [1, n, 2], data: Float32Array.from(scores.flatMap((score) => [1 - score, score])) },
    { name: "boxes", shape: [1, n, 4], data: Float32Array.from(boxes.flat()) },
  ];
  return { outputs, shape: sides } as unknown as Run;
}

test("corners: the surest first, and one of those that overlap", () => {
  const found = boxesOf(runOf([0.8, 0.6, 0.9, 0.75], [[0, 0, 0.5, 0.5], [0, 0, 1, 1], [0.01, 0, 0.5, 0.5], [0.6, 0.6, 0.9, 0.9]]))!; // biome-ignore format: one line
  expect(found.map(({ score }) => Math.round(100 * score))).toEqual([90, 75]);
  expect(found[1]!.left).toBeCloseTo(0.6);
  expect(inCommon(found, [{ score: 1, left: 0, top: 0, right: 0.5, bottom: 0.45 }])).toBe(1);
});

test("offsets from a grid", () => {
  // 64 × 64 pixels: 3 sides in each of 64 cells, 2 of 16, 2 of 4, 3 of 1
  const count = 3 * 64 + 2 * 16 + 2 * 4 + 3;
  const scores = Array.from({ length: count }, (_, i) => (i === 3 * 9 + 1 ? 0.95 : 0));
  const boxes = scores.map((score) => (score > 0 ? [2.5, 0, 0, 5 * Math.log(2)] : [0, 0, 9, 9]));
  const [box] = boxesOf(runOf(scores, boxes))!;
  // The cell in row and column 1 has its middle at 12; the side is 16, moved by a quarter of it, and twice as high
  expect(box!.left * 64).toBeCloseTo(12 + 4 - 8);
  expect(box!.right * 64).toBeCloseTo(12 + 4 + 8);
  expect(box!.top * 64).toBeCloseTo(12 - 16);
  expect(box!.bottom * 64).toBeCloseTo(12 + 16);
});

test("what is neither is left as numbers", () => {
  expect(boxesOf(runOf([0.9, 0.9], [[5, 5, 1, 1], [9, 9, 9, 9]]))).toBeUndefined(); // biome-ignore format: one line
  expect(isDetector([{ shape: [1, 10] }])).toBe(false);
  expect(isDetector([{ shape: [1, 5, 2] }, { shape: [1, 6, 4] }])).toBe(false);
});
