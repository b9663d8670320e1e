// What the page of models shows of one machine, besides what all pages show.
import type { Page } from "../page.ts";
import { details, find, number, ratioSection, table, timeTable } from "../tables.ts";
import { goalsOf, webName } from "./goals.ts";
import { judge } from "./judge.ts";
import type { ModelCaseResult, ModelResults } from "./results.ts";

export const modelPage: Page<ModelResults> = {
  document: "benchmarks-models.md",
  suffix: "-models",
  goals: goalsOf,
  ratios: ratioSection,
  rest: (results) => [
    zooSection(results),
    freshSection(results),
    details("All times", results.cases.map((result) => timeTable(result, result.title, () => "")).join("\n\n")),
    details("How right the results are", checkTable(results)),
  ],
};

/** Published models: milliseconds of wide code, and how many times as long everyone else takes. */
function zooSection(results: ModelResults): string {
  const zoo = results.zoo ?? [];
  if (zoo.length === 0) return "";
  const timeOf = (result: ModelCaseResult, rival: string): number | undefined => find(result, rival, 1)?.times?.median;
  const rows = zoo.map((result) => {
    const [wide, narrow, native, web] = ["rank1 wide", "rank1", judge, webName].map((rival) => timeOf(result, rival));
    const ratio = (theirs?: number, ours?: number): string => (theirs && ours ? `${number(theirs / ours)} ×` : "–");
    const why = find(result, "rank1 wide", 1)?.leftOut ?? "";
    const milliseconds = wide ? number(wide) : why;
    return [result.title, result.kind, milliseconds, ratio(native, wide), ratio(web, wide), ratio(web, narrow)];
  });
  const text =
    "Models that other people published, one thread; those called light are ONNX's own test files of classic architectures. " +
    "How many times as long the others take as rank1's wide code, and in the last column as its 128-bit code.";
  const header = ["model", "kind", "rank1 wide, ms", judge, webName, `${webName} over 128-bit code`];
  return `### Published models\n\n${text}\n\n${table(header, rows)}`;
}

export function freshSection({ fresh }: Pick<ModelResults, "fresh">): string {
  const rows = fresh.map(({ title, rival, cached, threads, library, first, processor, growth }) => [
    title,
    `${rival}${cached ? ", kernels known" : ""}`,
    `${threads}`,
    ...[library, first, processor, growth].map(({ median }) => number(median)),
  ]);
  const text =
    "Medians of processes of their own. First result: the model is loaded, compiled and run once. Wide kernels that are not " +
    "known yet are compiled twice and compared; the command line remembers which are. Memory: the peak after up to 20 further " +
    "runs over the state before the model was loaded.";
  const header = ["", "", "threads", "library, ms", "first result, ms", "its processor time, ms", "memory, MB"];
  return rows.length > 0 ? `### New processes\n\n${text}\n\n${table(header, rows)}` : "";
}

function checkTable({ cases, zoo = [] }: ModelResults): string {
  const rows = [...cases, ...zoo].flatMap(({ title, entries }) =>
    entries.flatMap(({ rival, threads, check }) =>
      check ? [[title, rival, `${threads}`, `${check.difference}`, `${check.allowed}`]] : [],
    ),
  );
  return table(
    ["", "", "threads", "largest difference from native ONNX Runtime, of the largest value", "allowed"],
    rows,
  );
}
