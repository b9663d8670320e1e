// What the page of models shows of one machine, besides what all pages show.
import type { Page } from "../page.ts";
import { details, number, ratioSection, table, timeTable } from "../tables.ts";
import { goalsOf } from "./goals.ts";
import type { ModelResults } from "./results.ts";

export const modelPage: Page<ModelResults> = {
  document: "benchmarks-models.md",
  suffix: "-models",
  goals: goalsOf,
  ratios: ratioSection,
  rest: (results) => [
    freshSection(results),
    details("All times", results.cases.map((result) => timeTable(result, result.title, () => "")).join("\n\n")),
    details("How right the results are", checkTable(results)),
  ],
};

export function freshSection({ fresh }: Pick<ModelResults, "fresh">): string {
  const rows = fresh.map(({ title, rival, cached, threads, library, first, processor, growth }) => [
    title,
    `${rival}${cached ? ", kernels known" : ""}`,
    `${threads}`,
    ...[library, first, processor, growth].map(({ median }) => number(median)),
  ]);
  const text =
    "Medians of processes of their own. First result: the model is loaded, compiled and run once. Wide kernels that are not " +
    "known yet are compiled twice and compared; the command line remembers which are. Memory: the peak after 20 further " +
    "runs over the state before the model was loaded.";
  const header = ["", "", "threads", "library, ms", "first result, ms", "its processor time, ms", "memory, MB"];
  return rows.length > 0 ? `### New processes\n\n${text}\n\n${table(header, rows)}` : "";
}

function checkTable({ cases }: ModelResults): string {
  const rows = cases.flatMap(({ title, entries }) =>
    entries.flatMap(({ rival, threads, check }) =>
      check ? [[title, rival, `${threads}`, `${check.difference}`, `${check.allowed}`]] : [],
    ),
  );
  return table(
    ["", "", "threads", "largest difference from native ONNX Runtime, of the largest value", "allowed"],
    rows,
  );
}
