// What the page of layers shows of one machine, besides what all pages show.
import type { Page } from "../page.ts";
import type { Entry } from "../results.ts";
import { details, number, ratioSection, table, timeTable } from "../tables.ts";
import { entryOf, goalsOf, speedOf } from "./goals.ts";
import type { LayerCaseResult, LayerResults } from "./results.ts";

export const layerPage: Page<LayerResults> = {
  document: "benchmarks-layers.md",
  suffix: "-layers",
  goals: goalsOf,
  ratios: ratioSection,
  rest: (results) => [
    programSection(results),
    details("All times", results.cases.map(times).join("\n\n")),
    details("How right the results are", checkTable(results.cases)),
  ],
};

/** What calls cost beside their plans alone, on one thread. */
function programSection({ cases, peaks }: LayerResults): string {
  const rows = cases.map((result) => {
    const variants = ["rank1 wide", "rank1"].flatMap((variant) => {
      const entry = entryOf(result, variant, 1);
      const plan = entry?.programs?.[0]?.times.median;
      if (!entry?.times || plan === undefined) return ["–", "–", "–"];
      return [entry.times.median, plan, speedOf(result, entry)].map(number);
    });
    return [result.title, number(result.multiplications / 1e6), ...variants];
  });
  const text =
    "A call brings the input into WebAssembly memory and the result out of it; a model's layers find theirs there. GFLOP/s: " +
    "2 for each multiplication of the definition, whatever the plan saves. In registers this machine does " +
    `${number(peaks.wide)} GFLOP/s wide, ${number(peaks.narrow)} with 128-bit code.`;
  const columns = ["wide", "128-bit"].flatMap((kind) => [`${kind}: call, ms`, "plan alone, ms", "GFLOP/s"]);
  const header = ["case, one thread", "million multiplications", ...columns];
  return `### Calls, and their plans alone\n\n${text}\n\n${table(header, rows)}`;
}

const times = (result: LayerCaseResult): string =>
  timeTable(result, `${result.title}: ${number(result.multiplications / 1e6)} million multiplications`, plansOf);

const plansOf = ({ programs = [] }: Entry): string =>
  programs.map(({ plan, times }) => `${plan} (alone ${number(times.median)} ms)`).join("; ");

function checkTable(cases: readonly LayerCaseResult[]): string {
  const rows = cases.flatMap(({ title, entries }) =>
    entries.flatMap(({ rival, threads, check }) =>
      check ? [[title, rival, `${threads}`, number(check.worst), number(check.allowed), `${check.fromRank1}`]] : [],
    ),
  );
  const header = [
    "case",
    "",
    "threads",
    "worst error, ε · Σ terms",
    "allowed",
    "largest difference from rank1, of the largest value",
  ];
  return table(header, rows);
}
