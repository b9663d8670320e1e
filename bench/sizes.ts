// A recogniser of text over eleven widths of a line, each once, after a first: `node sizes.ts [--repetitions <n>] [--threads <n>]`.
// Milliseconds of all eleven, and the growth of memory over the process with the libraries loaded; medians of processes of their own.
// A new width may cost no new packing of weights and little new code; what it costs stands beside native ONNX Runtime's.
import { execFile } from "node:child_process";
import { parseArgs, promisify } from "node:util";
import { recogniser } from "../test/onnx/recogniser.ts";
import { median } from "./gate/change.ts";
import { describeMachine } from "./machine.ts";
import type { Feed } from "./models/cases.ts";
import { entrants } from "./models/rivals/list.ts";
import { generator } from "./random.ts";
import { number, table } from "./tables.ts";

interface Seen {
  /** Milliseconds of the eleven widths, and of the same again. */
  first: number;
  again: number;
  /** Megabytes. */
  growth: number;
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { repetitions: { type: "string", default: "5" }, threads: { type: "string", default: "1" } },
});
const widths = Array.from({ length: 11 }, (_, i) => 160 + 64 * i);

function feedOf(width: number): Feed {
  const random = generator(width);
  const shape = [1, 3, 48, width];
  return { name: "x", dtype: "f32", shape, data: new Float32Array(3 * 48 * width).map(random) };
}

if (positionals[0] !== undefined) {
  console.log(JSON.stringify(await measure(positionals[0])));
  process.exit();
}
const { cpu, node } = describeMachine();
console.log(`${cpu}, Node ${node}, ${options.threads} threads`);
const seen = new Map<string, Seen[]>(entrants.map(({ name }) => [name, []]));
for (let i = 0; i < Number(options.repetitions); i++) {
  for (const name of seen.keys()) {
    const args = [import.meta.filename, name, "--threads", options.threads];
    const made = await promisify(execFile)(process.execPath, args).catch((error: Error) => console.error(`${name}: ${error.message}`));
    if (made) seen.get(name)!.push(JSON.parse(made.stdout));
  }
}
const rows = [...seen].map(([name, all]) => [
  name,
  ...(["first", "again", "growth"] as const).map((what) => number(median(all.map((one) => one[what])))),
]);
console.log(table(["", "11 new widths, ms", "the same again, ms", "memory, MB"], rows));

async function measure(name: string): Promise<Seen> {
  const rival = await entrants.find((entrant) => entrant.name === name)!.start(Number(options.threads));
  const file = recogniser({ width: 64, classes: 4000 });
  const before = process.memoryUsage.rss();
  const { run } = await rival.open(file);
  await run([feedOf(120)]);
  const over = async (): Promise<number> => {
    const start = performance.now();
    for (const width of widths) await run([feedOf(width)]);
    return performance.now() - start;
  };
  const [first, again] = [await over(), await over()];
  return { first, again, growth: (process.resourceUsage().maxRSS * 1024 - before) / 1e6 };
}
