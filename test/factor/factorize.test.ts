import { expect, test } from "vitest";
import { factorize } from "../../src/factor/factorize.ts";

test("Sobel is one column and one row of integers", () => {
  const factors = factorize("sobel-x");
  expect(factors.terms).toEqual([{ column: [1, 2, 1], row: [-1, 0, 1] }]);
  expect(factors).toMatchObject({ rank: 1, error: 0, denominator: 1, multiplications: { direct: 9, separable: 6 } });
});
