// Layers from problem to plan to network, on every machine and by every candidate plan: against their definition.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import { findStructure, weightsOf } from "../../src/engine/layers.ts";
import type { LayerWeights } from "../../src/kernels/kernel.ts";
import { solvers, workOf } from "../../src/kernels/table.ts";
import { transposedWeights } from "../../src/kernels/transposed/solver.ts";
import { builtInProfile } from "../../src/plan/cost.ts";
import { layerProblem } from "../../src/plan/layer-problem.ts";
import { candidates, type Planner } from "../../src/plan/planner.ts";
import type { Activation, LayerProblem } from "../../src/plan/types.ts";
import { act, worstError } from "../layer-oracle.ts";
import { type Between, drawn, type makers, sampleOf } from "../layers/samples.ts";
import { grouped, hardShapes, randomShapes, type Shape } from "../layers/shapes.ts";

const planner: Planner = { solvers, workOf, profile: builtInProfile };

const wasm = (threads: number, relaxed: boolean, wide: boolean, memories = true): Backend =>
  new WasmBackend({ threads, always: true, maxMemory: 2 ** 28, mode: { relaxed, wide }, memories });
const backends: [string, Backend][] = [
  ["reference", new ReferenceBackend(2 ** 28)],
  ["wasm, 1 thread", wasm(1, false, false)],
  ["wasm, 2 threads, fused", wasm(2, true, false)],
  ["wasm, 3 threads, one memory", wasm(3, true, false, false)],
  ["wasm, wide where the machine can", wasm(1, true, wideSupport().supported)],
];
afterAll(() => {
  for (const [, backend] of backends) backend.dispose();
});

const activations = fc.oneof(
  fc.constantFrom<Activation>("none", "relu", "relu6", "hardSwish", "silu", "sigmoid"),
  fc.constantFrom<Activation>({ leakyRelu: 0.2 }, { clip: [-0.5, 1] }),
);
const between = fc.record({ first: activations, middle: activations, last: activations, residual: fc.boolean() });
const shapes = randomShapes({ images: 3, height: 14, width: 14, inputs: 19, outputs: 35, groups: 4, middle: 20 });

/** A problem, its weights, and what its definition gives. */
interface Case {
  problem: LayerProblem;
  weights: Map<string, LayerWeights>;
  x: Float32Array;
  wanted: Float64Array;
  /** How many products an output sums, for the tolerance. */
  depth: number;
}

type Kind = (shape: Shape, between: Between) => Case;

const kindOf =
  (kind: keyof typeof makers): Kind =>
  (shape, between) => {
    const { kind: name, x, weights, biases, options, wanted, depth } = sampleOf(kind, shape, between);
    const sides = Object.fromEntries(Object.entries(weights).map(([name, { shape }]) => [name, shape]));
    const given = layerProblem(name, { x: x.shape, ...sides }, options);
    const found = weightsOf(given, { ...weights, ...biases });
    return { problem: findStructure(given, found), weights: found, x: x.data, wanted: wanted(x.data), depth };
  };
const conv2d = kindOf("conv2d");

const kinds: Record<string, Kind> = {
  conv: (shape, between) => conv2d({ ...shape, groups: 1 }, between),
  // Often enough what Winograd's algorithm is for.
  "3 x 3 conv": (shape, between) =>
    conv2d({ ...shape, groups: 1, size: [3, 3], strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1] }, between),
  "grouped conv": (shape, between) => {
    const inputs = 1 + (shape.inputs % 8);
    return conv2d(grouped({ ...shape, inputs, outputs: 1 + (shape.outputs % 11) }), between);
  },
  transposed,
  depthwise: kindOf("depthwiseConv2d"),
  "depthwise of columns and rows": kindOf("depthwiseConv2d of rank 1"),
  pointwise: kindOf("pointwiseConv2d"),
  separable: kindOf("separableConv2d"),
  inverted: kindOf("invertedResidual"),
};

