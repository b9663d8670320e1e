// What the page of filters shows of one machine, besides what all pages show.
import type { Page } from "../page.ts";
import type { Times } from "../results.ts";
import { details, number, ratioSection, table, timeTable } from "../tables.ts";
import { goalsOf } from "./goals.ts";
import type { FilterCaseResult, FilterResults } from "./results.ts";

export const filterPage: Page<FilterResults> = {
  document: "benchmarks.md",
  suffix: "",
  goals: goalsOf,
  ratios: (results, threads) =>
    ratioSection(
      { ...results, cases: results.cases.map((one) => ({ ...one, title: `${one.title}${size(one)}` })) },
      threads,
    ),
  rest: (results) => [
    details("All times", results.cases.map(times).join("\n\n")),
    details("First calls", coldTable(results)),
    details("How right the results are", checkTable(results.cases)),
  ],
};

function times(result: FilterCaseResult): string {
  const border = result.border === "reflect" ? "" : `, border ${result.border}`;
  const about = `${result.title}: ${result.width}×${result.height}, channels: ${result.channels}${border}`;
  return timeTable(result, about, ({ plan, rows }) =>
    [plan, rows && `${rows} of ${result.height} rows`].filter(Boolean).join("; "),
  );
}

function coldTable({ cold }: FilterResults): string {
  const cell = ({ median, p10, p90 }: Times): string => `${number(median)} (${number(p10)} – ${number(p90)})`;
  const rows = cold.map(({ wide, cached, threads, create, first, warm, extra }) => [
    `${wide ? "wide" : "128-bit"}${cached ? ", verdicts cached" : ""}, ${threads === 1 ? "1 thread" : `${threads} threads`}`,
    ...[create, first, warm, extra].map(cell),
  ]);
  return table(["ms", "createEngine", "first call", "warm call", "first minus warm"], rows);
}

function checkTable(cases: readonly FilterCaseResult[]): string {
  const rows = cases.flatMap(({ title, entries }) =>
    entries.flatMap(({ rival, threads, check }) =>
      check && threads === 1
        ? [
            [
              title,
              rival,
              check.border,
              ...[check.worst, check.levels, check.fromRank1.worst, check.fromRank1.mean].map(number),
            ],
          ]
        : [],
    ),
  );
  const header = ["case", "", "border", "worst error", "allowed", "worst difference from rank1", "mean difference"];
  return table(header, rows);
}

/** The size where it is not the usual one. */
const size = ({ width, height }: FilterCaseResult): string =>
  width === 4000 && height === 3000 ? "" : ` (${width}×${height})`;
