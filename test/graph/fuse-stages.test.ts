// Fused stages give the bits of stages that are not, on random networks, one thread and several, strips of any height; and what is
// fused, and what is not.
import { describe, expect, test } from "vitest";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { type BackendPartition, compile } from "../../src/graph/compile.ts";
import { fuseStages } from "../../src/graph/fuse-stages.ts";
import { infer, inputSpecs } from "../../src/graph/infer.ts";
import { optimize } from "../../src/graph/passes/index.ts";
import { sidesIn } from "../../src/graph/places.ts";
import type { Graph } from "../../src/graph/types.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { testEngines } from "../engine/engines.ts";
import { Random } from "../random-tensors.ts";
import { floats, graphOf, node } from "./graphs.ts";
import { randomNetwork } from "./random.ts";

const mode = { relaxed: true, wide: false };
const backends = [1, 3].map((threads) => new WasmBackend({ threads, always: true, maxMemory: 2 ** 28, mode, memories: true })); // biome-ignore format: a line

/** The partitions of a network, with stages as they are lowered or fused. */
async function partitionsOf(graph: Graph, fuse: typeof fuseStages): Promise<BackendPartition[]> {
  const inputs = inputSpecs(graph);
  const optimised = optimize(graph, operators, inputs);
  const specs = infer(optimised, operators, inputs);
  const all = compile(optimised, operators, specs, await testEngines()[1]![1], fuse);
  return all.filter((one) => one.kind === "backend");
}

const apart: typeof fuseStages = (tasks, buffers) => ({ tasks: [...tasks], buffers: [...buffers] });

/** What the first partition leaves, where it reads the network's input alone. */
async function resultsOf(partition: BackendPartition, graph: Graph, backend: WasmBackend, rows?: number) {
  const specs = infer(graph, operators, inputSpecs(graph));
  backend.stripRows = rows;
  const program = await backend.compile({ ...partition.plan, cost: { time: Infinity } }, partition.weights);
  const bind = ({ name, order }: { name: string; order: "plain" | "channels last" }, data: Float32Array) => {
    const [images, height, width, channels] = sidesIn(specs.get(name)!.shape, order)!;
    return {
      kind: "tensor",
      format: order === "plain" ? "NHWC" : "NCHW",
      images,
      height,
      width,
      channels,
      data,
    } as const;
  };
  const size = (name: string): number => specs.get(name)!.shape.reduce((a, b) => a * b, 1);
  const r = new Random(5);
  const reads = partition.reads.map((held) => [held.id, bind(held, r.tensor(specs.get(held.name)!.shape).data as Float32Array)] as const); // biome-ignore format: a line
  const writes = partition.writes.map((held) => [held.id, bind(held, new Float32Array(size(held.name)))] as const);
  await program.run(reads, writes);
  program.dispose();
  return new Map(writes.map(([id, { data }]) => [id, Buffer.from(data.buffer).toString("base64")]));
}

const chain = (height: number, more: Parameters<typeof node>[] = [], outputs = ["y"]): Graph => {
  const nodes = [
    node("Conv", ["x", "w"], ["a"], { pads: [1, 1, 1, 1] }),
    ...[node("Sigmoid", ["a"], ["b"]), node("Mul", ["b", "two"], ["c"]), node("Add", ["c", "b2"], ["y"])],
    ...more.map((args) => node(...args)),
  ];
  const r = new Random(1);
  const constants = { w: r.tensor([8, 8, 3, 3]), two: floats([], [2]), b2: r.tensor([8, 1, 1]) };
  return graphOf({ x: [1, 8, height, 6] }, nodes, outputs, constants);
};

describe("stages", () => {
  test("of random networks compute the same bits fused", async () => {
    let fewer = 0;
    for (let seed = 0; seed < 120; seed++) {
      const graph = randomNetwork(seed);
      const [plain, fused] = [await partitionsOf(graph, apart), await partitionsOf(graph, fuseStages)];
      if (plain.length !== 1 || plain[0]!.reads.some(({ name }) => name !== "x")) continue;
      const expected = await resultsOf(plain[0]!, graph, backends[0]!);
      for (const backend of backends)
        for (const rows of [undefined, 1, 2, 5])
          expect(await resultsOf(fused[0]!, graph, backend, rows), `seed ${seed}`).toEqual(expected);
      if (fused[0]!.plan.stages.length < plain[0]!.plan.stages.length) fewer++;
    }
    expect(fewer).toBeGreaterThan(5);
  });

  test("of a convolution and a chain are one", async () => {
    const graph = chain(16);
    const [fused] = await partitionsOf(graph, fuseStages);
    expect(fused!.plan.stages).toHaveLength(1);
    const [plain] = await partitionsOf(graph, apart);
    for (const rows of [undefined, 1, 3])
      expect(await resultsOf(fused!, graph, backends[1]!, rows)).toEqual(await resultsOf(plain!, graph, backends[0]!));
  });

  test.each<[string, Graph]>([
    ["that someone else reads", chain(16, [["Relu", ["c"], ["z"]]], ["y", "z"])],
    ["that are results", chain(16, [], ["y", "c"])],
  ])("values %s stay whole", async (_title, graph) => {
    const [fused] = await partitionsOf(graph, fuseStages);
    const c = fused!.plan.buffers.find(({ id }) => id === "c");
    expect(c?.scope).toBe("arena");
  });

  test("an expression goes before the convolution that reads it", async () => {
    const nodes = [
      node("MaxPool", ["x"], ["p"], { kernel_shape: [1, 1] }),
      ...[node("Conv", ["p", "w"], ["b"]), node("Mul", ["p", "p"], ["s"]), node("Tanh", ["s"], ["t"])],
      ...[node("Conv", ["t", "w"], ["c"]), node("Conv", ["b", "w"], ["d"]), node("Add", ["c", "d"], ["y"])],
    ];
    const graph = graphOf({ x: [2, 8, 16, 5] }, nodes, ["y"], { w: new Random(3).tensor([8, 8, 1, 1]) });
    const [fused, plain] = [await partitionsOf(graph, fuseStages), await partitionsOf(graph, apart)];
    expect(fused[0]!.plan.stages.length).toBeLessThan(plain[0]!.plan.stages.length);
    expect(fused[0]!.plan.stages.some(({ steps }) => steps.map(({ kernel }) => kernel.family).join() === "expression,conv")).toBe(true); // biome-ignore format: a line
    expect(await resultsOf(fused[0]!, graph, backends[1]!, 2)).toEqual(await resultsOf(plain[0]!, graph, backends[0]!));
  });
});
