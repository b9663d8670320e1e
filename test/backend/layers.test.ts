// Layers from problem to plan to network, on every machine and by every candidate plan: against their definition.
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import { ReferenceBackend } from "../../src/backend/reference/backend.ts";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { wideSupport } from "../../src/backend/wasm/wide.ts";
import type { LayerWeights } from "../../src/kernels/kernel.ts";
import { kernelOf, solvers } from "../../src/kernels/table.ts";
import { transposedWeights } from "../../src/kernels/transposed/solver.ts";
import { builtInProfile } from "../../src/plan/cost.ts";
import { candidates, type Planner } from "../../src/plan/planner.ts";
import type { Activation, LayerProblem } from "../../src/plan/types.ts";
import { act, conv, depthwise, type Layer, outSide, pointwiseAfter, worstError } from "../layer-oracle.ts";
import { random } from "../oracle.ts";

const planner: Planner = {
  solvers,
  profile: builtInProfile,
  workOf: ({ kernel, reads, writes }, buffers) =>
    kernelOf(kernel).work(kernel, { reads: reads.map((id) => buffers.get(id)!), write: buffers.get(writes)! }),
};

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

const small = (max: number) => fc.integer({ min: 1, max });
const activations = fc.oneof(
  fc.constantFrom<Activation>("none", "relu", "relu6", "hardSwish", "silu", "sigmoid"),
  fc.constantFrom<Activation>({ leakyRelu: 0.2 }, { clip: [-0.5, 1] }),
);
const layers = fc
  .record({
    ...{ images: small(3), height: small(14), width: small(14), inputs: small(19) },
    size: fc.oneof(
      fc.tuple(small(4), small(4)),
      fc.constantFrom<[number, number]>([1, 1], [3, 3], [5, 5], [6, 2], [2, 10]),
    ),
    ...{ strides: fc.tuple(small(3), small(3)), dilations: fc.tuple(small(2), small(2)) },
    pads: fc.tuple(fc.nat(3), fc.nat(3), fc.nat(3), fc.nat(3)),
    ...{ outputs: small(35), multiplier: small(3), middleChannels: small(20), seed: fc.nat(1e9) },
    ...{ first: activations, middle: activations, activation: activations, residual: fc.boolean() },
  })
  .filter((layer) => outSide(layer, 0) > 0 && outSide(layer, 1) > 0);
type Sample = Layer & {
  outputs: number;
  multiplier: number;
  middleChannels: number;
  seed: number;
  first: Activation;
  middle: Activation;
  activation: Activation;
  residual: boolean;
};

/** A problem, its weights, and what its definition gives. */
interface Case {
  problem: LayerProblem;
  weights: Map<string, LayerWeights>;
  wanted: Float64Array;
  /** How many products an output sums, for the tolerance. */
  depth: number;
}

type Values = (count: number) => Float32Array;

const baseOf = (layer: Sample, outputs: number) => {
  const { images, height, width, inputs, size, strides, dilations, pads, activation } = layer;
  return {
    x: { shape: [images, height, width, inputs], dtype: "f32" as const },
    y: { shape: [images, outSide(layer, 0), outSide(layer, 1), outputs], dtype: "f32" as const },
    window: { size, strides, dilations, pads, border: "constant" as const, borderValue: 0 },
    activation,
    dataFormat: "NHWC" as const,
  };
};

