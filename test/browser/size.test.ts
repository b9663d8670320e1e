import { describe, expect, it } from "vitest";
import { budgets, measure, sums } from "../../scripts/size.ts";

describe("what rank1 adds to a page", async () => {
  const sizes = await measure();

  it.each(Object.entries(sums(sizes)))("%s: %d bytes are within the budget", (name, bytes) => {
    const budget = budgets[name as keyof typeof budgets];
    expect(bytes).toBeLessThanOrEqual(budget);
    // docs/deploying.md says the budgets: lower them where the code has become smaller.
    expect(bytes).toBeGreaterThan(0.95 * budget);
  });

  it("leaves filters that few need to when they are asked for", () => {
    const names = (when: boolean) =>
      sizes.core.filter(({ later }) => later === when).map(({ name }) => name.split("-")[0]);
    expect([...new Set(names(true))]).toEqual(["rare", "backend"]);
    expect([...new Set(names(false))].toSorted()).toEqual(["chunk", "index.js", "worker.js"]);
  });

  it("leaves separating, and rare operators, to when they are asked for", () => {
    const names = (when: boolean) =>
      sizes.models.filter(({ later }) => later === when).map(({ name }) => name.split("-")[0]);
    expect(names(true)).toEqual(expect.arrayContaining(["rare", "rarest", "stepwise", "separate"]));
    expect(names(false)).not.toContain("rare");
    expect(names(false)).not.toContain("separate");
  });
});