/** Each input is spread over the window, a stride apart; some of each side is cut off. */
function transposed(shape: Shape, { last: activation }: Between): Case {
  const { images, height, width, inputs, outputs, size, strides, pads, seed } = shape;
  const cut = [Math.min(pads[0], size[0] - 1), Math.min(pads[1], size[1] - 1)] as const;
  const h = Math.max(1, (height - 1) * strides[0] + size[0] - 2 * cut[0]);
  const w = Math.max(1, (width - 1) * strides[1] + size[1] - 2 * cut[1]);
  const { values } = drawn(seed);
  const x = values(images * height * width * inputs);
  const [weight, bias] = [values(size[0] * size[1] * inputs * outputs), values(outputs)];
  const sums = new Float64Array(images * h * w * outputs).map((_, i) => bias[i % outputs]!);
  for (let pixel = 0; pixel < images * height * width; pixel++)
    for (let tap = 0; tap < size[0] * size[1]; tap++) {
      const [n, row, column] = [Math.floor(pixel / width / height), Math.floor(pixel / width) % height, pixel % width];
      const y = row * strides[0] + Math.floor(tap / size[1]) - cut[0];
      const xx = column * strides[1] + (tap % size[1]) - cut[1];
      if (y < 0 || y >= h || xx < 0 || xx >= w) continue;
      for (let o = 0; o < outputs; o++)
        for (let c = 0; c < inputs; c++)
          sums[((n * h + y) * w + xx) * outputs + o]! +=
            x[pixel * inputs + c]! * weight[(tap * inputs + c) * outputs + o]!;
    }
  const problem = {
    kind: "transposed" as const,
    x: { shape: [images, height, width, inputs], dtype: "f32" as const },
    y: { shape: [images, h, w, outputs], dtype: "f32" as const },
    window: {
      ...{ size, strides, dilations: [1, 1] as [number, number], border: "constant" as const, borderValue: 0 },
      pads: [...cut, ...cut] as [number, number, number, number],
    },
    ...{ activation, dataFormat: "NHWC" as const },
  };
  return {
    ...{ problem, weights: transposedWeights(problem, { weight, bias }), x },
    wanted: sums.map((sum) => act(activation, sum)),
    depth: size[0] * size[1] * inputs,
  };
}

/** What every plan of a layer gives is what its definition says: the solvers of all. */
async function tryPlans(backend: Backend, made: Case, format: "NHWC" | "NCHW"): Promise<string[]> {
  const { problem, weights, x, wanted, depth } = made;
  const sides = ([images, height, width, channels]: number[]) => ({
    ...{ images: images!, height: height!, width: width!, channels: channels!, format },
  });
  const [from, to] = [sides(problem.x.shape), sides(problem.y.shape)];
  const { found } = candidates(problem, planner);
  expect(found.length).toBeGreaterThan(0);
  for (const candidate of found) {
    const program = await backend.compile(candidate, weights);
    const data = new Float32Array(wanted.length).fill(NaN);
    const members = problem.kind === "depthwise" ? problem.depthMultiplier : 1;
    const input = { kind: "tensor" as const, ...from, data: format === "NCHW" ? planes(x, from) : x };
    const output = { kind: "tensor" as const, ...to, members, data };
    for (let run = 0; run < 2; run++) await program.run([["x", input]], [["y", output]]);
    program.dispose();
    const got = format === "NCHW" ? pixels(data, to) : data;
    expect(worstError(got, wanted)).toBeLessThan(2 ** -23 * (32 + 4 * depth));
    expect(got.some(Number.isNaN)).toBe(false);
  }
  return found.map(({ solver }) => solver);
}

/** Solvers of which every run of these must have tried plans. */
const solversOf: Record<string, string[]> = {
  ...{ conv: ["matrix-product"], "3 x 3 conv": ["matrix-product", "winograd"], "grouped conv": ["matrix-product"] },
  ...{ transposed: ["transposed-phases"], depthwise: ["depthwise"], pointwise: ["matrix-product"] },
  "depthwise of columns and rows": ["depthwise", "depthwise-column-row"],
  separable: ["fused", "apart"].map((way) => `depthwise-pointwise ${way}`),
  inverted: ["fused", "half fused", "apart"].map((way) => `pointwise-depthwise-pointwise ${way}`),
};

describe.each(backends)("on %s,", (_name, backend) => {
  it.each(Object.keys(kinds))("every plan of a layer of kind %s is what its definition says", async (kind) => {
    const tried = new Set<string>();
    const formats = fc.constantFrom("NHWC" as const, "NCHW" as const);
    await fc.assert(
      fc.asyncProperty(shapes, between, formats, async (shape, between, format) => {
        for (const solver of await tryPlans(backend, kinds[kind]!(shape, between), format)) tried.add(solver);
      }),
      { numRuns: 60 },
    );
    expect([...tried]).toEqual(expect.arrayContaining(solversOf[kind]!));
  });

  it.each(hardShapes)("every kind of layer is what its definition says: %s", async (_shape, shape) => {
    for (const kind of Object.values(kinds)) {
      await tryPlans(backend, kind(shape, { first: "relu", middle: "none", last: "none" }), "NHWC");
    }
  });
});

interface Sides {
  images: number;
  height: number;
  width: number;
  channels: number;
}

function planes(data: Float32Array, { images, height, width, channels }: Sides): Float32Array {
  return Float32Array.from({ length: images * height * width * channels }, (_, i) => {
    const [n, c, pixel] = [
      Math.floor(i / (height * width * channels)),
      Math.floor(i / (height * width)) % channels,
      i % (height * width),
    ];
    return data[(n * height * width + pixel) * channels + c]!;
  });
}

function pixels(data: Float32Array, { images, height, width, channels }: Sides): Float32Array {
  return Float32Array.from({ length: images * height * width * channels }, (_, i) => {
    const [n, c, pixel] = [
      Math.floor(i / (height * width * channels)),
      i % channels,
      Math.floor(i / channels) % (height * width),
    ];
    return data[(n * channels + c) * height * width + pixel]!;
  });
}