const kinds: Record<string, (layer: Sample, x: Float32Array, values: Values) => Case> = {
  conv(layer, x, values) {
    const { size, inputs, outputs, activation } = layer;
    const [weight, bias] = [values(size[0] * size[1] * inputs * outputs), values(outputs)];
    return {
      problem: { kind: "conv", ...baseOf(layer, outputs), groups: 1 },
      weights: new Map([["weight", { weight, bias }]]),
      wanted: conv(layer, x, weight, bias, { outputs, activation }),
      depth: size[0] * size[1] * inputs,
    };
  },
  // Often enough what Winograd's algorithm is for.
  "3 x 3 conv"({ height, width, ...rest }, x, values) {
    const layer: Sample = {
      ...rest,
      height,
      width,
      size: [3, 3],
      strides: [1, 1],
      dilations: [1, 1],
      pads: [1, 1, 1, 1],
    };
    return kinds.conv!(layer, x, values);
  },
  transposed({ height, width, size, strides, ...rest }, x, values) {
    const { images, inputs, outputs, activation } = rest;
    // Sides of the result, less what is cut off on each.
    const cut = (axis: 0 | 1): number => Math.min(rest.pads[axis], size[axis] - 1);
    const whole = [(height - 1) * strides[0] + size[0], (width - 1) * strides[1] + size[1]] as const;
    const [rows, columns] = [whole[0] - 2 * cut(0), whole[1] - 2 * cut(1)];
    const [h, w] = [Math.max(rows, 1), Math.max(columns, 1)];
    const [weight, bias] = [values(size[0] * size[1] * inputs * outputs), values(outputs)];
    const wanted = new Float64Array(images * h * w * outputs);
    for (let i = 0; i < wanted.length; i++) {
      const [o, xx, y, n] = [
        i % outputs,
        Math.floor(i / outputs) % w,
        Math.floor(i / outputs / w) % h,
        Math.floor(i / outputs / w / h),
      ];
      let sum = bias[o]!;
      for (let ky = 0; ky < size[0]; ky++)
        for (let kx = 0; kx < size[1]; kx++) {
          const [fy, fx] = [y + cut(0) - ky, xx + cut(1) - kx];
          const [row, column] = [fy / strides[0], fx / strides[1]];
          if (!Number.isInteger(row) || !Number.isInteger(column)) continue;
          if (row < 0 || row >= height || column < 0 || column >= width) continue;
          for (let c = 0; c < inputs; c++)
            sum +=
              x[((n * height + row) * width + column) * inputs + c]! *
              weight[((ky * size[1] + kx) * inputs + c) * outputs + o]!;
        }
      wanted[i] = act(activation, sum);
    }
    const problem = {
      kind: "transposed" as const,
      x: { shape: [images, height, width, inputs], dtype: "f32" as const },
      y: { shape: [images, h, w, outputs], dtype: "f32" as const },
      window: {
        ...{ size, strides, dilations: [1, 1] as [number, number], border: "constant" as const, borderValue: 0 },
        pads: [cut(0), cut(1), cut(0), cut(1)] as [number, number, number, number],
      },
      ...{ activation, dataFormat: "NHWC" as const },
    };
    return {
      problem,
      weights: transposedWeights(problem, { weight, bias }),
      wanted,
      depth: size[0] * size[1] * inputs,
    };
  },
  "grouped conv"(layer, x, values) {
    const { size, inputs, activation } = layer;
    const groups = [4, 3, 2].find((groups) => inputs % groups === 0) ?? inputs;
    const outputs = groups * (1 + (layer.outputs % 11));
    const weight = values(size[0] * size[1] * (inputs / groups) * outputs);
    return {
      problem: { kind: "conv", ...baseOf(layer, outputs), groups },
      weights: new Map([["weight", { weight }]]),
      wanted: conv(layer, x, weight, undefined, { outputs, groups, activation }),
      depth: size[0] * size[1] * inputs,
    };
  },
  depthwise(layer, x, values) {
    const { size, inputs, multiplier, activation } = layer;
    const [weight, bias] = [values(size[0] * size[1] * inputs * multiplier), values(inputs * multiplier)];
    return {
      problem: { kind: "depthwise", ...baseOf(layer, inputs * multiplier), depthMultiplier: multiplier },
      weights: new Map([["weight", { weight, bias }]]),
      wanted: depthwise(layer, x, weight, bias, { multiplier, activation }),
      depth: size[0] * size[1],
    };
  },
  "depthwise of columns and rows"(layer, x, values) {
    const { size, inputs, activation } = layer;
    const [column, row, bias] = [values(size[0] * inputs), values(size[1] * inputs), values(inputs)];
    const weight = Float64Array.from({ length: size[0] * size[1] * inputs }, (_, i) => {
      const [tap, c] = [Math.floor(i / inputs), i % inputs];
      return column[Math.floor(tap / size[1]) * inputs + c]! * row[(tap % size[1]) * inputs + c]!;
    });
    const problem = { kind: "depthwise" as const, ...baseOf(layer, inputs), depthMultiplier: 1 };
    return {
      problem: { ...problem, spatiallySeparable: true },
      weights: new Map([
        ["weight", { weight: Float32Array.from(weight), bias }],
        ["column", { weight: column }],
        ["row", { weight: row, bias }],
      ]),
      wanted: depthwise(layer, x, weight, bias, { activation }),
      depth: size[0] * size[1],
    };
  },
  separable(layer, x, values) {
    const { size, inputs, multiplier, outputs, middle, activation } = layer;
    const channels = inputs * multiplier;
    const [weight, bias] = [values(size[0] * size[1] * channels), values(channels)];
    const [mix, mixBias] = [values(channels * outputs), values(outputs)];
    const between = depthwise(layer, x, weight, bias, { multiplier, activation: middle });
    return {
      problem: { kind: "separable", ...baseOf(layer, outputs), depthMultiplier: multiplier, middle },
      weights: new Map([
        ["depthwise", { weight, bias }],
        ["pointwise", { weight: mix, bias: mixBias }],
      ]),
      wanted: conv(pointwiseAfter(layer, channels), between, mix, mixBias, { outputs, activation }),
      depth: size[0] * size[1] * channels,
    };
  },
  inverted(layer, x, values) {
    const { size, inputs, middleChannels, first, middle, activation } = layer;
    const same = outSide(layer, 0) === layer.height && outSide(layer, 1) === layer.width;
    const residual = layer.residual && same;
    const outputs = residual ? inputs : layer.outputs;
    const [expand, expandBias] = [values(inputs * middleChannels), values(middleChannels)];
    const [weight, bias] = [values(size[0] * size[1] * middleChannels), values(middleChannels)];
    const [project, projectBias] = [values(middleChannels * outputs), values(outputs)];
    const { images, height, width } = layer;
    const whole: Layer = {
      ...{ images, height, width, inputs },
      ...{ size: [1, 1], strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0] },
    };
    const expanded = conv(whole, x, expand, expandBias, { outputs: middleChannels, activation: first });
    const filtered = depthwise({ ...layer, inputs: middleChannels }, expanded, weight, bias, { activation: middle });
    const added = residual ? x : undefined;
    return {
      problem: { kind: "inverted", ...baseOf(layer, outputs), middleChannels, expand: first, middle, residual },
      weights: new Map([
        ["expand", { weight: expand, bias: expandBias }],
        ["depthwise", { weight, bias }],
        ["project", { weight: project, bias: projectBias }],
      ]),
      wanted: conv(pointwiseAfter(layer, middleChannels), filtered, project, projectBias, {
        outputs,
        activation,
        added,
      }),
      depth: size[0] * size[1] * inputs * middleChannels,
    };
  },
};

describe.each(backends)("on %s,", (_name, backend) => {
  it.each(Object.entries(kinds))(
    "every plan of a layer of kind %s is what its definition says",
    async (_kind, make) => {
      await fc.assert(
        fc.asyncProperty(layers, fc.constantFrom("NHWC" as const, "NCHW" as const), async (layer, format) => {
          const next = random(layer.seed);
          const values: Values = (n) => Float32Array.from({ length: n }, () => next() * 2 - 1);
          const x = values(layer.images * layer.height * layer.width * layer.inputs);
          const { problem, weights, wanted, depth } = make(layer, x, values);
          const sides = ([images, height, width, channels]: number[]) => ({
            ...{ images: images!, height: height!, width: width!, channels: channels!, format },
          });
          const [from, to] = [sides(problem.x.shape), sides(problem.y.shape)];
          const { found } = candidates(problem, planner);
          expect(found.length > 0 || problem.kind === "transposed").toBe(true);
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
        }),
        { numRuns: 60 },
      );
    },
  );
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
