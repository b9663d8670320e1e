import { expect, it } from "vitest";
import { budgets, measure } from "../../scripts/size.ts";

it("rank1 adds no more to a page than its budgets", async () => {
  const { parts, ...sums } = await measure();
  expect(parts.map(({ name }) => name)).toEqual(["index.js", "worker.js", "models.js", "all.js"]);
  for (const name of ["filters", "models", "all"] as const) expect(sums[name]).toBeLessThanOrEqual(budgets[name]);
});
