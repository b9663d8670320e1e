// Runs of one compiled network that overlap, and its end while one of them works.
import { expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { inputSpecs } from "../../src/graph/infer.ts";
import { GraphProgram } from "../../src/graph/program.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { testEngines } from "../engine/engines.ts";
import { expectClose } from "../onnx/close.ts";
import { Random } from "../random-tensors.ts";
import { floats, graphOf, node } from "./graphs.ts";

// What the first layer leaves is read by the host and, after it, by the backend once more: two partitions share a value.
const w = floats([4, 4, 1, 1], [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 3, 0, 0, 0, 0, 4]);
const cast = (from: string, to: string, type: number) => node("Cast", [from], [to], { to: type });
const nodes = [node("Conv", ["x", "w"], ["a"]), cast("a", "i", 6), cast("i", "s", 1), node("Mul", ["a", "s"], ["y"])];
const graph = graphOf({ x: [1, 4, 9, 7] }, nodes, ["y"], { w });
const inputs = [1, 2, 3, 4].map((seed) => ({ x: new Random(seed).tensor([1, 4, 9, 7]) }));
const create = async (): Promise<GraphProgram> =>
  GraphProgram.create(graph, operators, inputSpecs(graph), await testEngines()[1]![1]);

test("runs that are begun together give what they give alone", async () => {
  const program = await create();
  expect(program.partitions.map(({ kind }) => kind)).toEqual(["backend", "host", "backend"]);
  const found = await Promise.all(inputs.map((given) => program.run(checkInputs(graph, given))));
  for (const [i, given] of inputs.entries()) expectClose(found[i]!.y!, runGraph(graph, operators, given).y!, 1e-4);
  program.dispose();
});

test("a run that has begun ends before the network does; later ones are refused", async () => {
  const program = await create();
  const run = program.run(checkInputs(graph, inputs[0]!));
  program.dispose();
  program.dispose();
  expectClose((await run).y!, runGraph(graph, operators, inputs[0]!).y!, 1e-4);
  await expect(program.run(checkInputs(graph, inputs[0]!))).rejects.toMatchObject({ code: "DISPOSED" });
});
