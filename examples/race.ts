// Times models side by side on one thread, in turns, and says how much faster each is than the first:
// `node examples/race.ts model.onnx separated.onnx`, or with 16 inputs at once: `BATCH=16 node examples/race.ts …`.
import { basename } from "node:path";
import { createEngine } from "rank1";
import { loadModel, type Model } from "rank1/onnx";

const files = process.argv.slice(2);
if (!files[0]) {
  console.error("usage: node examples/race.ts model.onnx separated.onnx");
  process.exit(2);
}
const batch = Number(process.env.BATCH ?? 1);
const engine = await createEngine({ wide: true, threads: 1 });

/** Random inputs; a side that the model leaves open is 1, the first one the batch. */
function inputsOf({ graph }: Model) {
  const inputs = graph.inputs.map(({ name, shape = [] }) => {
    const sides = shape.map((side, axis) => (typeof side === "number" ? side : axis === 0 ? batch : 1));
    const length = sides.reduce((product, side) => product * side, 1);
    return [name, { shape: sides, data: Float32Array.from({ length }, Math.random) }] as const;
  });
  return Object.fromEntries(inputs);
}

const runners = await Promise.all(
  files.map(async (file) => {
    const model = await loadModel(file, { engine });
    return { file, model, inputs: inputsOf(model), times: [] as number[] };
  }),
);
const end = performance.now() + 5000;
for (let round = 0; round < 12 || performance.now() < end; round++) {
  for (const { model, inputs, times } of runners) {
    const start = performance.now();
    await model.run(inputs);
    if (round > 1) times.push(performance.now() - start);
  }
}
engine.dispose();
const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;
const milliseconds = runners.map(({ times }) => median(times));
for (const [i, { file }] of runners.entries()) {
  const [own, first] = [milliseconds[i]!, milliseconds[0]!];
  console.log(`${basename(file)}: ${own.toPrecision(3)} ms, ${(first / own).toFixed(2)} x`);
}
