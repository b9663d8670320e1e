// A depthwise separable layer, from problem to plan to program, on every machine: against plain loops over the definition.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { packPointwise } from "../../src/kernels/pointwise/kernel.ts";
import { kernelOf, solvers } from "../../src/kernels/table.ts";
import { type Planner, plan } from "../../src/plan/planner.ts";
import { builtInProfile } from "../../src/plan/profile.ts";
import type { Activation, SeparableProblem } from "../../src/plan/types.ts";
import type { Machine } from "../../src/run/machine.ts";
import { Program } from "../../src/run/program.ts";
import { ReferenceMachine } from "../../src/run/reference.ts";
import { WasmMachine } from "../../src/run/wasm.ts";
import { wideSupport } from "../../src/wasm/wide.ts";
import { random } from "../oracle.ts";

const planner: Planner = {
  solvers,
  profile: builtInProfile,
  workOf: ({ kernel, reads, writes }, buffers) =>
    kernelOf(kernel).work(kernel, { reads: reads.map((id) => buffers.get(id)!), write: buffers.get(writes)! }),
};

const wasm = (threads: number, relaxed: boolean, wide: boolean): Machine =>
  new WasmMachine({ threads, always: true, maxMemory: 2 ** 28, mode: { relaxed, wide } });
const machines: [string, Machine][] = [
  ["reference", new ReferenceMachine(2 ** 28)],
  ["wasm, 1 thread", wasm(1, false, false)],
  ["wasm, 2 threads, fused", wasm(2, true, false)],
  ["wasm, wide where the machine can", wasm(1, true, wideSupport().supported)],
];
afterAll(() => {
  for (const [, machine] of machines) machine.dispose();
});

interface Layer {
  images: number;
  height: number;
  width: number;
  inputs: number;
  outputs: number;
  size: [number, number];
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
  depthMultiplier: number;
  middle: Activation;
  activation: Activation;
  seed: number;
}

const small = (max: number) => fc.integer({ min: 1, max });
const layers: fc.Arbitrary<Layer> = fc
  .record({
    ...{ images: small(3), height: small(14), width: small(14), inputs: small(9), outputs: small(11) },
    ...{
      size: fc.tuple(small(5), small(5)),
      strides: fc.tuple(small(3), small(3)),
      dilations: fc.tuple(small(2), small(2)),
    },
    pads: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
    depthMultiplier: small(3),
    middle: fc.constantFrom<Activation>("none", "relu", "relu6"),
    activation: fc.constantFrom<Activation>("none", "relu", "relu6"),
    seed: fc.nat(1e9),
  })
  .filter((l) => outSide(l, 0) > 0 && outSide(l, 1) > 0);

/** Output rows (axis 0) or columns (axis 1). */
function outSide({ height, width, size, strides, dilations, pads }: Layer, axis: 0 | 1): number {
  const room = [height, width][axis]! + pads[axis] + pads[axis + 2]! - (size[axis] - 1) * dilations[axis] - 1;
  return Math.floor(room / strides[axis]) + 1;
}

const act = (activation: Activation, value: number): number =>
  activation === "none" ? value : Math.min(activation === "relu6" ? 6 : Infinity, Math.max(0, value));

/** The definition, in f64. Depthwise weights are [kh, kw, inputs, multiplier]; a bias follows each set of weights. */
function expected(
  layer: Layer,
  x: Float32Array,
  depthwise: Float32Array,
  pointwise: Float32Array,
  bias: Float32Array,
): number[] {
  const { images, height, width, inputs, outputs, size, strides, dilations, pads, depthMultiplier: m } = layer;
  const out: number[] = [];
  for (let n = 0; n < images; n++)
    for (let y = 0; y < outSide(layer, 0); y++)
      for (let xx = 0; xx < outSide(layer, 1); xx++) {
        const middle = Array.from({ length: inputs * m }, (_, o) => {
          let sum = depthwise[size[0] * size[1] * inputs * m + o]!;
          for (let i = 0; i < size[0]; i++)
            for (let j = 0; j < size[1]; j++) {
              const [row, column] = [
                y * strides[0] + i * dilations[0] - pads[0],
                xx * strides[1] + j * dilations[1] - pads[1],
              ];
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              const value = x[((n * height + row) * width + column) * inputs + Math.floor(o / m)]!;
              sum += depthwise[(i * size[1] + j) * inputs * m + o]! * value;
            }
          return act(layer.middle, sum);
        });
        for (let o = 0; o < outputs; o++)
          out.push(
            act(
              layer.activation,
              middle.reduce((sum, v, c) => sum + v * pointwise[c * outputs + o]!, bias[o]!),
            ),
          );
      }
  return out;
}

describe.each(machines)("a separable layer, on %s,", (_name, machine) => {
  it("is what its definition says", async () => {
    await fc.assert(
      fc.asyncProperty(layers, async (layer) => {
        const { images, height, width, inputs, outputs, size, strides, dilations, pads, depthMultiplier } = layer;
        const next = random(layer.seed);
        const values = (n: number): Float32Array => Float32Array.from({ length: n }, () => next() * 4 - 2);
        const x = values(images * height * width * inputs);
        const depthwise = values((size[0] * size[1] + 1) * inputs * depthMultiplier);
        const [pointwise, bias] = [values(inputs * depthMultiplier * outputs), values(outputs)];
        const [rows, columns] = [outSide(layer, 0), outSide(layer, 1)];
        const problem: SeparableProblem = {
          kind: "separable",
          x: { shape: [images, height, width, inputs], dtype: "f32" },
          y: { shape: [images, rows, columns, outputs], dtype: "f32" },
          window: { size, strides, dilations, pads, border: "constant", borderValue: 0 },
          ...{ depthMultiplier, middle: layer.middle, activation: layer.activation },
        };
        const constants = new Map([
          ["depthwise", depthwise],
          ["pointwise", packPointwise(pointwise, bias, inputs * depthMultiplier, outputs)],
        ]);
        const program = await Program.create(plan(problem, planner), machine, constants);
        const out = new Float32Array(images * rows * columns * outputs);
        const source = { data: x, dtype: "f32" as const, width, height, channels: inputs };
        await program.run(source, { data: out, dtype: "f32", gain: 1, offset: 0 });
        program.dispose();
        const wanted = expected(layer, x, depthwise, pointwise, bias);
        const worst = wanted.reduce((most, v, i) => Math.max(most, Math.abs(v - out[i]!) / (1 + Math.abs(v))), 0);
        expect(worst).toBeLessThan(2 ** -23 * 64 * (size[0] * size[1] + inputs * depthMultiplier));
      }),
      { numRuns: 120 },
    );
  });
});
