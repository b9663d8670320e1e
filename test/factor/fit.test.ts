// Fits of decompositions: what they amount to, what they lose, and the tools they are made with.
import { beforeAll, describe, expect, test } from "vitest";
import { solvePositive } from "../../src/factor/cholesky.ts";
import { type DecompositionName, decompositions, type FitProblem } from "../../src/factor/decompositions.ts";
import { fitDecomposition } from "../../src/factor/fit.ts";
import { type Matrix, matrix, multiplyPlainly, transpose, withDiagonal } from "../../src/factor/matrix.ts";
import { minimize } from "../../src/factor/minimize.ts";
import { createEngine, type Engine } from "../../src/index.ts";
import { Gemm } from "../../src/separate/gemm.ts";
import { seeded } from "../../src/separate/random.ts";

const { normal } = seeded(7);
const noise = (rows: number, cols: number): Matrix => matrix(rows, cols, normal);
const largest = (a: Matrix, b: Matrix): number => Math.max(...a.data.map((value, i) => Math.abs(value - b.data[i]!)));
const tools = { multiply: multiplyPlainly, random: normal };

describe.each([
  [1, false],
  [2, false],
  [1, true],
  [2, true],
])("gemm by generated code, %i threads, wide: %s", (threads, wide) => {
  let [engine, gemm] = [undefined as Engine | undefined, new Gemm()];
  beforeAll(async () => {
    engine = await createEngine({ threads, wide });
    gemm = new Gemm(engine);
    return async () => {
      await gemm.dispose();
      engine!.dispose();
    };
  });

  test.each([
    [1, 1, 1],
    [6, 8, 4],
    [7, 5, 3],
    [13, 300, 9],
    [5, 513, 6],
    [3, 0, 2],
    [130, 257, 33],
  ])("%i × %i × %i", (m, k, n) => {
    const [a, b] = [noise(m, k), noise(k, n)];
    const found = gemm.multiply(a, b);
    expect(largest(found, multiplyPlainly(a, b))).toBeLessThan(1e-12 * (k + 1));
    // The same sums in the same order, whatever computes them.
    expect(found).toEqual(new Gemm().multiply(a, b));
  });

  test("of a matrix with itself, added up", () => {
    const total = matrix(11, 11);
    const [a, b] = [noise(17, 11), noise(300, 11)];
    gemm.addGram(total, a);
    gemm.addGram(total, b);
    const [x, y] = [multiplyPlainly(transpose(a), a), multiplyPlainly(transpose(b), b)];
    for (let r = 0; r < 11; r++)
      for (let c = 0; c <= r; c++)
        expect(total.data[r * 11 + c]).toBeCloseTo(x.data[r * 11 + c]! + y.data[r * 11 + c]!, 9);
  });
});

test.each([1, 9, 32, 33, 100])("a positive definite system of %i unknowns is solved", (size) => {
  const root = noise(size + 11, size);
  const a = withDiagonal(multiplyPlainly(transpose(root), root), () => 0.1);
  const b = noise(size, 4);
  expect(largest(multiplyPlainly(a, solvePositive(a, b, multiplyPlainly)), b)).toBeLessThan(1e-9);
});

test("an unknown that nothing depends on is 0", () => {
  const a = { rows: 3, cols: 3, data: Float64Array.of(2, 0, 1, 0, 0, 0, 1, 0, 2) };
  const x = solvePositive(a, { rows: 3, cols: 1, data: Float64Array.of(3, 0, 3) }, multiplyPlainly);
  expect(largest(x, { rows: 3, cols: 1, data: Float64Array.of(1, 0, 1) })).toBeLessThan(1e-15);
});

test("Rosenbrock's valley is followed to its end", () => {
  const evaluate = ([x = 0, y = 0]: Float64Array) => ({
    value: (1 - x) ** 2 + 100 * (y - x * x) ** 2,
    gradient: Float64Array.of(-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)),
  });
  const { x } = minimize(evaluate, Float64Array.of(-1.2, 1), { iterations: 200, leastGain: 0 });
  expect(x[0]).toBeCloseTo(1, 5);
  expect(x[1]).toBeCloseTo(1, 5);
});

const sizes = { inChannels: 3, outChannels: 5, kh: 3, kw: 2 };
const patch = 18;

function problem(): FitProblem {
  const [x, y] = [noise(100, patch), noise(40, sizes.outChannels)];
  const gram = multiplyPlainly(transpose(x), x);
  const metric = multiplyPlainly(transpose(y), y);
  return { ...sizes, gram, metric, target: noise(patch, sizes.outChannels) };
}

/** The weight [patch, out] that convolutions amount to: how each input tap reaches each output. */
function composed(decomposition: DecompositionName, weights: ReturnType<typeof fitDecomposition>["weights"]): Matrix {
  const { inChannels, outChannels, kh, kw } = sizes;
  return matrix(patch, outChannels, (at, o) => {
    const [c, ky, kx] = [Math.floor(at / (kh * kw)), Math.floor(at / kw) % kh, at % kw];
    let image = new Map<string, number>([[`${c},${ky},${kx}`, 1]]);
    for (const { shape, data } of weights) {
      const [outputs, each, h, w] = shape;
      const groups =
        (image === undefined ? 1 : decomposition === "cp" || decomposition === "depthwise") && each === 1 && h * w > 1;
      const next = new Map<string, number>();
      for (const [place, value] of image) {
        const [channel, y, x] = place.split(",").map(Number) as [number, number, number];
        for (let out = 0; out < outputs; out++) {
          const perInput = groups ? outputs / (decomposition === "cp" ? outputs : inChannels) : 1;
          if (groups && Math.floor(out / perInput) !== channel) continue;
          for (let ty = 0; ty < h; ty++)
            for (let tx = 0; tx < w; tx++) {
              if (y < ty || x < tx) continue;
              const key = `${out},${y - ty},${x - tx}`;
              const weight = data[((out * each + (groups ? 0 : channel)) * h + ty) * w + tx]!;
              next.set(key, (next.get(key) ?? 0) + value * weight);
            }
        }
      }
      image = next;
    }
    return image.get(`${o},0,0`) ?? 0;
  });
}

describe.each(Object.keys(decompositions) as DecompositionName[])("%s", (name) => {
  const given = problem();
  const full = decompositions[name].mostRank(sizes);

  test("its convolutions amount to the weight that it says", () => {
    for (const rank of [1, 2]) {
      const { weights, weight } = fitDecomposition(name, given, rank, tools, { iterations: 20 });
      expect(largest(composed(name, weights), weight)).toBeLessThan(1e-5);
    }
  });

  test("it loses less with each rank, and next to nothing at the full one", () => {
    const errors = [1, Math.ceil(full / 2), full].map(
      (rank) => fitDecomposition(name, given, rank, tools, { iterations: 200 }).error,
    );
    expect(errors[1]).toBeLessThan(errors[0]!);
    expect(errors[2]).toBeLessThan(errors[1]!);
    expect(errors[2]).toBeLessThan(1e-3);
  });

  test.runIf(decompositions[name].gradient)("its search finds better than its start", () => {
    const [start, found] = [0, 100].map((steps) => {
      return fitDecomposition(
        name,
        given,
        1,
        { multiply: multiplyPlainly, random: seeded(3).normal },
        { iterations: steps! },
      ).error;
    });
    expect(found).toBeLessThan(start!);
  });
});
