// Code of plans without an engine: it runs on nothing but WebAssembly, and gives an engine's bits.
import { afterAll, expect, it } from "vitest";
import type { Weights } from "../../src/backend/backend.ts";
import { type ClosedExports, codeOf, type ProgramImage, packedWeights } from "../../src/backend/wasm/code.ts";
import { weightsOf } from "../../src/engine/layers.ts";
import { createEngine, filters } from "../../src/index.ts";
import type { FilterProblem, LayerProblem, Plan } from "../../src/plan/types.ts";
import { random, randomImage } from "../oracle.ts";

const engine = await createEngine({ backend: "wasm", threads: 1, deterministic: true });
afterAll(() => engine.dispose());

const next = random(7);
const values = (shape: readonly number[]) => ({
  shape,
  data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * next() - 1),
});

/** Instantiates a plan's code; `run` goes through all its strips. */
function load(plan: Plan, weights: Weights = new Map()) {
  const { module, programs } = codeOf([plan], { relaxed: false });
  expect(codeOf([plan], { relaxed: false })).toEqual({ module, programs });
  const [code] = programs as [ProgramImage];
  const memory = new WebAssembly.Memory({ initial: Math.ceil(code.end / 65536) });
  const bytes = new Uint8Array(memory.buffer);
  bytes.set(code.bytes, code.base);
  for (const [address, packed] of packedWeights(code, weights)) bytes.set(packed, address);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
  return { code, memory, run: () => (exports as unknown as ClosedExports).whole(code.base) };
}

it("of a layer gives the engine's bits", async () => {
  const [x, depthwise, pointwise] = [values([1, 13, 17, 16]), values([3, 3, 16, 1]), values([1, 1, 16, 24])];
  const options = { pads: "same", activation: "relu" } as const;
  const shapes = { x: x.shape, depthwise: depthwise.shape, pointwise: pointwise.shape };
  const problem: LayerProblem = engine.layerProblem("separableConv2d", shapes, options);
  const plan = engine.plan(problem);
  const { code, memory, run } = load(plan, weightsOf(problem, { depthwise, pointwise }));
  const rows = (id: string) => {
    const { data, pitch, rows, spec } = code.places.get(id)!;
    const [left, inside] = [spec.left ?? 0, spec.width - (spec.left ?? 0) - (spec.right ?? 0)];
    return Array.from(
      { length: rows },
      (_, y) => new Float32Array(memory.buffer, data + y * pitch + left * spec.channels * 4, inside * spec.channels),
    );
  };
  rows("x").forEach((row, y) => {
    row.set(x.data.subarray(y * 17 * 16, (y + 1) * 17 * 16));
  });
  run();
  const { data } = await engine.separableConv2d(x, depthwise, pointwise, options);
  expect(rows("y").flatMap((row) => [...row])).toEqual([...data]);
});

it("of a filter gives the engine's bits", async () => {
  const image = randomImage(40, 24, 1, "u8", 5);
  const problem: FilterProblem = engine.filterProblem({ ...image, dtype: "u8" }, filters.gaussian({ sigma: 1 }));
  const { code, memory, run } = load(engine.plan(problem));
  const { data, pitch, spec, rows } = code.places.get("x")!;
  const [top, left] = problem.window.pads;
  const inside = (i: number, size: number): number => (i < 0 ? -i : i >= size ? 2 * size - 2 - i : i);
  expect(rows).toBe(24 + spec.above + spec.below);
  for (let row = 0; row < rows; row++)
    for (let x = 0; x < spec.width; x++)
      new Uint8Array(memory.buffer)[data + row * pitch + x] =
        image.data[inside(row - top, 24) * 40 + inside(x - left, 40)]!;
  run();
  const wanted = await engine.filter(image, filters.gaussian({ sigma: 1 }));
  const y = code.places.get("y")!;
  const got = Array.from({ length: 24 }, (_, row) => [...new Uint8Array(memory.buffer, y.data + row * y.pitch, 40)]);
  expect(got.flat()).toEqual([...wanted.data]);
});
