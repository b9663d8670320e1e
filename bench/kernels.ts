// Times one shape of each kernel family alone, on one thread and a strip that stays in the cache, after its results were
// checked; and says what share of the machine's peak it reaches. `node kernels.ts [family...] [--narrow]`.
import { parseArgs } from "node:util";
import { ReferenceBackend } from "../src/backend/reference/backend.ts";
import { WasmBackend } from "../src/backend/wasm/backend.ts";
import { floorOf, type KernelTime, timeKernels } from "../src/backend/wasm/kernel-times.ts";
import { measurePeaks } from "../src/backend/wasm/peaks.ts";
import { wideSupport } from "../src/backend/wasm/wide.ts";
import type { KernelCase } from "../src/kernels/case.ts";
import { describeKernel } from "../src/kernels/table.ts";
import { builtInProfile, grainFor } from "../src/plan/cost.ts";

import { casesOf, dataOf, families, judgeOf, planOf, runCase } from "../test/kernels/run.ts";
import { describeMachine } from "./machine.ts";
import { timesOf } from "./results.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { narrow: { type: "boolean", default: false } },
});
const unknown = positionals.find((name) => !(families as string[]).includes(name));
if (unknown !== undefined) throw new Error(`no family ${unknown}: there are ${families.join(", ")}`);
const wide = !values.narrow && wideSupport().supported;
const mode = { relaxed: true, wide };
const seed = 1;

/** Throws where a result is not what the reference says. */
async function check(family: string, one: KernelCase): Promise<void> {
  const data = dataOf(one, seed);
  const [reference, wasm] = [
    new ReferenceBackend(2 ** 30),
    new WasmBackend({ threads: 1, always: true, maxMemory: 2 ** 30, mode, memories: true }),
  ];
  const judge = await judgeOf(reference, one, data);
  const fault = judge(await runCase(wasm, one, data));
  wasm.dispose();
  if (fault) throw new Error(`${family}: wrong, ${fault}`);
}

/** The median time of one call in nanoseconds, over 200 milliseconds. */
async function medianTime(call: () => void): Promise<number> {
  const times: number[] = [];
  const end = performance.now() + 200;
  for (let run = 0; run < 5 || performance.now() < end; run++) {
    const start = performance.now();
    call();
    times.push(performance.now() - start);
  }
  return timesOf(times).median * 1e6;
}

/** A case as a plan of strips that fit the cache. */
function stripsOf(one: KernelCase) {
  const plan = planOf(one);
  for (const stage of plan.stages) stage.grid.grain = grainFor(one.buffers, stage.grid.extent, builtInProfile);
  return plan;
}

const peaks = await measurePeaks({ mode });

const columns = (family: string, what: string, figures: readonly string[]): string =>
  [family.padEnd(12), what.padEnd(36), ...figures.map((figure) => figure.padStart(8))].join("");

function figuresOf(time: KernelTime): string[] {
  const rate = (count: number): string => (count > 0 ? (count / time.time).toFixed(1) : "-");
  const share = (100 * floorOf(time, peaks).arithmetic) / time.time;
  const milliseconds = (time.time / 1e6).toPrecision(3);
  return [milliseconds, rate(time.multiplications), rate(time.additions), `${share.toFixed(0)} %`];
}

const { cpu, node } = describeMachine();
console.log(`${cpu}, Node ${node}, ${wide ? 256 : 128}-bit code, one thread`);
const { f32, i32, i16, fixed } = peaks.multiplications;
const rates = [f32, i32, i16, fixed, peaks.additions].map((rate) => rate.toFixed(1));
console.log(`at most ${rates.slice(0, 4).join(", ")} multiplications (f32, i32, i16, fixed) and ${rates[4]} additions a ns`);
console.log(columns("family", "what it does", ["ms", "mul/ns", "add/ns", "of peak"]));
for (const family of positionals.length > 0 ? positionals : families) {
  const one = (await casesOf(family)).find(({ benchmark }) => benchmark)!;
  await check(family, one);
  const { weights } = dataOf(one, seed);
  const times = await timeKernels(stripsOf(one), { wide, verdicts: {}, weights, timeOf: medianTime });
  one.steps.forEach(({ kernel }, i) => {
    if (kernel.family === family) console.log(columns(family, describeKernel(kernel), figuresOf(times[i]!)));
  });
}
