import { expect, it } from "vitest";
import { budgets, measure } from "../../scripts/size.ts";

it("rank1 adds no more to a page than its budgets", async () => {
  const { parts, filters, models } = await measure();
  expect(parts.map(({ name }) => name)).toEqual(["index.js", "worker.js", "models.js"]);
  expect(filters).toBeLessThanOrEqual(budgets.filters);
  expect(models).toBeLessThanOrEqual(budgets.models);
});
