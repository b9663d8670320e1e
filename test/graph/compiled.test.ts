// Random small networks, compiled for each kind of engine, against the host's loops: layers, and what joins them.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Partition } from "../../src/graph/compile.ts";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { inputSpecs } from "../../src/graph/infer.ts";
import { GraphProgram } from "../../src/graph/program.ts";
import type { Graph, Spec } from "../../src/graph/types.ts";
import type { Engine } from "../../src/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { testEngines } from "../engine/engines.ts";
import { expectClose } from "../onnx/close.ts";
import { Random } from "../random-tensors.ts";
import { floats, graphOf, integers, node } from "./graphs.ts";
import { randomNetwork } from "./random.ts";
import { randomMovement } from "./random-movement.ts";

const onBackend = (partitions: readonly Partition[]): string[] =>
  partitions.flatMap((partition) => (partition.kind === "backend" ? partition.nodes.map(({ op }) => op) : []));

/** A network made from a seed gives what the host's loops give; adds to `seen` what ran on the backend. */
const likeTheHost = (make: (seed: number) => Graph, engine: Promise<Engine>, seen: Set<string>) =>
  fc.asyncProperty(fc.nat(), async (seed) => {
    const graph = make(seed);
    fc.pre(graph.nodes.length > 0);
    const x = new Random(seed).tensor(graph.inputs[0]!.shape as number[], "f32", -1, 1);
    const expected = runGraph(graph, operators, { x });
    const values = checkInputs(graph, { x });
    const specs = new Map([...values].map(([name, { dtype, shape }]): [string, Spec] => [name, { dtype, shape }]));
    const program = await GraphProgram.create(graph, operators, specs, await engine);
    try {
      for (const op of onBackend(program.partitions)) seen.add(op);
      // Twice: nothing of a run may be left for the next.
      for (let run = 0; run < 2; run++) {
        const found = await program.run(values);
        for (const output of Object.keys(expected)) expectClose(found[output]!, expected[output]!, 1e-4, 0.1);
      }
    } finally {
      program.dispose();
    }
  });

