// What variants of a filter take over the plain one, Canny's edges beside OpenCV, and a video's frames a second:
// `node ratios.ts [--only <part of a name>] [--rounds <n>] [--json]`. One thread, in one process, in turn; results are checked first.
import { parseArgs } from "node:util";
import type { Engine } from "../src/index.ts";
import { createEngine } from "../src/index.ts";
import { median } from "./gate/change.ts";
import { commitOf, describeMachine } from "./machine.ts";
import { canny } from "./ratios/canny.ts";
import { exactPairs } from "./ratios/exact.ts";
import { maskPairs, regionPairs, thinPairs } from "./ratios/pictures.ts";
import { framesPerSecond } from "./ratios/video.ts";
import { number, table } from "./tables.ts";
import { turnsOf } from "./turn.ts";

/** A variant and what it is compared with. */
export interface Pair {
  /** "what, over what" */
  name: string;
  /** What the ratio of their times may be. */
  most: number;
  /** Throws where a result is wrong; afterwards both run, as often as is asked. */
  check(): Promise<void>;
  /** Milliseconds of one run. */
  variant(): Promise<number>;
  plain(): Promise<number>;
  dispose?(): void;
}

const { values: options } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    rounds: { type: "string", default: "21" },
    json: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
if (!(Number.isInteger(rounds) && rounds > 0)) throw new Error(`--rounds wants a positive integer, not ${options.rounds}`);

interface Row {
  name: string;
  variant: number;
  plain: number;
  ratio: number;
  most: number;
}

/** Milliseconds of a turn at least. */
const turn = 20;

async function measured({ name, most, check, variant, plain, dispose }: Pair): Promise<Row> {
  await check();
  const players = [turnsOf(variant), turnsOf(plain)] as const;
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < rounds; round++)
    for (const at of [round % 2, 1 - (round % 2)] as const) times[at].push(median(await players[at](turn)));
  dispose?.();
  const [ours, others] = times.map(median) as [number, number];
  return { name, variant: ours, plain: others, ratio: median(times[0].map((time, i) => time / times[1][i]!)), most };
}

/** An engine that computes, and the specification. */
async function engines(): Promise<{ engine: Engine; reference: Engine }> {
  const [engine, reference] = await Promise.all([
    createEngine({ threads: 1, wide: true, backend: "wasm" }),
    createEngine({ backend: "reference" }),
  ]);
  return { engine, reference };
}

const machine = describeMachine();
const { engine, reference } = await engines();
const all = [
  ...maskPairs(engine, reference),
  ...thinPairs(engine, reference),
  ...regionPairs(engine, reference),
  ...exactPairs(engine, reference),
  ...(await canny(engine)),
];
const rows: Row[] = [];
for (const pair of all.filter(({ name }) => name.includes(options.only))) {
  rows.push(await measured(pair));
  console.error(`${pair.name}: ${number(rows.at(-1)!.ratio)}`);
}
const frames = "video".includes(options.only) ? await framesPerSecond() : undefined;
const load = [machine, describeMachine()].map(({ load: [minute] }) => minute!);

if (options.json) console.log(JSON.stringify({ machine: { ...machine, load }, commit: commitOf(), rows, frames }, null, 2));
else {
  const { cpu, cores, os, node } = machine;
  console.log(`${cpu}, ${cores} cores, ${os}, Node ${node}; commit ${commitOf()}; load ${load.join(" before, ")} after\n`);
  const lines = rows.map(({ name, variant, plain, ratio, most }) => [name, number(variant), number(plain), number(ratio), `${most}`, ratio <= most ? "" : "MISSED"]); // biome-ignore format: a line
  console.log(table(["what over what", "ms", "over ms", "ratio", "at most", ""], lines));
  if (frames !== undefined)
    console.log(`examples/video.ts, 1280 × 720, σ 8, colours σ 4: ${number(frames)} frames a second (at least 200)`);
}
engine.dispose();
reference.dispose();
// OpenCV's process may still wait.
process.exit();
