// Every elementwise operator of floats on zeros, infinities, NaN, subnormal and huge numbers: kernels against the host's loops,
// and both against ONNX Runtime where that computes the operator.
import { describe, expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { expressionOperators } from "../../src/graph/expressions.ts";
import { inputSpecs } from "../../src/graph/infer.ts";
import { GraphProgram } from "../../src/graph/program.ts";
import type { GraphNode } from "../../src/graph/types.ts";
import { mostAngle } from "../../src/kernels/expression/formulas.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { testEngines } from "../engine/engines.ts";
import { attribute, model, node as onnxNode, value } from "../onnx/build.ts";
import { runRuntime, runtime } from "../onnx/runtime.ts";
import { floats, graphOf, node } from "./graphs.ts";

const numbers = [0, -0, 1, -1, 0.5, -0.5, 2, 2.5, -3, 20, -20, 88.8, -104, 1e-40, -1e-40, 1e-20, 1e20, 3e38, -3e38, Infinity,
  -Infinity, Number.NaN, 7, -0.25] as const; // biome-ignore format: a list
const second = [-Infinity, Infinity, 0, -0, 0.5, -0.5, 2, 3, 1, -1, Number.NaN, 1e37] as const;
const pairs = numbers.flatMap((a) => second.map((b) => [a, b] as const));

type Attributes = Readonly<Record<string, number>>;
const variants: Readonly<Record<string, readonly Attributes[]>> = {
  LeakyRelu: [{}, { alpha: 0 }, { alpha: Infinity }, { alpha: -2 }],
  Cast: [{ to: 1 }, { to: 9 }, { to: 10 }],
  IsInf: [{}, { detect_negative: 0 }, { detect_positive: 0 }],
  Mod: [{ fmod: 1 }],
  Shrink: [{}, { lambd: 1, bias: 0.5 }],
};
const two = ["Add", "Sub", "Mul", "Div", "PRelu", "Pow", "Mod", "Min", "Max", "Sum", "Mean", "Less", "LessOrEqual", "Greater",
  "GreaterOrEqual", "Equal"]; // biome-ignore format: a list
/** Of bools, or tested elsewhere. */
const others = ["And", "Or", "Xor", "Not", "Where", "Clip", "GeluTanh", "Requantize", "DynamicScale", "DynamicLimit"];
/** Beyond what f64 tells apart remainders are 0, and angles beyond `mostAngle` have no sine. */
const bounded = ["Sin", "Cos", "Tan", "Mod"];
const cases = expressionOperators
  .filter((op) => operators.has(op) && !others.includes(op))
  .flatMap((op) => (variants[op] ?? [{}]).map((attributes) => [op, attributes] as const));
const opset = 20;
/** Bytes are bools. */
const isSame = (a: number, b: number): boolean =>
  Object.is(a, b) || a === b || Math.abs(a - b) <= 2e-6 * (1 + Math.abs(b));

function inputsOf(op: string): Record<string, Tensor> {
  const all = two.includes(op) ? pairs : numbers.map((a) => [a, 0] as const);
  const list = all.map(([a, b]) => [bounded.includes(op) && Math.abs(a) > mostAngle ? Number.NaN : a, b] as const);
  const shape = [1, 4, list.length / 4, 1];
  const x = floats(shape, list.map(([a]) => a)); // biome-ignore format: a line
  return two.includes(op) ? { x, y: floats(shape, list.map(([, b]) => b)) } : { x }; // biome-ignore format: a line
}

function faultsOf(found: Tensor, expected: Tensor, inputs: Record<string, Tensor>): string[] {
  const at = (i: number): string => Object.values(inputs).map(({ data }) => data[i]).join(", "); // biome-ignore format: a line
  return [...expected.data].flatMap((right, i) =>
    isSame(Number(found.data[i]), Number(right)) ? [] : [`(${at(i)}): ${found.data[i]}, not ${right}`],
  );
}

/** What kernels make of a node before a layer. */
async function computed(one: GraphNode, inputs: Record<string, Tensor>): Promise<Tensor> {
  const { shape } = inputs.x!;
  const isBool = one.attributes.to === 9 || operators.get(one.op)!.infer(one, Object.values(inputs).map((tensor) => ({ ...tensor, dtype: "f32" })))[0]!.dtype === "bool"; // biome-ignore format: a line
  const after = isBool ? [node("Cast", ["r"], ["f"], { to: 1 })] : [];
  const nodes = [one, ...after, node("Conv", [isBool ? "f" : "r", "w"], ["z"])];
  const w = floats([1, 4, 1, 1], [0, 0, 0, 0]);
  const sides = Object.fromEntries(Object.keys(inputs).map((name) => [name, shape]));
  const graph = graphOf(sides, nodes, ["r", "z"], { w });
  const engine = await testEngines()[1]![1];
  const program = await GraphProgram.create(graph, operators, inputSpecs(graph), engine);
  expect(program.partitions.map(({ kind }) => kind)).toEqual(["backend"]);
  const { r } = await program.run(checkInputs(graph, inputs));
  program.dispose();
  return r!;
}

describe.each(cases)("%s %j", (op, attributes) => {
  const inputs = inputsOf(op);
  const one = node(op, Object.keys(inputs), ["r"], attributes, opset);

  test("by kernels is what the host's loops give", async () => {
    const graph = graphOf(Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, shape])), [one], ["r"]); // biome-ignore format: a line
    expect(faultsOf(await computed(one, inputs), runGraph(graph, operators, inputs).r!, inputs)).toEqual([]);
  });

  test.skipIf(!runtime)("by kernels is what ONNX Runtime gives", async () => {
    const made = Object.entries(attributes).map(([name, number]) =>
      op === "LeakyRelu" || op === "Shrink"
        ? attribute(name, { f: number, type: 1n } as never)
        : attribute(name, { i: BigInt(number), type: 2n } as never),
    );
    const { shape } = inputs.x!;
    const type = op === "Cast" ? attributes.to! : (await computed(one, inputs)).data instanceof Uint8Array ? 9 : 1;
    const bytes = model({
      nodes: [onnxNode(op, Object.keys(inputs), ["r"], { attribute: made })],
      inputs: Object.keys(inputs).map((name) => value(name, shape)),
      outputs: [value("r", shape, type)],
      more: { opsetImport: [{ version: BigInt(opset) }] } as never,
    });
    if (attributes.to === 10) return;
    const expected = await runRuntime(bytes, inputs).catch(() => undefined);
    if (expected) expect(faultsOf(await computed(one, inputs), expected.r!, inputs)).toEqual([]);
  });
});
