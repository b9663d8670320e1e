import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError } from "../../src/errors.ts";
import { factorize } from "../../src/factor/factorize.ts";
import type { WeightFactors } from "../../src/factor/weights.ts";
import type { Tensor } from "../../src/tensor.ts";
import { distance, frobenius, generator } from "./matrices.ts";

type Shape = [outChannels: number, inChannels: number, kh: number, kw: number];
const splits = ["depthwise", "spatial", "bottleneck"] as const;

function randomWeight(shape: Shape, seed = 1): Tensor {
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, generator(seed)) };
}

function at({ shape, data }: Tensor, ...index: number[]): number {
  return Number(data[index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0)]);
}

/** The weight that the two layers compute together: what each output takes from each input pixel under the window. */
function product(factors: WeightFactors[keyof WeightFactors], [outChannels, inChannels, kh, kw]: Shape): number[] {
  const weights: number[] = [];
  const entry = (o: number, c: number, y: number, x: number): number => {
    let sum = 0;
    for (let k = 0; k < factors.rank; k++) {
      if (factors.split === "depthwise") {
        const channel = c * factors.rank + k;
        sum += at(factors.depthwise, channel, 0, y, x) * at(factors.pointwise, o, channel, 0, 0);
      } else if (factors.split === "spatial") {
        sum += at(factors.vertical, k, c, y, 0) * at(factors.horizontal, o, k, 0, x);
      } else {
        sum += at(factors.first, k, c, y, x) * at(factors.second, o, k, 0, 0);
      }
    }
    return sum;
  };
  for (let o = 0; o < outChannels; o++)
    for (let c = 0; c < inChannels; c++)
      for (let y = 0; y < kh; y++) for (let x = 0; x < kw; x++) weights.push(entry(o, c, y, x));
  return weights;
}

function measuredError(weight: Tensor, factors: WeightFactors[keyof WeightFactors]): number {
  const data = Array.from(weight.data, Number);
  return distance(product(factors, weight.shape as Shape), data) / (frobenius(data) || 1);
}

const shapes = fc.tuple(
  fc.integer({ min: 1, max: 6 }),
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: 1, max: 4 }),
  fc.integer({ min: 1, max: 4 }),
);

describe.each(splits)("factorize a weight: %s", (split) => {
  test("the error is what multiplying the factors shows, at every rank", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 1000 }), (shape, rank, seed) => {
        const weight = randomWeight(shape, seed);
        const factors = factorize(weight, { split, rank });
        expect(factors.rank).toBeLessThanOrEqual(rank);
        expect(Math.abs(measuredError(weight, factors) - factors.error)).toBeLessThan(1e-6);
      }),
    );
  });

  test("a tolerance gets the smallest rank that meets it", () => {
    const weight = randomWeight([6, 4, 3, 3]);
    for (const tolerance of [0.7, 0.4, 0.1]) {
      const factors = factorize(weight, { split, tolerance });
      expect(factors.error).toBeLessThanOrEqual(tolerance);
      if (factors.rank > 1)
        expect(factorize(weight, { split, rank: factors.rank - 1 }).error).toBeGreaterThan(tolerance);
    }
  });

  test("neither rank nor tolerance: the rank in the precision of the weight", () => {
    const shape: Shape = [5, 3, 3, 2];
    const made = factorize(randomWeight(shape), { split, rank: 1 });
    const single: Tensor = { shape, data: Float32Array.from(product(made, shape)) };
    const factors = factorize(single, { split });
    expect(factors.rank).toBe(1);
    expect(factors.error).toBeLessThan(1e-6);
    // In f64 the rounding to f32 is no longer rounding.
    expect(factorize({ shape, data: Float64Array.from(single.data as Float32Array) }, { split }).rank).toBeGreaterThan(
      1,
    );
  });

  test("a weight of zeros keeps one channel of zeros", () => {
    const factors = factorize({ shape: [2, 3, 2, 2], data: new Float32Array(24) }, { split });
    expect(factors).toMatchObject({ rank: 1, error: 0 });
    expect(product(factors, [2, 3, 2, 2]).every((x) => x === 0)).toBe(true);
  });
});

