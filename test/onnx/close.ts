// Whether a tensor is the one expected: type, shape, and elements up to rounding.
import { expect } from "vitest";
import { floats } from "../../src/graph/nodes.ts";
import { numbersOf, toValue } from "../../src/graph/values.ts";
import type { Tensor } from "../../src/tensor.ts";

/** Floats may differ by `relative` of themselves, or of `floor` times the largest one; integers must be equal. */
export function expectClose(found: Tensor, expected: Tensor, relative = 1e-5, floor = 0.01): void {
  const [a, b] = [toValue(found)!, toValue(expected)!];
  expect([a.dtype, a.shape]).toEqual([b.dtype, b.shape]);
  expect(a.data.length).toBe(b.data.length);
  if (!floats.includes(b.dtype)) {
    expect(a.data).toEqual(b.data);
    return;
  }
  const least = numbersOf(b).reduce((most, x) => (Number.isFinite(x) ? Math.max(most, Math.abs(x)) : most), 0) * floor;
  let worst = 0;
  for (const [i, wanted] of numbersOf(b).entries()) {
    const got = a.data[i] as number;
    if (Object.is(got, wanted) || got === wanted) continue;
    const error = Math.abs(got - wanted) / Math.max(Math.abs(wanted), least);
    worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  expect(worst).toBeLessThanOrEqual(relative);
}
