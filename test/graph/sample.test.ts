// GridSample, pools of one to three axes and residual convolutions among layers, compiled for each kind of engine, against the host's loops.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkInputs, runGraph } from "../../src/graph/evaluate.ts";
import { inputSpecs } from "../../src/graph/infer.ts";
import { GraphProgram } from "../../src/graph/program.ts";
import type { Attribute, Graph } from "../../src/graph/types.ts";
import type { Engine } from "../../src/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { testEngines } from "../engine/engines.ts";
import { attribute, model, node as onnxNode, value } from "../onnx/build.ts";
import { expectClose } from "../onnx/close.ts";
import { runRuntime, runtime } from "../onnx/runtime.ts";
import { Random } from "../random-tensors.ts";
import { floats, graphOf, node } from "./graphs.ts";

interface Use {
  graph: Graph;
  inputs: Record<string, Tensor>;
}

async function expectLikeTheHost(engine: Engine, { graph, inputs }: Use): Promise<void> {
  const expected = runGraph(graph, operators, inputs);
  const program = await GraphProgram.create(graph, operators, inputSpecs(graph), engine);
  try {
    expect(program.partitions.map(({ kind }) => kind)).toEqual(["backend"]);
    // Twice: nothing of a run may be left for the next.
    for (let run = 0; run < 2; run++) {
      const found = await program.run(checkInputs(graph, inputs));
      for (const name of Object.keys(expected)) expectClose(found[name]!, expected[name]!, 1e-4, 0.1);
    }
  } finally {
    program.dispose();
  }
}

const sampling = (r: Random, modes: readonly string[]) => ({
  ...{ mode: r.pick(modes), padding_mode: r.pick(["zeros", "border", "reflection"]), align_corners: r.flag() },
});

/** A layer, what it gives read by a grid that comes with the input, is known, or is a layer's; and another layer. */
function gridSamples(seed: number): Use {
  const r = new Random(seed);
  const [images, inputs, channels] = [r.int(1, 3), r.int(1, 5), r.int(1, 9)];
  const [x, to] = [[images, inputs, ...r.shape(2, 7)], r.shape(2, 7)];
  const places = [images, ...to, 2];
  const grid = r.tensor(places, "f32", -2.5, 2.5);
  const from = r.pick(["input", "constant", "layer"] as const);
  // A grid that is computed misses places by a rounding: only what has no steps comes out alike.
  const attributes = from === "layer" ? { ...sampling(r, ["linear"]), align_corners: 0 } : sampling(r, ["linear", "nearest", "cubic"]); // biome-ignore format: a line
  const nodes = [
    node("Conv", ["x", "w"], ["a"]),
    ...(from === "layer"
      ? [node("Conv", ["g", "q"], ["b"]), node("Transpose", ["b"], ["grid"], { perm: [0, 2, 3, 1] })]
      : []),
    node("GridSample", ["a", "grid"], ["c"], attributes, 20),
    node("Relu", ["c"], ["d"]),
    node("Conv", ["d", "v"], ["y"]),
  ];
  const given = from === "layer" ? r.tensor([images, 2, ...to], "f32", -1, 1) : grid;
  const graph = graphOf(
    { x, ...(from === "layer" ? { g: given.shape } : from === "input" ? { grid: places } : {}) },
    ...([nodes, ["c", "y"]] as const),
    {
      ...{ w: r.tensor([channels, inputs, 1, 1], "f32", -1, 1), v: r.tensor([3, channels, 1, 1], "f32", -1, 1) },
      ...(from === "constant" ? { grid } : from === "layer" ? { q: r.tensor([2, 2, 1, 1], "f32", -2, 2) } : {}),
    },
  );
  const value = r.tensor(x, "f32", -1, 1);
  return { graph, inputs: { x: value, ...(from === "layer" ? { g: given } : from === "input" ? { grid } : {}) } };
}

function lpPools(seed: number): Use {
  const r = new Random(seed);
  const channels = r.int(1, 9);
  const size = r.flag() ? r.ints(2, 1, 3) : r.ints(2, 4, 7);
  const pads = [0, 1].flatMap(() => size.map((side) => r.int(0, Math.min(2, side - 1))));
  const sides = size.map((side, i) => Math.max(side - pads[i]! - pads[i + 2]!, r.int(5, 12)));
  const x = [r.int(1, 2), 3, ...sides];
  const dilations = size.map((side, i) => ((side - 1) * 2 < sides[i]! ? r.int(1, 2) : 1));
  const attributes = {
    kernel_shape: size,
    strides: r.ints(2, 1, 3),
    dilations,
    pads,
    ceil_mode: r.flag(),
    p: r.pick([1, 2, 3, 9]),
  };
  const nodes = [
    node("Conv", ["x", "w"], ["a"]),
    node("LpPool", ["a"], ["b"], attributes),
    node("Conv", ["b", "v"], ["y"]),
  ];
  const graph = graphOf({ x }, nodes, ["b", "y"], {
    ...{ w: r.tensor([channels, 3, 1, 1], "f32", -1, 1), v: r.tensor([3, channels, 1, 1], "f32", -1, 1) },
  });
  return { graph, inputs: { x: r.tensor(x, "f32", -1, 1) } };
}

