// A compiled model in a new process, from nothing to its first result, against native ONNX Runtime; and once warm, against the
// engine's 128-bit code: `node ahead.ts [--model <file>] [--rounds <n>]`. One thread each; results are compared first.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs, promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { compileFilter, compileModel } from "../src/ahead/index.ts";
import { createEngine } from "../src/index.ts";
import { loadModel } from "../src/onnx/index.ts";
import { median } from "./gate/change.ts";
import { commitOf, describeMachine } from "./machine.ts";
import { number, table } from "./tables.ts";

const data = process.env.RANK1_DATA ?? join(import.meta.dirname, "..", "..", "shared", "data");
const { values: options } = parseArgs({
  options: {
    model: { type: "string", default: join(data, "models", "ultraface-slim-320.onnx") },
    rounds: { type: "string", default: "15" },
  },
});
const rounds = Number(options.rounds);
const path = resolve(options.model);
const folder = mkdtempSync(join(tmpdir(), "rank1-ahead-"));
const machine = describeMachine();
const engine = await createEngine({ backend: "wasm", threads: 1 });
const model = await loadModel(readFileSync(path), { engine });
const shapes = Object.fromEntries(model.inputs.map(({ name, shape }) => [name, shape!.map((side) => (typeof side === "number" ? side : 1))]));
const { files } = await compileModel(model, { shapes, name: "net" });
const blur = await compileFilter("gaussian:sigma=2", { width: 640, height: 480, channels: 3, dtype: "u8" }, { name: "blur" });
for (const [name, data] of Object.entries({ ...files, ...blur.files, "package.json": '{ "type": "module" }' })) writeFileSync(join(folder, name), data);
writeFileSync(join(folder, "shapes.json"), JSON.stringify(shapes));
const inputs = `const shapes = ${JSON.stringify(shapes)};
const inputs = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)) }]));`;
const runtime = pathToFileURL(join(import.meta.dirname, "..", "node_modules", "onnxruntime-node", "dist", "index.js")).href;
writeFileSync(join(folder, "compiled.js"), `${inputs}
const start = performance.now();
const { load } = await import("./net.js");
const run = await load();
const found = run(inputs);
console.log(JSON.stringify({ milliseconds: performance.now() - start, sum: Object.values(found).map(({ data }) => data.reduce((a, b) => a + b, 0)) }));
`);
writeFileSync(join(folder, "native.js"), `${inputs}
const start = performance.now();
const { default: { InferenceSession, Tensor } } = await import(${JSON.stringify(runtime)});
const session = await InferenceSession.create(${JSON.stringify(path)}, { intraOpNumThreads: 1, interOpNumThreads: 1 });
const found = await session.run(Object.fromEntries(Object.entries(inputs).map(([name, { shape, data }]) => [name, new Tensor("float32", data, shape)])));
console.log(JSON.stringify({ milliseconds: performance.now() - start, sum: session.outputNames.map((name) => found[name].data.reduce((a, b) => a + b, 0)) }));
`);
writeFileSync(join(folder, "first.js"), `
import { readFileSync } from "node:fs";
import { load } from "./blur.js";
const data = Uint8Array.from({ length: 640 * 480 * 3 }, (_, i) => (i * i) >> 7);
const module = new WebAssembly.Module(readFileSync(new URL("./blur.wasm", import.meta.url)));
const start = performance.now();
(await load({ module }))({ data });
console.log(JSON.stringify({ milliseconds: performance.now() - start, sum: [] }));
`);
async function measure(script: string): Promise<{ milliseconds: number; sum: number[] }> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(folder, script)]);
  return JSON.parse(stdout);
}
const times: Record<string, number[]> = { "compiled.js": [], "native.js": [], "first.js": [] };
const sums: Record<string, number[]> = {};
for (let round = 0; round < rounds; round++)
  for (const script of Object.keys(times)) {
    const { milliseconds, sum } = await measure(script);
    times[script]!.push(milliseconds);
    sums[script] = sum;
  }
for (const [i, sum] of sums["compiled.js"]!.entries())
  if (Math.abs(sum - sums["native.js"]![i]!) > 1e-3 * Math.abs(sum) + 1e-2) throw new Error(`output ${i} differs: its sum is ${sum}, not ${sums["native.js"]![i]}`);

const given = Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [name, { shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)) }]));
const { load } = await import(pathToFileURL(join(folder, "net.js")).href);
const run = await load();
const [ahead, own]: [number[], number[]] = [[], []];
for (let i = 0; i < 60; i++) {
  let start = performance.now();
  run(given);
  ahead.push(performance.now() - start);
  start = performance.now();
  await model.run(given);
  own.push(performance.now() - start);
}
const gzipped = (...names: string[]): number => names.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
const [compiled, native, first] = Object.values(times).map(median) as [number, number, number];
console.log(`${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; commit ${commitOf()}; load ${machine.load[0]} before, ${describeMachine().load[0]} after\n`);
console.log(table(["what", "found", "goal"], [
  ["Gaussian 640 × 480 × 3, all bytes gzipped", `${gzipped("blur.wasm", "blur.js", "blur.worker.js")}`, "≤ 8,000"],
  ["its first result once the module is there, ms", number(first), "≤ 15"],
  ["the model's code without weights, gzipped", `${gzipped("net.wasm", "net.js", "net.worker.js")}`, "≤ 30,000"],
  ["load and first run in a new process, ms", `${number(compiled)}, native ${number(native)}: ${number(compiled / native)} ×`, "≤ 0.7 ×"],
  ["a warm run, ms", `${number(median(ahead))}, the engine ${number(median(own))}`, "the engine's"],
]));
rmSync(folder, { recursive: true });
model.dispose();
engine.dispose();
