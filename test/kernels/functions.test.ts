// The errors of the functions that generated code computes, as functions.ts states them, over all of their range.
import { describe, expect, test } from "vitest";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { evaluate } from "../../src/kernels/expression/formulas.ts";
import { arena, pointwiseWindow, sidesOf } from "../../src/kernels/layer.ts";
import { networkKernels } from "../../src/kernels/networks.ts";
import { addKernels } from "../../src/kernels/table.ts";
import type { ExpressionNode, ExpressionSpec } from "../../src/plan/types.ts";
import { random } from "../oracle.ts";

addKernels(networkKernels);
type Name = "exp" | "log" | "tanh" | "erf" | "sigmoid" | "atan" | "sin" | "cos";

async function computed(
  name: Name | Binary,
  x: Float32Array,
  relaxed: boolean,
  second?: Float32Array,
): Promise<Float32Array> {
  const sides = [1, 1, x.length / 8, 8];
  const kernel: ExpressionSpec = {
    ...{
      family: "expression",
      ...pointwiseWindow,
      nodes: nodesOf(name, second !== undefined),
      constants: [],
      channels: 8,
    },
    operands: [x, ...(second ? [second] : [])].map(() => ({ pixels: true, channels: true })),
  };
  const reads = second ? ["x", "second"] : ["x"];
  const backend = new WasmBackend({
    threads: 1,
    always: false,
    maxMemory: 2 ** 28,
    mode: { relaxed, wide: false },
    memories: true,
  });
  const program = await backend.compile(
    {
      stages: [{ grid: { images: 1, extent: 1, grain: 1 }, steps: [{ name, kernel, reads, writes: "y" }] }],
      buffers: [...reads, "y"].map((id) => arena(id, sidesOf(sides))),
      cost: { time: 0 },
    },
    new Map(),
  );
  const y = new Float32Array(x.length);
  const bind = (data: Float32Array) =>
    ({ kind: "tensor", format: "NHWC", images: 1, height: 1, width: x.length / 8, channels: 8, data }) as const;
  const given = [x, ...(second ? [second] : [])].map((data, i): [string, ReturnType<typeof bind>] => [
    reads[i]!,
    bind(data),
  ]);
  await program.run(given, [["y", bind(y)]]);
  backend.dispose();
  return y;
}

function nodesOf(name: Name | Binary, two: boolean): ExpressionNode[] {
  const operands: ExpressionNode[] = [["operand", 0], ...(two ? [["operand", 1] as const] : [])];
  return [...operands, [name, 0, ...(two ? [1] : [])] as unknown as ExpressionNode];
}

const exact = (name: Name | Binary, x: number, y?: number): number =>
  evaluate({ nodes: nodesOf(name, y !== undefined), constants: [] }, [x, y ?? 0]);
/** The distance of neighbouring floats at a value; that of the least normal one below it. */
const unit = (value: number): number => 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value)))) - 23);

/** Numbers of both signs and every magnitude between two powers of 2, and evenly between two numbers. */
function samples(least: number, most: number, bits: readonly [number, number], signs: readonly number[]): Float32Array {
  const next = random(9);
  return Float32Array.from({ length: 80_000 }, (_, i) => {
    if (i % 2) return least + next() * (most - least);
    return signs[i % signs.length]! * 2 ** (bits[0] + next() * (bits[1] - bits[0]));
  });
}

const bounds: Readonly<Record<Name, { x: Float32Array; units?: number; absolute?: number }>> = {
  exp: { x: samples(-87, 88.72, [-30, 6.4], [1, -1]), units: 4 },
  log: { x: samples(1e-6, 100, [-149, 127], [1]), units: 2, absolute: 1e-7 },
  tanh: { x: samples(-10, 10, [-30, 6], [1, -1]), units: 3 },
  erf: { x: samples(-5, 5, [-30, 3], [1, -1]), absolute: 6e-7 },
  sigmoid: { x: samples(-87, 87, [-30, 6.4], [1, -1]), units: 4 },
  atan: { x: samples(-20, 20, [-30, 60], [1, -1]), units: 3 },
  sin: { x: samples(-100, 100, [-30, 31], [1, -1]), units: 0.6 },
  cos: { x: samples(-100, 100, [-30, 31], [1, -1]), units: 0.6 },
};

describe.each(Object.keys(bounds) as Name[])("%s", (name) => {
  const { x, units = 0, absolute = 0 } = bounds[name];

  test.each([false, true])("stays within its error, relaxed: %s", async (relaxed) => {
    const y = await computed(name, x, relaxed);
    let worst = { over: 0, x: 0, y: 0 };
    for (const [i, value] of y.entries()) {
      const right = exact(name, x[i]!);
      const over = Math.abs(value - right) / (units * unit(right) + absolute);
      if (!(over <= worst.over)) worst = { over, x: x[i]!, y: value };
    }
    expect(worst.over).toBeLessThanOrEqual(1);
  });

  test("gives the limits, and keeps NaN", async () => {
    const special = [0, -0, 1, -1, Infinity, -Infinity, Number.NaN, 1e38];
    const y = await computed(name, Float32Array.from(special), false);
    for (const [i, value] of special.entries()) {
      const right = Math.fround(exact(name, value));
      if (Number.isFinite(right))
        expect(Math.abs(y[i]! - right), `${name}(${value})`).toBeLessThan(1e-5 * (1 + Math.abs(right)));
      else expect(y[i], `${name}(${value})`).toBe(right);
    }
  });
});

type Binary = "pow" | "mod";
const pairs: Readonly<Record<Binary, { x: Float32Array; y: Float32Array }>> = {
  pow: { x: samples(0, 10, [-40, 40], [1]), y: samples(-6, 6, [-10, 4], [1, -1]).toReversed() },
  mod: { x: samples(-100, 100, [-10, 20], [1, -1]), y: samples(0.1, 10, [-5, 10], [1, -1]).toReversed() },
};
const hard = [0, -0, 1, -1, 0.5, -0.5, 2, -2, 3, -3, 1e-40, 1e38, -1e38, Infinity, -Infinity, Number.NaN];

describe.each(Object.keys(pairs) as Binary[])("%s", (name) => {
  test("is right but for its last bit", async () => {
    const { x, y } = pairs[name];
    const z = await computed(name, x, false, y);
    const worst = { over: 0, x: 0, y: 0, z: 0 };
    for (const [i, value] of z.entries()) {
      const right = exact(name, x[i]!, y[i]!);
      const over = Math.fround(right) === value ? 0 : Math.abs(value - right) / unit(right);
      if (!(over <= worst.over)) Object.assign(worst, { over, x: x[i], y: y[i], z: value });
    }
    expect(worst.over, JSON.stringify(worst)).toBeLessThanOrEqual(0.51);
  });

  test("gives the limits", async () => {
    const all = hard.flatMap((a) => hard.map((b) => [a, b] as const));
    const of = (which: 0 | 1) => Float32Array.from(all, (pair) => pair[which]);
    const z = await computed(name, of(0), false, of(1));
    for (const [i, [a, b]] of all.entries()) {
      // Of more multiples the remainder is not known.
      if (name === "mod" && Number.isFinite(a / b) && Math.abs(a / b) > 2 ** 28) continue;
      const right = Math.fround(exact(name, Math.fround(a), Math.fround(b)));
      expect(z[i], `${name}(${a}, ${b})`).toBe(right);
    }
  });
});
