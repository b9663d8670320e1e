// Views of views: two random copies, one after the other, against what is composed of them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { infer, inputSpecs } from "../../src/graph/infer.ts";
import { fuseCopies } from "../../src/graph/passes/copies.ts";
import type { View } from "../../src/graph/types.ts";
import { sizeOf, stridesOf } from "../../src/graph/values.ts";
import { composed, numbersOfViews, viewsOf } from "../../src/graph/views.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { Random } from "../random-tensors.ts";
import { graphOf, integers, node } from "./graphs.ts";

/** Copies elements one by one. */
function copy(views: readonly View[], inputs: readonly (readonly number[])[], length: number): number[] {
  const to = new Array<number>(length).fill(-1);
  for (const { input, counts, from, to: target } of views)
    for (let i = 0; i < sizeOf(counts); i++) {
      const index = stridesOf(counts).map((stride, axis) => Math.floor(i / stride) % counts[axis]!);
      const at = (offset: number, strides: readonly number[]): number =>
        index.reduce((sum, one, axis) => sum + one * strides[axis]!, offset);
      to[at(target.offset, target.strides)] = inputs[input]![at(from.offset, from.strides)]!;
    }
  return to;
}

/** A copy that some operator may make of values of a shape: the views, and the shape of the result. */
function randomCopy(r: Random, shape: number[], several: boolean): { views: View[]; shape: number[] } {
  const strides = stridesOf(shape);
  const plain = (counts: number[], steps: number[], offset = 0): View => ({
    ...{ input: 0, output: 0, counts, from: { offset, strides: steps }, to: { offset: 0, strides: stridesOf(counts) } },
  });
  const kind = r.pick(["transpose", "split", "slice", ...(several ? ["concat", "concat"] : [])]);
  if (kind === "transpose") {
    const order = r.shuffle(shape.map((_, axis) => axis));
    const turned = order.map((axis) => shape[axis]!);
    return {
      shape: turned,
      views: [
        plain(
          turned,
          order.map((axis) => strides[axis]!),
        ),
      ],
    };
  }
  if (kind === "split") {
    const parts = shape.flatMap((side) => (side % 2 === 0 ? [2, side / 2] : [side]));
    const merged = r.flag() ? parts : [sizeOf(parts)];
    return { shape: merged, views: [plain(merged, stridesOf(merged))] };
  }
  const axis = r.int(0, shape.length - 1);
  if (kind === "slice") {
    const [start, step] = [r.int(0, shape[axis]! - 1), r.pick([1, 2, -1])];
    const most = step > 0 ? Math.ceil((shape[axis]! - start) / step) : start + 1;
    const counts = shape.with(axis, r.int(1, most));
    return { shape: counts, views: [plain(counts, strides.with(axis, step * strides[axis]!), start * strides[axis]!)] };
  }
  const sides = Array.from({ length: r.int(2, 3) }, (_, i) => (i === 0 ? shape[axis]! : r.int(1, 4)));
  const whole = shape.with(
    axis,
    sides.reduce((sum, side) => sum + side, 0),
  );
  let start = 0;
  const views = sides.map((side, input): View => {
    const counts = shape.with(axis, side);
    const to = { offset: start * stridesOf(whole)[axis]!, strides: stridesOf(whole) };
    start += side;
    return { ...plain(counts, stridesOf(counts)), input, to };
  });
  return { shape: whole, views };
}

describe("views of views", () => {
  test("copy what two copies do", () => {
    let [made, all] = [0, 0];
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const r = new Random(seed);
        const shape = Array.from({ length: r.int(1, 4) }, () => r.int(1, 6));
        const first = randomCopy(r, shape, true);
        const second = randomCopy(r, first.shape, false);
        const inputs = first.views.map(({ counts }, i) =>
          Array.from({ length: Math.max(sizeOf(shape), sizeOf(counts)) }, (_, at) => 1000 * i + at),
        );
        const between = copy(first.views, inputs, sizeOf(first.shape));
        const expected = copy(second.views, [between], sizeOf(second.shape));
        const found = composed(first.shape, first.views, second.views[0]!);
        all++;
        if (!found) return;
        made++;
        expect(copy(found, inputs, sizeOf(second.shape))).toEqual(expected);
        const kept = viewsOf(node("Rearrange", ["x"], ["y"], { views: numbersOfViews(found) }));
        expect(kept).toEqual(found);
      }),
      { numRuns: 2000 },
    );
    expect(made / all).toBeGreaterThan(0.7);
  });

  test("make one node of a shuffle of channels, and of the heads of a detector", () => {
    const shuffle = graphOf(
      { a: [1, 4, 3, 5], b: [1, 4, 3, 5] },
      [
        node("Concat", ["a", "b"], ["c"], { axis: 1 }),
        node("Reshape", ["c", "halves"], ["r"]),
        node("Transpose", ["r"], ["t"], { perm: [0, 2, 1, 3, 4] }),
        node("Reshape", ["t", "whole"], ["y"]),
      ],
      ["y"],
      { halves: integers(1, 2, 4, 3, 5), whole: integers(1, 8, 3, 5) },
    );
    const heads = graphOf(
      { a: [1, 6, 4, 4], b: [1, 6, 2, 2] },
      [
        ...["a", "b"].flatMap((name) => [
          node("Transpose", [name], [`${name}t`], { perm: [0, 2, 3, 1] }),
          node("Reshape", [`${name}t`, "rows"], [`${name}r`]),
        ]),
        node("Concat", ["ar", "br"], ["y"], { axis: 1 }),
      ],
      ["y"],
      { rows: integers(1, -1, 6) },
    );
    for (const graph of [shuffle, heads]) {
      const specs = infer(graph, operators, inputSpecs(graph));
      expect(fuseCopies(graph, operators, specs).nodes.map(({ op }) => op)).toEqual(["Rearrange"]);
    }
  });
});
