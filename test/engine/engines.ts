// The engines that tests run on, every plan that one of them finds for a filter, and what its results may miss.
import { afterAll } from "vitest";
import { checkFilter, denseValues } from "../../src/factor/filter.ts";
import {
  createEngine,
  type Engine,
  type EngineOptions,
  type Filter,
  type FilterOptions,
  factorize,
  type Image,
  type Plan,
} from "../../src/index.ts";
import { imageDTypeOf } from "../../src/tensor.ts";
import { strategiesOf } from "../strategies.ts";

/** Engines by name, for `describe.each`; disposed after the file's last test. */
export function testEngines(): [name: string, engine: Promise<Engine>][] {
  const engines: [string, Promise<Engine>][] = [
    ["reference", createEngine({ backend: "reference" })],
    ["wasm, 1 thread", createEngine({ backend: "wasm", threads: 1 })],
    ["wasm, 2 threads", createEngine({ backend: "wasm", threads: 2 })],
    ["wasm, wide where the machine can", createEngine({ backend: "wasm", threads: 1, wide: true })],
  ];
  afterAll(async () => {
    for (const [, engine] of engines) (await engine).dispose();
  });
  return engines;
}

/** Makes engines that are disposed of after the file's last test. */
export function engineMaker(defaults: EngineOptions = {}): (options?: EngineOptions) => Promise<Engine> {
  const made: Engine[] = [];
  afterAll(() => {
    for (const engine of made) engine.dispose();
  });
  return async (options) => {
    const engine = await createEngine({ ...defaults, ...options });
    made.push(engine);
    return engine;
  };
}

/** A plan by every way that applies, the planner's own choice first. */
export function everyPlan(engine: Engine, image: Image, filter: Filter, options?: FilterOptions): Plan[] {
  const problem = engine.filterProblem({ ...image, dtype: imageDTypeOf(image.data)! }, filter, options);
  return strategiesOf(engine.plan(problem)).map((strategy) => engine.plan(problem, { strategy }));
}

/** A filter as rows of the numbers that it multiplies by, gain included. */
export function rowsOf(filter: Filter): number[][] {
  const checked = checkFilter(filter);
  const values = denseValues(checked).map((v) => v * checked.gain);
  return Array.from({ length: checked.kh }, (_, i) => values.slice(i * checked.kw, (i + 1) * checked.kw));
}

/**
 * What sums in f32 may miss: a rounding for each tap of two passes, of sums as large as the filter or its terms, which
 * may cancel, can make them.
 */
export function floatBound(filter: Filter, largest: number): number {
  const rows = rowsOf(filter);
  const { terms } = factorize(filter);
  const passes = terms.reduce((total, { column, row }) => total + sumOfMagnitudes(column) * sumOfMagnitudes(row), 0);
  const sum = Math.max(sumOfMagnitudes(rows.flat()), passes);
  return 2 ** -23 * (rows.length + rows[0]!.length + 2) * sum * largest;
}

const sumOfMagnitudes = (taps: readonly number[]): number => taps.reduce((total, tap) => total + Math.abs(tap), 0);

export const largestOf = (data: ArrayLike<number>): number =>
  Array.from(data).reduce((most, v) => Math.max(most, Math.abs(v)), 0);

/** The largest difference; infinite where lengths differ, NaN where one of two values is not a number. */
export const worst = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  a.length === b.length ? largestOf(Array.from(a, (v, i) => v - b[i]!)) : Infinity;

/** The same bits, for `toBe` and short messages. */
export const bits = ({ data }: { readonly data: ArrayBufferView }): string =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex");
