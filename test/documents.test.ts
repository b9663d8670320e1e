// The pages of the documentation: generated parts are fresh, and the snippets print what they say.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { pages, renderPage } from "../../scripts/docs.ts";
import { factorize } from "../../src/factor/factorize.ts";
import { filters } from "../../src/factor/filters.ts";

test.each(Object.keys(pages))("docs/%s is fresh: else run node scripts/docs.ts", (name) => {
  const { current, fresh } = renderPage(name);
  expect(current).toBe(fresh);
});

describe("docs/theory.md", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/theory.md"), "utf8");
  const snippets = [...text.matchAll(/```js\n(.*?)```/gs)].map((match) => match[1]!);

  test("has snippets", () => expect(snippets.length).toBeGreaterThan(2));

  test.each(snippets)("prints what it says: %#", (snippet) => {
    const expected = [...snippet.matchAll(/console\.log\(.*\/\/ → (.*)/g)].map((match) => match[1]);
    const printed: string[] = [];
    const log = (...values: unknown[]) => printed.push(values.map((value) => JSON.stringify(value)).join(" "));
    const body = snippet.replace(/^import .* from "rank1";$/m, "");
    new Function("factorize", "filters", "console", body)(factorize, filters, { log });
    expect(expected.length).toBeGreaterThan(0);
    expect(printed).toEqual(expected.map((line) => line!.replaceAll(", ", ",")));
  });
});
