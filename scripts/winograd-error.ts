// How far f32 results of 3 x 3 layers lie from sums in f64, by plan: `node scripts/winograd-error.ts`. The figures of
// docs/layers.md.
import { createEngine } from "../src/index.ts";

const engine = await createEngine({ backend: "wasm", threads: 1 });
const [side, outputs, channels] = [16, 16, [8, 32, 128, 512]];

/** Numbers of a normal distribution, the same at every run. */
let state = 1;
function uniform(): number {
  state = (Math.imul(state, 1664525) + 1013904223) | 0;
  return (state >>> 0) / 2 ** 32;
}
const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
const tensor = (value: () => number, ...shape: number[]) => ({
  ...{ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, value) },
});
const inputs = { "mean 0": normal, "mean 10": () => 10 + normal() };

const rms = (values: Float64Array): number => Math.sqrt(values.reduce((sum, v) => sum + v * v, 0) / values.length);

/** The sums in f64. */
function exactly(x: Float32Array, weight: Float32Array, channels: number): Float64Array {
  return Float64Array.from({ length: side * side * outputs }, (_, at) => {
    const [o, column, row] = [at % outputs, Math.floor(at / outputs) % side, Math.floor(at / outputs / side)];
    let sum = 0;
    for (let tap = 0; tap < 9; tap++) {
      const from = ((row + Math.floor(tap / 3)) * (side + 2) + column + (tap % 3)) * channels;
      for (let c = 0; c < channels; c++) sum += x[from + c]! * weight[(tap * channels + c) * outputs + o]!;
    }
    return sum;
  });
}

console.log(
  "inputs   channels  plan            error: root mean square  largest, in parts of the root mean square result",
);
for (const [name, value] of Object.entries(inputs)) {
  for (const count of channels) {
    const [x, weight] = [tensor(value, 1, side + 2, side + 2, count), tensor(normal, 3, 3, count, outputs)];
    const exact = exactly(x.data, weight.data, count);
    const problem = engine.layerProblem("conv2d", { x: x.shape, weight: weight.shape });
    for (const strategy of ["matrix-product", "winograd"]) {
      const layer = await engine.prepare(problem, { weight }, { strategy });
      const { data } = await layer.run(x);
      layer.dispose();
      const errors = exact.map((v, i) => data[i]! - v);
      const largest = errors.reduce((most, e) => Math.max(most, Math.abs(e)), 0);
      const [mean, most] = [rms(errors), largest].map((e) => (e / rms(exact)).toExponential(1));
      console.log(`${name.padEnd(9)}${String(count).padEnd(10)}${strategy.padEnd(16)}${mean!.padEnd(25)}${most}`);
    }
  }
}
engine.dispose();