test("shapes and multiplications are those of the two layers", () => {
  const weight = randomWeight([8, 3, 5, 7]);
  const direct = 8 * 3 * 5 * 7;
  const depthwise = factorize(weight, { split: "depthwise", rank: 2 });
  expect(depthwise.depthwise.shape).toEqual([6, 1, 5, 7]);
  expect(depthwise.pointwise.shape).toEqual([8, 6, 1, 1]);
  expect(depthwise.multiplications).toEqual({ direct, separable: 6 * 35 + 8 * 6 });
  const spatial = factorize(weight, { split: "spatial", rank: 4 });
  expect(spatial.vertical.shape).toEqual([4, 3, 5, 1]);
  expect(spatial.horizontal.shape).toEqual([8, 4, 1, 7]);
  expect(spatial.multiplications).toEqual({ direct, separable: 4 * 3 * 5 + 8 * 4 * 7 });
  const bottleneck = factorize(weight, { split: "bottleneck", rank: 3 });
  expect(bottleneck.first.shape).toEqual([3, 3, 5, 7]);
  expect(bottleneck.second.shape).toEqual([8, 3, 1, 1]);
  expect(bottleneck.multiplications).toEqual({ direct, separable: 3 * 3 * 35 + 8 * 3 });
});

test("the textbook's layer: 12 x 12 x 3, 5 x 5, 256 outputs", () => {
  const { multiplications } = factorize(randomWeight([256, 3, 5, 5]), { split: "depthwise", rank: 1 });
  const positions = 8 * 8;
  expect(multiplications.direct * positions).toBe(1_228_800);
  expect(multiplications.separable * positions).toBe(4_800 + 49_152);
});

test("depthwise: channels of lower rank than the depth multiplier are filled with zeros", () => {
  // Channel 0 has one filter, channel 1 two.
  const data = Float32Array.from([1, 2, 1, 0, 2, 4, 0, 1]);
  const factors = factorize({ shape: [2, 2, 1, 2], data }, { split: "depthwise" });
  expect(factors.rank).toBe(2);
  expect(measuredError({ shape: [2, 2, 1, 2], data }, factors)).toBeLessThan(1e-6);
  expect(Array.from(factors.depthwise.data.subarray(2, 4)).every((x) => Math.abs(x) < 1e-6)).toBe(true);
});

test("the scale does not matter", () => {
  const weight = randomWeight([4, 3, 3, 3]);
  const tiny = { ...weight, data: Float64Array.from(weight.data as Float32Array, (x) => x * 1e-30) };
  for (const split of splits) {
    expect(factorize(tiny, { split, rank: 2 }).error).toBeCloseTo(factorize(weight, { split, rank: 2 }).error, 12);
  }
});

describe("factorize a weight refuses", () => {
  const data = new Float32Array(36);
  const weight = { shape: [2, 2, 3, 3], data };
  test.each([
    ["an unknown split", weight, { split: "depthwize" }, /did you mean "depthwise"/],
    ["no split", weight, {}, /^split/],
    ["no options", weight, undefined, /^split/],
    ["an unknown option", weight, { split: "spatial", ranks: 2 }, /did you mean "rank"/],
    ["a limit that is none", weight, { split: "spatial", maxSide: "9" }, /^maxSide/],
    ["a rank of 0", weight, { split: "spatial", rank: 0 }, /^rank/],
    ["a 2-D shape", { shape: [3, 3], data }, { split: "spatial" }, /^weight.shape/],
    ["no shape", { shape: undefined, data }, { split: "spatial" }, /^weight.shape/],
    ["a side of 0", { shape: [0, 2, 3, 3], data }, { split: "spatial" }, /^weight.shape\[0\]/],
    ["too few elements", { shape: [3, 2, 3, 3], data }, { split: "spatial" }, /^weight.data/],
    ["bytes", { shape: [2, 2, 3, 3], data: new Uint8Array(36) }, { split: "spatial" }, /Float32Array/],
    ["NaN", { shape: [1, 1, 1, 1], data: Float32Array.of(Number.NaN) }, { split: "spatial" }, /^weight.data\[0\]/],
  ])("%s", (_, given, options, message) => {
    expect(() => factorize(given as never, options as never)).toThrow(InvalidArgumentError);
    expect(() => factorize(given as never, options as never)).toThrow(message);
  });

  test("matrices whose sides both exceed the limit, unless it is raised", () => {
    const large = randomWeight([8, 8, 3, 3]);
    expect(() => factorize(large, { split: "spatial", rank: 1, maxSide: 23 })).toThrow(LimitError);
    expect(factorize(large, { split: "spatial", rank: 1, maxSide: 24 }).rank).toBe(1);
    expect(() => factorize(randomWeight([257, 257, 3, 3]), { split: "spatial" })).toThrow(/768/);
  });
});
