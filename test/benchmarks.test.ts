// docs/benchmarks.md is what the committed results say.
import { expect, test } from "vitest";
import { readResults, renderPage } from "../bench/table.ts";

test("docs/benchmarks.md is fresh: else run node bench/table.ts", () => {
  const { current, fresh } = renderPage(readResults());
  expect(current).toBe(fresh);
});
