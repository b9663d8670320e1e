import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError } from "../../src/errors.ts";
import { factorize } from "../../src/factor/factorize.ts";
import type { WeightFactors } from "../../src/factor/weights.ts";
import type { Tensor } from "../../src/tensor.ts";
import { distance, frobenius, generator } from "./matrices.ts";

type Shape = [outChannels: number, inChannels: number, kh: number, kw: number];
const splits = ["depthwise", "spatial", "bottleneck", "cp"] as const;

function randomWeight(shape: Shape, seed = 1): Tensor {
  return { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b) }, generator(seed)) };
}

function at({ shape, data }: Tensor, ...index: number[]): number {
  return Number(data[index.reduce((offset, i, axis) => offset * shape[axis]! + i, 0)]);
}

/** The weight that the layers compute together: what each output takes from each input pixel under the window. */
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
      } else if (factors.split === "bottleneck") {
        sum += at(factors.first, k, c, y, x) * at(factors.second, o, k, 0, 0);
      } else {
        sum += at(factors.first, k, c, 0, 0) * at(factors.depthwise, k, 0, y, x) * at(factors.last, o, k, 0, 0);
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

  test("a tolerance gets a rank that meets it, and the rank before does not", () => {
    const weight = randomWeight([6, 4, 3, 3]);
    for (const tolerance of [0.7, 0.4, 0.1]) {
      const factors = factorize(weight, { split, tolerance });
      expect(factors.error).toBeLessThanOrEqual(tolerance);
      expect(Math.abs(measuredError(weight, factors) - factors.error)).toBeLessThan(1e-6);
      if (factors.rank > 1)
        expect(factorize(weight, { split, rank: factors.rank - 1 }).error).toBeGreaterThan(tolerance);
    }
  });

  test("a rank and a tolerance: at most the rank", () => {
    const factors = factorize(randomWeight([6, 4, 3, 3]), { split, rank: 2, tolerance: 0.01 });
    expect(factors.rank).toBe(2);
    expect(factors.error).toBeGreaterThan(0.01);
  });

  test("exact where the rank suffices: f32 rounding is all that is left", () => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 1, max: 1000 }), (shape, seed) => {
        const weight = randomWeight(shape, seed);
        const factors = factorize(weight, { split });
        const [o, c, kh, kw] = shape;
        const enough = {
          ...{ depthwise: Math.min(o, kh * kw), spatial: Math.min(o * kw, c * kh) },
          ...{ bottleneck: Math.min(o, c * kh * kw), cp: Math.min(o * c, o * kh * kw, c * kh * kw) },
        };
        expect(factors.rank).toBeLessThanOrEqual(enough[split]);
        expect(measuredError(weight, factors)).toBeLessThan(4 * 2 ** -23);
        expect(factors.error).toBeLessThan(4 * 2 ** -23);
      }),
    );
  });

  test("neither rank nor tolerance: the rank in the precision of the weight", () => {
    const shape: Shape = [5, 3, 3, 2];
    const made = factorize(randomWeight(shape), { split, rank: 1 });
    const single: Tensor = { shape, data: Float32Array.from(product(made, shape)) };
    const factors = factorize(single, { split });
    // Of the cp form only an upper bound is sure: here one term for each of three input channels.
    expect(factors.rank).toBe(split === "cp" ? 3 : 1);
    expect(factors.error).toBeLessThan(1e-6);
    // In f64 the rounding to f32 is no longer rounding.
    const double = { shape, data: Float64Array.from(single.data as Float32Array) };
    expect(factorize(double, { split }).rank).toBeGreaterThan(factors.rank);
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
  const cp = factorize(weight, { split: "cp", rank: 4 });
  expect(cp.first.shape).toEqual([4, 3, 1, 1]);
  expect(cp.depthwise.shape).toEqual([4, 1, 5, 7]);
  expect(cp.last.shape).toEqual([8, 4, 1, 1]);
  expect(cp.multiplications).toEqual({ direct, separable: 4 * (3 + 35 + 8) });
});

