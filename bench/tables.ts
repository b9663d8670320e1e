// How results of any contest are shown: tables in Markdown, and lines for a terminal.
import { geometricMean, met, type Reached } from "./goals.ts";
import type { CaseResult, Entry, Results } from "./results.ts";

export function goalTable(goals: readonly Reached[]): string {
  const rows = goals.map((goal) => {
    const cell = (value: number | undefined): string => {
      if (value === undefined) return "";
      return `${number(value)} ${goal.unit} ${met(value, goal) ? "✓" : "✗"}`;
    };
    const bound = `${goal.below ? "at most" : "at least"} ${number(goal.bound)} ${goal.unit}`;
    return [goal.goal, bound, cell(goal.wide), cell(goal.narrow)];
  });
  return table(["goal", "wanted", "wide", "128-bit"], rows);
}

/** How many times as long everyone takes as rank1's 128-bit code. */
export function ratioSection({ cases, rivals }: Results, threads: number): string {
  const raced = cases.filter(({ entries }) => entries.some((entry) => entry.threads === threads && entry.times));
  const contested = raced.filter(({ entries }) => entries.some(({ rival }) => !rival.startsWith("rank1")));
  const others = rivals
    .map(({ name }) => name)
    .filter((name) => name !== "rank1" && contested.some((result) => find(result, name, threads)));
  if (contested.length === 0) return "";
  const ratio = (result: CaseResult, name: string): number | undefined => {
    const [theirs, ours] = [find(result, name, threads)?.times, find(result, "rank1", threads)?.times];
    return theirs && ours && theirs.median / ours.median;
  };
  const rows = contested.map((result) => [
    result.title,
    milliseconds(find(result, "rank1", threads)),
    ...(threads > 1 ? [speedup(result, threads)] : []),
    ...others.map((name) => ratioCell(ratio(result, name), find(result, name, threads))),
  ]);
  const means = others.map((name) => {
    const ratios = contested.map((result) => ratio(result, name)).filter((value) => value !== undefined);
    return ratios.length > 0 ? `${number(geometricMean(ratios))} (${ratios.length})` : "";
  });
  const inPart = cases.some(({ entries }) => entries.some(({ rows }) => rows !== undefined));
  const text =
    "Times of the others over rank1's with 128-bit code (its milliseconds stand first): 3 means that it takes three times " +
    `as long; **bold** that it is faster. ${inPart ? "~: measured on a part of the picture. " : ""}The last line is the ` +
    "geometric mean of the cases that it can do, with their number.";
  const header = ["case", "rank1, ms", ...(threads > 1 ? ["faster than on one"] : []), ...others];
  const blank = header.slice(2, header.length - others.length).map(() => "");
  const title = `### ${threads === 1 ? "One thread" : `${threads} threads`}`;
  return `${title}\n\n${text}\n\n${table(header, [...rows, ["mean", "", ...blank, ...means]])}`;
}

/** How many times as fast rank1 is as on one thread. */
function speedup(result: CaseResult, threads: number): string {
  const [one, many] = [find(result, "rank1", 1)?.times, find(result, "rank1", threads)?.times];
  return one && many ? number(one.median / many.median) : "";
}

function ratioCell(ratio: number | undefined, entry: Entry | undefined): string {
  if (ratio === undefined) return entry?.leftOut ? "–" : "";
  const text = `${entry?.rows ? "~" : ""}${number(ratio)}`;
  return ratio < 1 ? `**${text}**` : text;
}

/** Everyone's times in one case: `about` says what it is, `how` how an entry was computed. */
export function timeTable({ entries }: CaseResult, about: string, how: (entry: Entry) => string): string {
  const rows = entries.map((entry) => [
    entry.rival,
    `${entry.threads}`,
    entry.times ? number(entry.times.median) : (entry.leftOut ?? ""),
    entry.times ? `${number(entry.times.p10)} – ${number(entry.times.p90)}` : "",
    entry.times ? `${entry.times.runs}` : "",
    how(entry),
  ]);
  return `**${about}**\n\n${table(["", "threads", "ms", "10 % – 90 %", "runs", "how"], rows)}`;
}

export const find = ({ entries }: CaseResult, rival: string, threads: number): Entry | undefined =>
  entries.find((entry) => entry.rival === rival && entry.threads === threads);

const milliseconds = (entry: Entry | undefined): string => (entry?.times ? number(entry.times.median) : "–");

/** Three significant digits, and no exponents. */
export const number = (value: number): string =>
  Math.abs(value) >= 100 ? value.toFixed(0) : `${Number(value.toPrecision(3))}`;

export const details = (title: string, body: string): string =>
  body === "" ? "" : `<details>\n<summary>${title}</summary>\n\n${body}\n\n</details>`;

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return "";
  return [header, header.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** One case as lines for a terminal. */
export function summary({ name, entries }: CaseResult): string {
  const lines = entries.map(({ rival, threads, times, rows, leftOut }) => {
    const figures = times
      ? `${rows ? "~" : ""}${number(times.median)} ms (${number(times.p10)} – ${number(times.p90)})`
      : leftOut;
    return `  ${rival.padEnd(16)} ${threads} ${figures}`;
  });
  return [name, ...lines].join("\n");
}
