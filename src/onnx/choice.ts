// What a run is asked for: which of a model's outputs, and its inputs as tensors.
import { EngineValue } from "../engine/values.ts";
import { checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import { checkInputs, type GivenTensor } from "../graph/evaluate.ts";
import { inferKnown } from "../graph/infer.ts";
import { removeUnused } from "../graph/passes/index.ts";
import type { RunOptions } from "../graph/program.ts";
import type { Graph, Operators, Spec, Value, ValueInfo } from "../graph/types.ts";

/**
 * A tensor in ONNX's order, ONNX Runtime's `{ data, dims }`, or a value of `engine.alloc`, which is copied out. Half floats come as
 * numbers in a Float32Array or Float16Array, or with `dtype` as bits in a Uint16Array.
 */
export type ModelInput = GivenTensor | EngineValue;

/** How a model runs. */
export interface ModelRunOptions extends RunOptions {
  /** Names of the outputs that are wanted: nothing is computed that only others need. All unless given. */
  outputs?: readonly string[];
}

/** The network with these outputs alone, and what they need: nodes, constants and inputs. */
export function withChosenOutputs(graph: Graph, names: readonly string[] | undefined): Graph {
  if (names === undefined) return graph;
  const known = graph.outputs.map(({ name }) => name);
  if (!Array.isArray(names) || names.length === 0) {
    const expected = `a list of some of ${known.map(describe).join(", ")}`;
    throw new InvalidArgumentError({ parameter: "outputs", expected, received: describe(names) });
  }
  for (const [i, name] of names.entries()) {
    checkOneOf(`outputs[${i}]`, name, known);
    if (names.indexOf(name) === i) continue;
    throw new InvalidArgumentError({ parameter: "outputs", expected: "each name once", received: `${describe(name)} twice` }); // biome-ignore format: a line
  }
  if (names.length === known.length) return graph;
  const chosen = removeUnused({ ...graph, outputs: graph.outputs.filter(({ name }) => names.includes(name)) });
  const read = new Set([...chosen.nodes.flatMap(({ inputs }) => inputs), ...names]);
  return { ...chosen, inputs: graph.inputs.filter(({ name }) => read.has(name)) };
}

/** Lists among the inputs say sizes: where their elements are known, more shapes are known before a run. */
export function saysSizes(
  graph: Graph,
  operators: Operators,
  shapes: ReadonlyMap<string, Spec>,
  lists: ReadonlyMap<string, Spec>,
): boolean {
  if (![...lists.values()].some(({ data }) => data)) return false;
  const { specs, open } = inferKnown(graph, operators, shapes);
  return [...open.values()].some(({ sizes }) => sizes) && inferKnown(graph, operators, lists).specs.size > specs.size;
}

export const isValue = (entry: [string, unknown]): entry is [string, EngineValue] => entry[1] instanceof EngineValue;

/**
 * The inputs, checked. At once where nothing has to be waited for: a run that has begun is waited for when the model is
 * disposed of. Engine values are read. `needed`: those that must be there and come out.
 */
export function inputValues(
  graph: Graph,
  inputs: Readonly<Record<string, ModelInput>>,
  needed: readonly ValueInfo[] = graph.inputs,
): Map<string, Value> | Promise<Map<string, Value>> {
  if (inputs instanceof EngineValue || (isTensor(inputs) && !graph.inputs.some(({ name }) => name in inputs))) {
    const name = graph.inputs[0]?.name ?? "input";
    const expected = `tensors by the names of inputs, such as { ${JSON.stringify(name)}: tensor }`;
    throw new InvalidArgumentError({ parameter: "inputs", expected, received: "a tensor" });
  }
  const values = Object.entries(inputs ?? {}).filter(isValue);
  if (values.length === 0) return checkInputs(graph, inputs as Record<string, GivenTensor>, needed);
  const read = values.map(
    async ([name, value]) => [name, { shape: value.shape, dtype: value.dtype, data: await value.read() }] as const,
  );
  return Promise.all(read).then((tensors) =>
    checkInputs(graph, { ...(inputs as Record<string, GivenTensor>), ...Object.fromEntries(tensors) }, needed),
  );
}

const isTensor = (given: unknown): given is object =>
  typeof given === "object" && given !== null && ArrayBuffer.isView((given as { data?: unknown }).data);