describe("the cp form", () => {
  const shapesWithRank = [
    { shape: [8, 8, 3, 3], rank: 5 },
    { shape: [16, 16, 3, 3], rank: 20 },
    { shape: [24, 12, 3, 3], rank: 14 },
    { shape: [6, 10, 5, 5], rank: 7 },
  ] as const;

  test.each(shapesWithRank)("mostly finds the terms that a weight $shape was made of: $rank", ({ shape, rank }) => {
    const errors = [1, 2, 3, 4, 5, 6].map((seed) => {
      const terms = made(shape, rank, seed);
      const factors = factorize(terms, { split: "cp", rank });
      expect(Math.abs(measuredError(terms, factors) - factors.error)).toBeLessThan(1e-6);
      return factors.error;
    });
    // Alternating least squares may end in another minimum, and then says so.
    expect(errors.filter((error) => error < 1e-6).length).toBeGreaterThanOrEqual(5);
  });

  test("is better than the depthwise split and the bottleneck at equal multiplications", () => {
    const weight = randomWeight([16, 16, 3, 3]);
    const cp = factorize(weight, { split: "cp", rank: 20 });
    const depthwise = factorize(weight, { split: "depthwise", rank: 2 });
    const bottleneck = factorize(weight, { split: "bottleneck", rank: 5 });
    for (const other of [depthwise, bottleneck]) {
      expect(Math.abs(other.multiplications.separable / cp.multiplications.separable - 1)).toBeLessThan(0.03);
      expect(cp.error).toBeLessThan(other.error - 0.02);
    }
  });

  test("the same bits every time, and terms of equal parts", () => {
    const weight = randomWeight([9, 7, 3, 3]);
    const [a, b] = [1, 2].map(() => factorize(weight, { split: "cp", rank: 6 }));
    expect(a).toEqual(b);
    for (let k = 0; k < 6; k++) {
      const first = frobenius(a!.first.data.subarray(7 * k, 7 * k + 7));
      const last = frobenius(Array.from({ length: 9 }, (_, o) => a!.last.data[6 * o + k]!));
      expect(frobenius(a!.depthwise.data.subarray(9 * k, 9 * k + 9)) / first).toBeCloseTo(1, 5);
      expect(last / first).toBeCloseTo(1, 5);
    }
  });

  test("where one of the three sizes is 1 it is a matrix, of which the best approximation is known", () => {
    for (const shape of [
      [5, 1, 3, 3],
      [6, 4, 1, 1],
      [4, 6, 1, 1],
      [1, 1, 1, 1],
    ] satisfies Shape[]) {
      const weight = randomWeight(shape);
      for (let rank = 1; rank <= Math.min(shape[0], shape[1] * shape[2] * shape[3]); rank++) {
        const best = factorize(weight, { split: "bottleneck", rank }).error;
        expect(Math.abs(factorize(weight, { split: "cp", rank }).error - best)).toBeLessThan(1e-3);
      }
    }
  });
});

/** A weight that is a sum of `rank` terms. */
function made(shape: Shape | readonly [number, number, number, number], rank: number, seed: number): Tensor {
  const [o, c, kh, kw] = shape;
  const next = generator(seed);
  const random = (length: number) => Array.from({ length }, next);
  const terms = Array.from({ length: rank }, () => [random(o), random(c), random(kh * kw)] as const);
  const data = Float64Array.from({ length: o * c * kh * kw }, (_, i) => {
    const [tap, channel, output] = [i % (kh * kw), Math.floor(i / (kh * kw)) % c, Math.floor(i / (kh * kw * c))];
    return terms.reduce((sum, [outputs, inputs, taps]) => sum + outputs[output]! * inputs[channel]! * taps[tap]!, 0);
  });
  return { shape, data };
}

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
    expect(() => factorize(large, { split: "cp", rank: 20, maxSide: 19 })).toThrow(/^rank of the cp fit: .*19 terms/);
    expect(factorize(large, { split: "cp", rank: 72, maxSide: 19 }).error).toBeLessThan(1e-6); // exact: no fit
    expect(() => factorize(randomWeight([257, 257, 3, 3]), { split: "spatial" })).toThrow(/768/);
  });
});

test("a weight may call its sides dims", () => {
  const [shape, data] = [[2, 3, 3, 3], Float32Array.from({ length: 54 }, generator(3))];
  expect(factorize({ dims: shape, data }, { split: "spatial" })).toEqual(
    factorize({ shape, data }, { split: "spatial" }),
  );
  expect(() => factorize({ dims: [2, 3], data }, { split: "spatial" })).toThrow("weight.shape");
});
