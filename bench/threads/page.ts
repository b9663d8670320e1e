// What the page of threads shows of one machine, besides what all pages show.
import { judge } from "../models/judge.ts";
import { freshSection } from "../models/page.ts";
import type { Page } from "../page.ts";
import { details, find, number, table, timeTable } from "../tables.ts";
import { boundOf, goalsOf, layerTimes, rank1Of } from "./goals.ts";
import type { ThreadResults } from "./results.ts";

export const threadPage: Page<ThreadResults> = {
  document: "benchmarks-threads.md",
  suffix: "-threads",
  goals: goalsOf,
  ratios: () => "",
  rest: (results) => [
    layerSection(results),
    modelSection(results),
    freshSection(results),
    callSection(results),
    details("All times", results.cases.map((result) => timeTable(result, result.title, () => "")).join("\n\n")),
  ],
};

const cell = (value: number): string => (Number.isFinite(value) ? number(value) : "–");

function layerSection({ cases }: ThreadResults): string {
  const layers = cases.filter(({ kind }) => kind === "layer");
  if (layers.length === 0) return "";
  const rows = layers.map((result) => {
    const [one, two, four] = [1, 2, 4].map((threads) => layerTimes(result, threads));
    const bound = boundOf(result);
    const figures = [
      ...[one!.values, two!.values, one!.values / two!.values, four!.values / two!.values],
      ...[one!.copies, one!.plain, two!.plain, bound, (100 * bound) / two!.plain, four!.plain / two!.plain],
    ];
    return [result.title, ...figures.map(cell)];
  });
  const withValues = layers.some((result) => Number.isFinite(layerTimes(result, 1).values));
  const text =
    "Layers are prepared. On values: input and result lie in the engine's memory (`engine.alloc`). Copies: input and result " +
    "written and read on one thread. Plain arrays: the caller's, `out` given, which costs the copies. The bound of plain " +
    "arrays on two threads is max(copies, (copies + values) / 2): two threads halve all work at best, and one of them copies; " +
    "a call reaches the share that stands behind it.";
  const header = [
    ...["layer, ms", "values, 1 thread", "2 threads", "faster", "4 over 2"],
    ...["copies", "plain arrays, 1 thread", "2 threads", "bound", "% of the bound", "4 over 2"],
  ];
  const missing = withValues ? "" : " This commit's engine has no values of its own: –.";
  return `### Layers\n\n${text}${missing}\n\n${table(header, rows)}`;
}

function modelSection(results: ThreadResults): string {
  const models = results.cases.filter(({ kind }) => kind === "model");
  if (models.length === 0) return "";
  const rows = models.map((result) => {
    const time = (rival: string, threads: number): number => find(result, rival, threads)?.times?.median ?? Number.NaN;
    const [one, two, four] = [1, 2, 4].map((threads) => time(rank1Of(results), threads)) as [number, number, number];
    const [native, natives] = [time(judge, 1), time(judge, 2)];
    const figures = [one, two, one / two, four / two, native, natives, native / natives, native / one, natives / two];
    return [result.title, ...figures.map(cell)];
  });
  const header = [
    ...["model, ms", "rank1, 1 thread", "2 threads", "faster", "4 over 2"],
    ...["ONNX Runtime, native, 1 thread", "2 threads", "faster", "its time over rank1's, 1 thread", "2 threads"],
  ];
  return `### Models\n\n${table(header, rows)}`;
}

function callSection({ garbage, deaths = [], mnist }: ThreadResults): string {
  const lines = garbage.map(
    ({ threads, calls, heap, buffers, collections }) =>
      `- A frame of 1280×720 RGBA under a Gaussian with \`out\`, ${threads === 1 ? "1 thread" : `${threads} threads`}: ` +
      `${heap} bytes of heap and ${buffers} of buffers a call, over ${calls} calls; ${collections} collections meanwhile.`,
  );
  if (mnist) {
    const { whole, kernels } = mnist;
    lines.push(
      `- MNIST on one thread: ${number(whole)} ms a run, of which kernels ${number(kernels)} as \`onTask\` tells it: ` +
        `${number(whole - kernels)} beyond.`,
    );
  }
  for (const { threads, calls, rejected, delay, worst } of deaths) {
    lines.push(
      `- A worker of ${threads} threads ended at a random moment of a call, ${calls} times: ${rejected} calls lost work and were ` +
        `rejected, ${number(delay.median)} ms after the worker's end, ${number(worst)} at most; the others had their result.`,
    );
  }
  return lines.length > 0 ? `### What comes with every call\n\n${lines.join("\n")}` : "";
}
