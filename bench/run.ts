// Runs a benchmark: `node run.ts [filters|layers|models|threads] [--quick] [--only <name>] [--rounds <n>]`. See README.md.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as filters from "./filters/measure.ts";
import * as layers from "./layers/measure.ts";
import { commitOf, describeMachine, machineName } from "./machine.ts";
import * as models from "./models/measure.ts";
import type { Request } from "./request.ts";
import { format, type Measured, type Results, rounded } from "./results.ts";
import * as threads from "./threads/measure.ts";

interface Contest {
  names: readonly string[];
  measure(request: Request): Promise<Measured>;
  /** What the results' file is called after the machine. */
  suffix: string;
}
const contests: Record<string, Contest> = {
  filters: { ...filters, suffix: "" },
  layers: { ...layers, suffix: "-layers" },
  models: { ...models, suffix: "-models" },
  threads: { ...threads, suffix: "-threads" },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const [which = "filters", ...others] = positionals;
const contest = contests[which];
if (!contest || others.length > 0) {
  throw new Error(`wanted one of ${Object.keys(contests).join(", ")}, not ${positionals.join(" ")}`);
}
const { names, measure, suffix } = contest;
if (values.help) {
  console.log(`node run.ts ${which} [--quick] [--only <name>]... [--rounds <n>]\nnames: ${names.join(", ")}`);
  process.exit();
}
const { quick, only } = values;
const rounds = values.rounds === undefined ? (quick ? 2 : 21) : Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds wants a positive integer, not ${values.rounds}`);
const unknown = only?.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no case "${unknown}": there are ${names.join(", ")}`);
const wanted = (name: string): boolean => only === undefined || only.includes(name);
const say = (line: string): void => console.error(line);

const machine = describeMachine();
const measured = await measure({ wanted, quick, rounds, say });
const results: Results = {
  ...{ format, date: new Date().toISOString().slice(0, 10), commit: commitOf() },
  machine: { ...machine, load: [...machine.load.slice(0, 1), ...describeMachine().load.slice(0, 1)].map(rounded) },
  settings: { rounds, quick },
  ...measured,
};
// Only a whole run may stand in the repository.
const partial = quick || only !== undefined ? ".partial" : "";
const folder = join(import.meta.dirname, "results");
mkdirSync(folder, { recursive: true });
const path = join(folder, `${machineName(machine)}${suffix}${partial}.json`);
writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
say(`wrote ${path}`);

const wrong = measured.cases.flatMap(({ name, entries }) =>
  entries.filter(({ rival, leftOut }) => rival.startsWith("rank1") && leftOut).map((entry) => ({ name, ...entry })),
);
for (const { name, rival, threads, leftOut } of wrong) say(`${rival}, ${threads} threads, ${name}: ${leftOut}`);
process.exit(wrong.length > 0 ? 1 : 0);
