// Runs the benchmark: `node run.ts [--quick] [--only <name>] [--rounds <n>]`. See README.md.
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { type Case, cases } from "./cases.ts";
import { contest, type Settings } from "./contest.ts";
import { commitOf, describeMachine, machineName } from "./machine.ts";
import { type Allocation, type CaseResult, type Cold, format, type Results, rounded, timesOf } from "./results.ts";
import { startRivals } from "./rivals/list.ts";
import { summary } from "./table.ts";

const execute = promisify(execFile);
const say = (line: string): void => console.error(line);

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    help: { type: "boolean", short: "h", default: false },
  },
});
const extras = ["cold", "allocation"];
const names = [...cases.map(({ name }) => name), ...extras];
if (values.help) {
  console.log(`node run.ts [--quick] [--only <name>]... [--rounds <n>]\nnames: ${names.join(", ")}`);
  process.exit();
}
const { quick, only } = values;
const rounds = values.rounds === undefined ? (quick ? 2 : 21) : Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds wants a positive integer, not ${values.rounds}`);
const unknown = only?.find((name) => !names.includes(name));
if (unknown !== undefined) throw new Error(`no case "${unknown}": there are ${names.join(", ")}`);
const wanted = (name: string): boolean => only === undefined || only.includes(name);

const settings: Settings = quick
  ? { rounds, budget: 1000, leastRuns: 2, longest: 500 }
  : { rounds, budget: 6000, leastRuns: 3, longest: 5000 };

/** An eighth of each side: shows that everything runs, and measures nothing. */
const small = (problem: Case): Case =>
  quick ? { ...problem, width: problem.width >> 3, height: problem.height >> 3 } : problem;

async function child<T>(flags: string[], script: string, ...args: string[]): Promise<T> {
  const { stdout } = await execute(process.execPath, [...flags, join(import.meta.dirname, script), ...args]);
  return JSON.parse(stdout);
}

async function measureCold(): Promise<Cold[]> {
  const variants = [false, true].flatMap((wide) => [1, 2].map((threads) => ({ wide, threads })));
  const seen = variants.map((): { create: number; first: number; warm: number }[] => []);
  const repetitions = quick ? 2 : 9;
  for (let i = 0; i < repetitions; i++) {
    say(`cold: ${i + 1} of ${repetitions}`);
    for (const [at, { wide, threads }] of variants.entries()) {
      seen[at]!.push(await child([], "cold.ts", `${threads}`, wide ? "wide" : ""));
    }
  }
  return variants.map((variant, at) => ({
    ...variant,
    create: timesOf(seen[at]!.map(({ create }) => create)),
    first: timesOf(seen[at]!.map(({ first }) => first)),
    warm: timesOf(seen[at]!.map(({ warm }) => warm)),
    extra: timesOf(seen[at]!.map(({ first, warm }) => first - warm)),
  }));
}

async function measureAllocations(): Promise<Allocation[]> {
  say("allocation");
  const flags = ["--expose-gc", "--min-semi-space-size=256", "--max-semi-space-size=256"];
  return [await child(flags, "allocation.ts"), await child(flags, "allocation.ts", "wide")];
}

const machine = describeMachine();
const cold = wanted("cold") ? await measureCold() : [];
const allocations = wanted("allocation") ? await measureAllocations() : [];

const chosen = cases.filter(({ name }) => wanted(name)).map(small);
const rivals = chosen.length > 0 ? await startRivals(say) : [];
const done: CaseResult[] = [];
for (const problem of chosen) {
  const result = await contest(problem, rivals, settings, say);
  done.push(result);
  say(summary(result));
}
for (const rival of rivals) await rival.close();

const results: Results = {
  ...{ format, date: new Date().toISOString().slice(0, 10), commit: commitOf() },
  machine: { ...machine, load: [...machine.load.slice(0, 1), ...describeMachine().load.slice(0, 1)].map(rounded) },
  settings: { rounds, quick },
  rivals: rivals.map(({ name, version, note }) => ({ name, version, note })),
  ...{ cases: done, cold, allocations },
};
// Only a whole run may stand in the repository.
const partial = quick || only !== undefined ? ".partial" : "";
const folder = join(import.meta.dirname, "results");
mkdirSync(folder, { recursive: true });
const path = join(folder, `${machineName(machine)}${partial}.json`);
writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
say(`wrote ${path}`);

const wrong = done.flatMap(({ name, entries }) =>
  entries.filter(({ rival, leftOut }) => rival.startsWith("rank1") && leftOut).map((entry) => ({ name, ...entry })),
);
for (const { name, rival, threads, leftOut } of wrong) say(`${rival}, ${threads} threads, ${name}: ${leftOut}`);
process.exit(wrong.length > 0 ? 1 : 0);
