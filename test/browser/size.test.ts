import { expect, it } from "vitest";
import { budget, measure } from "../../scripts/size.ts";

it("rank1 adds no more to a page than its budget", async () => {
  const { parts, gzipped } = await measure();
  expect(parts.map(({ name }) => name)).toEqual(["index.js", "worker.js"]);
  expect(gzipped).toBeLessThanOrEqual(budget);
});
