// What axe, a checker of accessibility, finds on a page.
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";

interface Violation {
  id: string;
  impact: string;
  nodes: { html: string; failureSummary: string }[];
}

interface Axe {
  axe: { run(options: { resultTypes: string[] }): Promise<{ violations: Violation[] }> };
}

export interface Finding {
  impact: string;
  /** The rule, then each place with the reason. */
  says: string[];
}

export async function findings(page: Page): Promise<Finding[]> {
  await page.evaluate(readFileSync(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8"));
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as Axe).axe.run({ resultTypes: ["violations"] }),
  );
  return violations.map(({ id, impact, nodes }) => ({
    impact,
    says: [id, ...nodes.map(({ html, failureSummary }) => html + failureSummary)],
  }));
}
