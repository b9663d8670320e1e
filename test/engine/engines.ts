// The engines that tests run on, and every plan that one of them finds for a filter.
import { afterAll } from "vitest";
import { createEngine, type Engine, type Filter, type FilterOptions, type Image, type Plan } from "../../src/index.ts";
import { imageDTypeOf } from "../../src/tensor.ts";

/** Engines by name, for `describe.each`; disposed after the file's last test. */
export function testEngines(): [name: string, engine: Promise<Engine>][] {
  const engines: [string, Promise<Engine>][] = [
    ["reference", createEngine({ backend: "reference" })],
    ["wasm, 1 thread", createEngine({ backend: "wasm", threads: 1 })],
    ["wasm, 2 threads", createEngine({ backend: "wasm", threads: 2 })],
  ];
  afterAll(async () => {
    for (const [, engine] of engines) (await engine).dispose();
  });
  return engines;
}

/** The plan of each solver that applies. */
export function everyPlan(engine: Engine, image: Image, filter: Filter, options?: FilterOptions): Plan[] {
  const problem = engine.filterProblem({ ...image, dtype: imageDTypeOf(image.data)! }, filter, options);
  const first = engine.plan(problem);
  const others = first.beaten.filter(({ cost, solver }) => cost && solver !== first.solver);
  return [
    first,
    ...[...new Set(others.map(({ solver }) => solver))].map((strategy) => engine.plan(problem, { strategy })),
  ];
}