/** Convolutions of one or three axes, one of which another value is added to, around a pool of any kind. */
function linesAndVolumes(seed: number): Use {
  const r = new Random(seed);
  const rank = r.pick([1, 3]);
  const [inputs, channels] = [r.int(1, 5), r.int(1, 9)];
  const list = (low: number, high: number): number[] => r.ints(rank, low, high);
  const [size, dilations] = [list(1, 4), list(1, 2)];
  const pads = [0, 1].flatMap(() => size.map((side) => r.int(0, Math.min(2, side - 1))));
  const sides = size.map((side, i) => (side - 1) * dilations[i]! + 1 + r.int(0, rank === 1 ? 40 : 5));
  const x = [r.int(1, 3), inputs, ...sides];
  const op = r.pick(["MaxPool", "AveragePool"]);
  const counts = op === "AveragePool" ? r.flag() : 0;
  const average: Record<string, Attribute> = op === "AveragePool" ? { count_include_pad: counts } : {};
  const auto = r.pick<Record<string, Attribute>>([{ pads }, { pads }, { auto_pad: "SAME_UPPER" }, { auto_pad: "SAME_LOWER" }, { auto_pad: "VALID" }]); // biome-ignore format: a line
  const known = { kernel_shape: size, strides: list(1, 3), ...auto, ...average };
  const ceil_mode = counts ? 0 : r.flag();
  const attributes = { ...known, ...(r.flag() && { dilations }), ...("pads" in auto && { ceil_mode }) };
  const same = { kernel_shape: size.map(() => 3), pads: [...size, ...size].map(() => 1) };
  const nodes = [
    node("Conv", ["x", "w"], ["a"]),
    ...[node("Conv", ["a", "u"], ["b"], same), node("Add", r.shuffle(["a", "b"]), ["c"]), node("Relu", ["c"], ["d"])],
    node(op, ["d"], ["e"], attributes, 19),
    node("Conv", ["e", "v"], ["y"]),
  ];
  const weight = (...shape: number[]): Tensor => r.tensor(shape, "f32", -0.5, 0.5);
  const ones = size.map(() => 1);
  const constants = {
    ...{ w: weight(channels, inputs, ...ones), u: weight(channels, channels, ...size.map(() => 3)) },
    v: weight(2, channels, ...ones),
  };
  return { graph: graphOf({ x }, nodes, ["y"], constants), inputs: { x: r.tensor(x, "f32", -1, 1) } };
}

const engines = testEngines();

describe.each(engines)("random networks on %s", (title, engine) => {
  test.each([
    ["GridSample", gridSamples],
    ["LpPool", lpPools],
    ["lines and volumes", linesAndVolumes],
  ])("with %s compute what the host's loops compute", async (_op, make) => {
    const property = fc.asyncProperty(fc.nat(), async (seed) => expectLikeTheHost(await engine, make(seed)));
    await fc.assert(property, { numRuns: title === "reference" ? 60 : 150, seed: 5 });
  });

  test("with places that are no numbers, without end, or far away", async () => {
    const numbers = [Number.NaN, Infinity, -Infinity, 3e38, -3e38, 1e10, -1e10, 1, -1, 0, 1 + 2 ** -20, -1.5, 7, -9];
    const places = numbers.flatMap((x) => numbers.map((y) => [x, y]));
    const grid = floats([1, numbers.length, numbers.length, 2], places.flat());
    const x = floats([1, 2, 3, 4], [1, 2, 3, 4, 5, 6, Infinity, 8, -1, -2, -3, -4]);
    const eye = floats([2, 2, 1, 1], [1, 0, 0, 1]);
    for (const mode of ["linear", "nearest", "cubic"])
      for (const padding_mode of ["zeros", "border", "reflection"])
        for (const align_corners of [0, 1]) {
          const one = node("GridSample", ["x", "grid"], ["a"], { mode, padding_mode, align_corners }, 20);
          const shapes = { x: x.shape, grid: grid.shape };
          const graph = graphOf(shapes, [one, node("Conv", ["a", "w"], ["y"])], ["a", "y"], { w: eye });
          await expectLikeTheHost(await engine, { graph, inputs: { x, grid } });
        }
  });
});

const samplings = ["bilinear", "nearest", "bicubic"].flatMap((mode) =>
  ["zeros", "border", "reflection"].flatMap((padding_mode) =>
    [0, 1].map((align_corners) => ({ mode, padding_mode, align_corners })),
  ),
);

test.skipIf(!runtime).each(samplings)("GridSample %j is ONNX Runtime's", async (attributes) => {
  const r = new Random(1);
  const [x, grid] = [r.tensor([2, 5, 6, 7]), r.tensor([2, 9, 8, 2], "f32", -1.7, 1.7)];
  const text = (name: "mode" | "padding_mode") =>
    attribute(name, { s: new TextEncoder().encode(attributes[name]), type: 3 } as never);
  const corners = attribute("align_corners", { i: BigInt(attributes.align_corners), type: 2n } as never);
  const bytes = model({
    nodes: [onnxNode("GridSample", ["x", "grid"], ["a"], { attribute: [text("mode"), text("padding_mode"), corners] })],
    inputs: [value("x", x.shape), value("grid", grid.shape)],
    outputs: [value("a", [2, 5, 9, 8])],
    more: { opsetImport: [{ version: 16n }] } as never,
  });
  const { a: expected } = await runRuntime(bytes, { x, grid });
  const nodes = [node("GridSample", ["x", "grid"], ["a"], attributes, 16), node("Conv", ["a", "w"], ["y"])];
  const graph = graphOf({ x: x.shape, grid: grid.shape }, nodes, ["a", "y"], { w: floats([1, 5, 1, 1]) });
  const program = await GraphProgram.create(graph, operators, inputSpecs(graph), await engines[1]![1]);
  const { a: found } = await program.run(checkInputs(graph, { x, grid }));
  program.dispose();
  expectClose(found!, expected!, 1e-4, 1);
});
