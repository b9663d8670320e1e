// The pages of benchmarks are what the committed results say; the gate tells a slowdown from noise.
import { expect, test } from "vitest";
import { changeOf, isSlower, isSlowerTwice } from "../bench/gate/change.ts";
import { pages, renderPage } from "../bench/table.ts";

test.each(pages)("docs/$document is fresh: else run node bench/table.ts", (page) => {
  const { current, fresh } = renderPage(page);
  expect(current).toBe(fresh);
});

test("the interval of a median ends at the ranks of the sign test", () => {
  const of = (n: number) => changeOf(Array.from({ length: n }, (_, i) => n - i));
  expect(of(5)).toMatchObject({ median: 3, low: 0, high: Infinity });
  expect(of(6)).toMatchObject({ median: 3.5, low: 1, high: 6 });
  expect(of(15)).toMatchObject({ median: 8, low: 4, high: 12 });
});

test("slower is what is slower by more than 5 %, beyond noise, and again", () => {
  const spread = (middle: number, noise: number) =>
    changeOf(Array.from({ length: 15 }, (_, i) => middle + (noise * (i - 7)) / 7));
  expect(isSlower(spread(1.1, 0.05))).toBe(true);
  expect(isSlower(spread(1.04, 0.01))).toBe(false);
  expect(isSlower(spread(1.1, 0.5))).toBe(false);
  expect(isSlower(undefined)).toBe(false);
  expect(isSlowerTwice(spread(1.1, 0.05), spread(1.08, 0.05))).toBe(true);
  expect(isSlowerTwice(spread(1.1, 0.05), spread(1, 0.05))).toBe(false);
  expect(isSlowerTwice(spread(1, 0.05), spread(1.1, 0.05))).toBe(false);
});
