// Worker calls on layers: plans a layer as it stands and as a separable one, and times both on random numbers.
import type { F32Tensor } from "rank1";
import type { LayerChoice } from "../state/hash.ts";
import { engine } from "./pictures.ts";
import type { Context, LayerPlans } from "./protocol.ts";

const trials = 9;

export async function layer(choice: LayerChoice, { signal }: Context): Promise<LayerPlans> {
  const { size, inputs, kernel, multiplier, outputs, stride, dilation } = choice;
  const running = await engine();
  const x = noise([1, size, size, inputs]);
  const weight = noise([kernel, kernel, inputs, outputs]);
  const depthwise = noise([kernel, kernel, inputs, multiplier]);
  const pointwise = noise([1, 1, inputs * multiplier, outputs]);
  const options = { strides: stride, dilations: dilation, pads: "valid" } as const;
  const both = [
    ["conv2d", { weight }],
    ["separableConv2d", { depthwise, pointwise }],
  ] as const;
  const prepared = [];
  for (const [kind, weights] of both) {
    const shapes = Object.fromEntries(Object.entries({ x, ...weights }).map(([name, { shape }]) => [name, shape]));
    prepared.push(await running.prepare(running.layerProblem(kind, shapes as never, options), weights as never));
  }
  const times = prepared.map(() => Infinity);
  try {
    for (let trial = 0; trial < trials; trial++) {
      for (const [i, one] of prepared.entries()) {
        const begin = performance.now();
        await one.run(x, { signal });
        times[i] = Math.min(times[i]!, performance.now() - begin);
      }
    }
  } finally {
    for (const one of prepared) one.dispose();
  }
  const [conv, separable] = prepared.map(({ plan }) => plan);
  return { conv: conv!, separable: separable!, milliseconds: { conv: times[0]!, separable: times[1]! } };
}

function noise(shape: number[]): F32Tensor {
  const data = new Float32Array(shape.reduce((product, side) => product * side, 1));
  return { shape, data: data.map(() => Math.random() - 0.5) };
}
