// Whether a tensor is the one expected: type, shape, and elements up to rounding.
import { expect } from "vitest";
import { toValue } from "../../src/graph/values.ts";
import type { Tensor } from "../../src/tensor.ts";

/** Elements may differ by `relative` of the largest of them, or of themselves and 1e-7; integers must be equal. */
export function expectClose(found: Tensor, expected: Tensor, relative = 1e-5): void {
  const [a, b] = [toValue(found)!, toValue(expected)!];
  expect([a.dtype, a.shape]).toEqual([b.dtype, b.shape]);
  expect(a.data.length).toBe(b.data.length);
  if (!(b.data instanceof Float32Array || b.data instanceof Float64Array)) return expect(a.data).toEqual(b.data);
  let worst = 0;
  for (const [i, wanted] of b.data.entries()) {
    const got = a.data[i] as number;
    if (Object.is(got, wanted) || got === wanted) continue;
    const error = Math.abs(got - wanted) / (relative * Math.abs(wanted) + 1e-7);
    worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
  }
  expect(worst).toBeLessThanOrEqual(1);
}
