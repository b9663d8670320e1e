// How well the planner chooses: over seeded, log-uniform problems with at least three candidates each, every candidate is
// timed (interleaved, best of five) and the chosen one compared with the fastest. `node regret.ts [--count 200]`.
import { parseArgs } from "node:util";
import { createEngine, type Filter, filters, type Plan } from "../src/index.ts";
import { type ImageDType, newArray } from "../src/tensor.ts";
import { describeMachine } from "./machine.ts";

const { values } = parseArgs({
  options: { count: { type: "string", default: "200" }, seed: { type: "string", default: "1" }, wide: { type: "boolean", default: false }, worst: { type: "string", default: "10" } },
});

let state = Number(values.seed);
function random(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const logUniform = (low: number, high: number): number => Math.round(Math.exp(Math.log(low) + random() * Math.log(high / low)));
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;

function vector(n: number, constant: boolean, integer: boolean): number[] {
  const tap = (): number => (integer ? Math.floor(random() * 7) - 3 || 1 : random() - 0.3);
  return constant ? new Array<number>(n).fill(1) : Array.from({ length: n }, tap);
}

/** Sums of few outer products, boxes, and Gaussians with a tolerance: what has several ways to be computed. */
function randomFilter(): { filter: Filter; tolerance: number; name: string } {
  const [kh, kw] = [logUniform(2, 41), logUniform(2, 41)];
  const kind = pick(["box", "gaussian", "low rank", "low rank"]);
  if (kind === "box") return { filter: filters.box([kh, kw]), tolerance: 0, name: `box ${kh}x${kw}` };
  if (kind === "gaussian") {
    const sigma = logUniform(20, 600) / 10;
    return { filter: filters.gaussian({ sigma }), tolerance: 0.01, name: `gaussian ${sigma}` };
  }
  const [integer, rank] = [random() < 0.5, 1 + Math.floor(random() * 4)];
  const rows = Array.from({ length: kh }, () => new Array<number>(kw).fill(0));
  for (let r = 0; r < Math.min(rank, kh, kw); r++) {
    const [column, row] = [vector(kh, random() < 0.3, integer), vector(kw, random() < 0.3, integer)];
    for (let i = 0; i < kh; i++) for (let j = 0; j < kw; j++) rows[i]![j]! += column[i]! * row[j]!;
  }
  const tolerance = random() < 0.5 ? 0.3 : 0;
  return { filter: rows, tolerance, name: `${integer ? "integer" : "real"} ${kh}x${kw}` };
}

const engine = await createEngine({ threads: 1, wide: values.wide });
const dtypes = { u8: Uint8Array, u16: Uint16Array, f32: Float32Array };
const results: { name: string; chosen: string; best: string; regret: number; ratio: string }[] = [];
const fits = new Map<string, number[]>();
let tried = 0;
while (results.length < Number(values.count)) {
  tried++;
  const [width, height, channels] = [logUniform(64, 2048), logUniform(64, 2048), pick([1, 3, 4])];
  const dtype = pick(["u8", "u8", "u16", "f32"] as const);
  const { filter, tolerance, name } = randomFilter();
  const problem = engine.filterProblem({ width, height, channels, dtype }, filter, { tolerance });
  const chosen = engine.plan(problem);
  const plans = new Map<string, Plan>([[chosen.solver, chosen]]);
  for (const { solver, cost } of chosen.rejected) if (cost && !plans.has(solver)) plans.set(solver, engine.plan(problem, { strategy: solver }));
  const predicted = [...plans.values()].map(({ cost }) => cost.time);
  if (plans.size < 3 || Math.max(...predicted) > 4e8) continue;
  const image = { width, height, channels, data: new dtypes[dtype](width * height * channels).map((_, i) => (i * 7919) % 251) };
  const out = newArray(problem.y.dtype as ImageDType, image.data.length);
  const times = new Map<string, number>();
  for (let round = 0; round < 6; round++) {
    for (const [solver, plan] of plans) {
      const start = performance.now();
      await engine.run(plan, image, { out });
      // The first round warms up.
      if (round > 0) times.set(solver, Math.min(times.get(solver) ?? Infinity, performance.now() - start));
    }
  }
  const best = [...times].reduce((a, b) => (b[1] < a[1] ? b : a));
  const regret = times.get(chosen.solver)! / best[1];
  for (const [solver, plan] of plans) {
    const arithmetic = [...new Set(plan.stages.flatMap(({ steps }) => steps.map(({ kernel }) => ("arithmetic" in kernel ? kernel.arithmetic : kernel.family))))].join("+");
    const key = `${solver} ${arithmetic}`;
    fits.set(key, [...(fits.get(key) ?? []), (times.get(solver)! * 1e6) / plan.cost.time]);
  }
  const ratio = [...plans].map(([s, p]) => `${s} ${times.get(s)!.toFixed(2)} (${(p.cost.time / 1e6).toFixed(2)})`).join(", ");
  results.push({ name: `${name} on ${width}x${height}x${channels} ${dtype}`, chosen: chosen.solver, best: best[0], regret, ratio });
  if (process.stderr.isTTY) process.stderr.write(`\r${results.length} problems`);
}
engine.dispose();

const mean = Math.exp(results.reduce((sum, { regret }) => sum + Math.log(regret), 0) / results.length);
const near = results.filter(({ regret }) => regret <= 1.1).length / results.length;
console.log(JSON.stringify(describeMachine()));
console.log(`${results.length} problems of ${tried} drawn: geometric-mean regret ${mean.toFixed(3)}, within 10 % of the best in ${(100 * near).toFixed(1)} %`);
console.log("\nmeasured / predicted, median (10 %, 90 %):");
for (const [key, ratios] of [...fits].sort()) {
  ratios.sort((a, b) => a - b);
  const at = (q: number): string => ratios[Math.floor(q * (ratios.length - 1))]!.toFixed(2);
  console.log(`  ${key.padEnd(36)} ${String(ratios.length).padStart(4)}  ${at(0.5)} (${at(0.1)}, ${at(0.9)})`);
}
console.log("\nworst choices, measured ms (predicted ms):");
results.sort((a, b) => b.regret - a.regret);
for (const r of results.slice(0, Number(values.worst))) console.log(`  ${r.regret.toFixed(2)}  ${r.name}: chose ${r.chosen}, best ${r.best}: ${r.ratio}`);