// One seed for all, so that what the networks hold is known: the lists below would now and then miss one otherwise.
describe.each(testEngines())("random networks on %s", (title, engine) => {
  test("of layers compute what the host's loops compute", async () => {
    const seen = new Set<string>();
    const property = likeTheHost(randomNetwork, engine, seen);
    await fc.assert(property, { numRuns: title === "reference" ? 60 : 150, seed: 7 });
    const joining = ["Add", "Sub", "Mul", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool", "PRelu", "BatchNormalization", "ConvTranspose"]; // biome-ignore format: a list
    expect([...seen]).toEqual(expect.arrayContaining(joining));
  });

  test("of movement compute what the host's loops compute, most of it on the backend", async () => {
    const seen = new Set<string>();
    await fc.assert(likeTheHost(randomMovement, engine, seen), { numRuns: 300, seed: 11 });
    const moving = "Transpose Reshape Slice Split Concat Expand Tile Pad DepthToSpace Resize Gather Softmax Tanh Min Div Gemm MatMul ReduceMean ReduceL2 ReduceLogSumExp LayerNormalization RMSNormalization InstanceNormalization GroupNormalization LRN GlobalMaxPool".split(" "); // biome-ignore format: a list
    expect([...seen]).toEqual(expect.arrayContaining(moving));
  });
});

test("a value that others read and the caller asks for is not written over", async () => {
  const w = floats([4, 4, 1, 1], [1]);
  const nodes = ["a", "b", "c", "d", "e"].map((name, i, all) => node("Conv", [all[i - 1] ?? "x", "w"], [name]));
  const graph = graphOf({ x: [1, 4, 3, 3] }, nodes, ["a", "b", "c", "d", "e"], { w });
  const [, engine] = testEngines()[1]!;
  const x = new Random(1).tensor([1, 4, 3, 3]);
  const program = await GraphProgram.create(graph, operators, inputSpecs(graph), await engine);
  expect(onBackend(program.partitions)).toHaveLength(5);
  const [found, expected] = [await program.run(checkInputs(graph, { x })), runGraph(graph, operators, { x })];
  for (const name of Object.keys(expected)) expectClose(found[name]!, expected[name]!, 1e-4);
});

test("channels last go to the host as the backend holds them, whoever else reads them", async () => {
  const perm = [0, 2, 3, 1];
  const nodes = [
    node("Conv", ["x", "w"], ["a"]),
    node("Conv", ["a", "w"], ["b"]),
    // One is read by the host and by a layer, one is asked for, one is computed with; and another order of axes.
    ...[node("Transpose", ["a"], ["c"], { perm }), node("Transpose", ["b"], ["d"], { perm })],
    ...[node("Cast", ["c"], ["e"], { to: 6 }), node("Transpose", ["b"], ["f"], { perm: [0, 3, 1, 2] })],
    node("Conv", ["d", "v"], ["g"]),
  ];
  const constants = { w: new Random(2).tensor([6, 6, 1, 1]), v: new Random(3).tensor([2, 3, 1, 1]) };
  const graph = graphOf({ x: [1, 6, 3, 5] }, nodes, ["b", "d", "e", "f", "g"], constants);
  const x = new Random(1).tensor([1, 6, 3, 5]);
  const expected = runGraph(graph, operators, { x });
  for (const [, engine] of testEngines()) {
    const program = await GraphProgram.create(graph, operators, inputSpecs(graph), await engine);
    const copied = program.tasks.flat().filter(({ op }) => op === "copy out");
    expect(copied[0]!.name.split(", ").sort()).toEqual(["b", "c", "d", "f", "g"]);
    for (let run = 0; run < 2; run++) {
      const found = await program.run(checkInputs(graph, { x }));
      for (const name of Object.keys(expected)) expectClose(found[name]!, expected[name]!, 1e-4);
    }
  }
});

test.each([
  ["a slope of one axis is one of the last axis", [1, 2, 1, 2], 16],
  ["before version 7 it is one of channels", [1, 2, 2], 6],
])("PRelu: %s", async (_title, shape, opset) => {
  const eye = floats(shape.length === 4 ? [2, 2, 1, 1] : [2, 2], [1, 0, 0, 1]);
  const first = node(shape.length === 4 ? "Conv" : "MatMul", ["x", "w"], ["a"]);
  const slopes = { w: eye, s: floats([2], [10, 100]) };
  const graph = graphOf({ x: shape }, [first, node("PRelu", ["a", "s"], ["y"], {}, opset)], ["y"], slopes);
  const x = floats(shape, [-1, -2, -3, -4]);
  for (const [, engine] of testEngines()) {
    const program = await GraphProgram.create(graph, operators, inputSpecs(graph), await engine);
    expect((await program.run(checkInputs(graph, { x }))).y).toEqual(runGraph(graph, operators, { x }).y);
    program.dispose();
  }
});

test("values without elements stay on the host", async () => {
  const constants = { w: floats([4, 4, 1, 1]), s: floats([4, 1, 1]) };
  for (const op of ["PRelu", "Add", "Sub"]) {
    const graph = graphOf(
      { x: [0, 4, 3, 3] },
      [node(op, ["x", "s"], ["a"]), node("Conv", ["a", "w"], ["y"])],
      ["y"],
      constants,
    );
    const program = await GraphProgram.create(graph, operators, inputSpecs(graph), await testEngines()[1]![1]);
    expect((await program.run(checkInputs(graph, { x: floats([0, 4, 3, 3]) }))).y!.shape).toEqual([0, 4, 3, 3]);
    program.dispose();
  }
});

test("infinite bounds and pixels", async () => {
  const eye = floats([1, 1, 1, 1], [1]);
  const bounds = { w: eye, high: floats([], [Infinity]), low: floats([], [-Infinity]), six: floats([], [6]), zero: floats([], [0]) }; // biome-ignore format: a list
  const clips = [node("Conv", ["x", "w"], ["a"]), node("Clip", ["a", "high", "six"], ["y"]), node("Clip", ["a", "zero", "low"], ["z"])]; // biome-ignore format: a list
  const sizes = { w: eye, sizes: integers(1, 1, 2, 3) };
  const resize = [node("Conv", ["x", "w"], ["a"]), node("Resize", ["a", "", "", "sizes"], ["y"], { mode: "linear" })];
  const cases = [
    { graph: graphOf({ x: [1, 1, 1, 2] }, clips, ["y", "z"], bounds), x: floats([1, 1, 1, 2], [0.5, 3]) },
    { graph: graphOf({ x: [1, 1, 1, 1] }, resize, ["y"], sizes), x: floats([1, 1, 1, 1], [-Infinity]) },
  ];
  for (const [, engine] of testEngines()) {
    for (const { graph, x } of cases) {
      const program = await GraphProgram.create(graph, operators, inputSpecs(graph), await engine);
      expect(await program.run(checkInputs(graph, { x }))).toEqual(runGraph(graph, operators, { x }));
      program.dispose();
    }
  }
});
