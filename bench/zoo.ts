// Models that other people published, against native ONNX Runtime on as many threads: `node zoo.ts [--threads <n>] [--only <part of
// a name>] [--rank1 <folder of another checkout>] [--json]`. Results are compared first. Each model in a process of its own.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { differenceOf } from "./difference.ts";
import { median } from "./gate/change.ts";
import { feedsOf, pathOf } from "./models/cases.ts";
import { onnxNative } from "./models/rivals/onnx-runtime.ts";
import { byName, jobOf, joined } from "./models/rivals/rival.ts";
import { zooCase, zooFiles, zooFolder } from "./models/zoo.ts";
import { rounded } from "./results.ts";
import { number, table } from "./tables.ts";

/** Of one model: milliseconds of both, and nodes that rank1 computes on the host; or why there are none. */
interface Row {
  file: string;
  rank1?: number;
  native?: number;
  host?: number;
  leftOut?: string;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    rank1: { type: "string", default: join(import.meta.dirname, "..") },
    json: { type: "boolean", default: false },
  },
});
const threads = Number(options.threads);
/** Milliseconds: what a model may take in all, and how long each library is timed. */
const [most, budget] = [60_000, 600];

if (positionals[0] !== undefined) {
  const row = await measure(positionals[0]).catch((error: Error): Row => ({ file: "", leftOut: error.message }));
  console.log(JSON.stringify({ ...row, file: positionals[0] }));
  // Threads of the libraries may still spin.
  process.exit();
}

if (zooFiles.length === 0) throw new Error(`${zooFolder} is not there: RANK1_DATA names the folder above its folder "zoo"`);
const files = zooFiles.filter((name) => name.includes(options.only));
if (files.length === 0) throw new Error(`no model in ${zooFolder} has "${options.only}" in its name`);
const rows: Row[] = [];
for (const file of files) {
  const args = [import.meta.filename, file, "--threads", options.threads, "--rank1", options.rank1];
  const made = await promisify(execFile)(process.execPath, args, { timeout: most }).catch(() => undefined);
  const row: Row = made ? JSON.parse(made.stdout.split("\n").at(-2)!) : { file, leftOut: `more than ${most / 1000} s` };
  rows.push(row);
  console.error(`${file}: ${row.leftOut ?? `${number(row.native! / row.rank1!)} x`}`);
}
if (options.json) console.log(JSON.stringify(rows, null, 2));
else {
  const ratios = rows.flatMap(({ rank1, native }) => (rank1 && native ? [native / rank1] : []));
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  const cells = rows.map(({ file, rank1, native, host, leftOut }) =>
    rank1 && native ? [file, number(rank1), number(native), `${number(native / rank1)} ×`, `${host}`] : [file, "", "", "", leftOut!],
  );
  console.log(table(["model", "rank1, ms", "native ONNX Runtime, ms", "its time over rank1's", "nodes on the host"], cells));
  if (ratios.length > 0)
    console.log(`${ratios.length} of ${rows.length} models, ${threads} threads: geometric mean ${number(mean)}, median ${number(median(ratios))}, worst ${number(Math.min(...ratios))}`);
}

async function measure(file: string): Promise<Row> {
  const source = (path: string) => import(pathToFileURL(join(resolve(options.rank1), "src", path)).href);
  const { createEngine }: typeof import("../src/index.ts") = await source("index.ts");
  const { loadModel }: typeof import("../src/onnx/index.ts") = await source("onnx/index.ts");
  const problem = await zooCase(file);
  const bytes = readFileSync(pathOf(problem));
  const engine = await createEngine({ threads, wide: true, backend: "wasm", maxMemory: 2 ** 32 - 2 ** 16 });
  const model = await loadModel(bytes, { engine });
  const feeds = feedsOf(problem);
  const inputs = Object.fromEntries(feeds.map(({ name, shape, data }) => [name, { shape, data }]));
  const runtime = jobOf(await (await onnxNative(threads)).open(bytes), feeds);
  await runtime.run();
  const [own, right] = [byName(await model.run(inputs)), await runtime.result()];
  const difference = differenceOf(joined(own), joined(right));
  if (!(difference < problem.allowed)) return { file, leftOut: `wrong: ${rounded(difference)} of the largest value` };
  const [rank1, native] = [await timeOf(() => model.run(inputs)), await timeOf(() => runtime.run())];
  const host = (await model.info()).programs[0]!.host.length;
  return { file, rank1: rounded(rank1), native: rounded(native), host };
}

/** The median of some runs, after others that warm up. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 60));
  for (const end = performance.now() + budget / 3; performance.now() < end; ) await run();
  const times: number[] = [];
  for (const end = performance.now() + budget; times.length < 5 || performance.now() < end; ) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return median(times);
}
