// Checks what is written: the file's bytes are loaded again, and have to give what the network gives that was fitted.
import type { Engine } from "../engine/engine.ts";
import type { Signal } from "../engine/platform.ts";
import { describe, Rank1Error } from "../errors.ts";
import type { Graph, Spec } from "../graph/types.ts";
import { isFloat, newValue, numbersOf } from "../graph/values.ts";
import { loadModel, type Model, saveModel } from "../onnx/model.ts";
import { Runner, type Values, withOutputs } from "./network.ts";
import { seeded } from "./random.ts";

/** The largest difference that rounding explains, as a share of an output's largest value. */
const allowed = 1e-3;

/** Inputs where nobody gives any: noise. */
export function noise({ inputs }: Graph, specs: ReadonlyMap<string, Spec>): Values {
  const random = seeded(0);
  return new Map(
    inputs.map(({ name }) => {
      const { dtype, shape } = specs.get(name)!;
      const value = newValue(dtype, shape);
      if (isFloat(dtype)) (value.data as Float32Array).forEach((_, i, all) => void (all[i] = random.normal()));
      return [name, value];
    }),
  );
}

/**
 * Loads the file of a model again and compares what it gives for some inputs with what a network gives; the largest difference,
 * as a share of an output's largest value.
 *
 * @throws Rank1Error where they differ.
 */
export async function verify(
  model: Model,
  fitted: Graph,
  inputs: Values,
  engine: Engine,
  signal?: Signal,
): Promise<number> {
  const again = await loadModel(saveModel(model), { engine });
  const names = fitted.outputs.map(({ name }) => name);
  const graphs = [fitted, withOutputs({ ...again.graph, inputs: model.graph.inputs }, names)];
  const runners = graphs.map((graph) => new Runner(graph, engine));
  try {
    const [wanted, found] = [await runners[0]!.run(inputs, signal), await runners[1]!.run(inputs, signal)];
    return Math.max(0, ...names.map((name) => differenceOf(name, wanted, found)));
  } finally {
    for (const runner of runners) await runner.dispose();
    again.dispose();
  }
}

function differenceOf(name: string, wanted: Values, found: Values): number {
  const [a, b] = [wanted, found].map((values) => values.get(name)!);
  if (!isFloat(a!.dtype)) return 0;
  const [right, own] = [numbersOf(a!), numbersOf(b!)];
  let [most, difference] = [0, 0];
  for (let i = 0; i < right.length; i++) {
    most = Math.max(most, Math.abs(right[i]!));
    if (!Object.is(right[i], own[i])) difference = Math.max(difference, Math.abs(right[i]! - own[i]!));
    if (Number.isNaN(own[i]) !== Number.isNaN(right[i])) difference = Infinity;
  }
  const share = difference > 0 ? difference / most : 0;
  if (right.length === own.length && share <= allowed) return share;
  const parameter = `output ${describe(name)} of the separated file, loaded again`;
  const expected = `the values of the network that was fitted, within ${allowed} of the largest`;
  throw new Rank1Error("UNSUPPORTED", { parameter, expected, received: `a difference of ${share}` });
}
