// The pages of benchmarks are what the committed results say.
import { expect, test } from "vitest";
import { pages, renderPage } from "../bench/table.ts";

test.each(pages)("docs/$document is fresh: else run node bench/table.ts", (page) => {
  const { current, fresh } = renderPage(page);
  expect(current).toBe(fresh);
});
