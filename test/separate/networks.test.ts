// Separating small networks of several kinds: what is folded in, added up, transposed or read once; and goals of loss and
// time. The judge of the files is ONNX Runtime, where there is one.
import { afterEach, describe, expect, type TestContext, test, vi } from "vitest";
import { infer } from "../../src/graph/infer.ts";
import { loadModel, type Model, saveModel, separateModel } from "../../src/onnx/index.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import { compareTimes, prepareGraph } from "../../src/separate/network.ts";
import { seeded } from "../../src/separate/random.ts";
import { targetsOf } from "../../src/separate/targets.ts";
import { attribute, big, model as build, node, tensor, value } from "../onnx/build.ts";
import { expectClose } from "../onnx/close.ts";
import { runRuntime, runtime, withoutRuntime } from "../onnx/runtime.ts";

// Measurements are as they are, unless a test says what they find.
vi.mock("../../src/separate/network.ts", { spy: true });
afterEach(() => void vi.mocked(compareTimes).mockReset());

const random = seeded(11);
const [channels, side] = [8, 10];

function numbers(name: string, shape: readonly number[], number: () => number = random.normal): Uint8Array {
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, number);
  return tensor(name, shape, { rawData: new Uint8Array(data.buffer) });
}

const ints = (name: string, list: number[]) => attribute(name, { ints: big(list), type: 7n });
const padded = { attribute: [ints("pads", [1, 1, 1, 1])] };
const weights = (name: string): Uint8Array =>
  numbers(name, [channels, channels, 3, 3], () => random.normal() / Math.sqrt(9 * channels));

/** A residual block with a batch norm: x + conv(relu(norm(conv(x)))). */
function block(irVersion = 8n): Uint8Array {
  const constants = ["w1", "w2", "scale", "shift", "mean", "variance"];
  const shapes = [[channels, channels, 3, 3], [channels, channels, 3, 3], ...Array(4).fill([channels])];
  return build({
    nodes: [
      node("Conv", ["x", "w1"], ["a"], padded),
      node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
      node("Relu", ["b"], ["c"]),
      node("Conv", ["c", "w2"], ["d"], padded),
      node("Add", ["d", "x"], ["y"]),
    ],
    initializers: [
      ...[weights("w1"), weights("w2")],
      ...["scale", "variance"].map((name) => numbers(name, [channels], () => 0.5 + random.uniform())),
      ...["shift", "mean"].map((name) => numbers(name, [channels])),
    ],
    // Before version 4 of the format, constants are inputs, too.
    inputs: [
      value("x", [1, channels, side, side]),
      ...(irVersion < 4n ? constants.map((name, i) => value(name, shapes[i]!)) : []),
    ],
    outputs: [value("y", [1, channels, side, side])],
    more: { irVersion },
  });
}

const input = (): { x: { shape: number[]; data: Float32Array } } => ({
  x: { shape: [1, channels, side, side], data: Float32Array.from({ length: channels * side * side }, random.normal) },
});
const calibration = Array.from({ length: 12 }, input);

/** The last that a test asks: it counts as skipped where nobody can answer. */
async function agrees(model: Model, { skip }: TestContext): Promise<void> {
  skip(!runtime, withoutRuntime);
  const one = input();
  const expected = await runRuntime(saveModel(model), one);
  expectClose((await model.run(one)).y!, expected.y!, 1e-4);
}

describe("a residual block", () => {
  test.for([3n, 8n])(
    "in version %i of the format: batch norms go into the convolutions before them",
    async (version, context) => {
      const { model, report } = await separateModel(await loadModel(block(version)), { reduce: 1.5, calibration });
      expect(report.layers.every(({ decomposition }) => decomposition)).toBe(true);
      const saved = await loadModel(saveModel(model));
      expect(saved.graph.nodes.some(({ op }) => op === "BatchNormalization")).toBe(false);
      expect(saved.graph.inputs.map(({ name }) => name)).toEqual(["x"]);
      await agrees(model, context);
    },
  );

  test("its last convolution can make up for the shortcut", async () => {
    const graph = prepareGraph((await loadModel(block())).graph);
    const specs = infer(graph, operators, new Map([["x", { dtype: "f32", shape: [1, channels, side, side] }]]));
    expect(targetsOf(graph, specs).map(({ added }) => added)).toEqual([undefined, "x"]);
  });

  test("inputs that can be read only once serve as a list does", async () => {
    const once = async function* () {
      yield* calibration;
    };
    const [original, files] = [block(), [] as Uint8Array[]];
    for (const inputs of [calibration, once()]) {
      const { model } = await separateModel(await loadModel(original), { reduce: 1.5, calibration: inputs });
      files.push(saveModel(model));
    }
    expect(files[1]).toEqual(files[0]);
  });

  test.for([
    [0.3, 3],
    [0.01, 1.1],
  ] as const)("a bound of loss of %d is kept, and used", async ([tolerance, reduction], context) => {
    const { model, report } = await separateModel(await loadModel(block()), { tolerance, calibration });
    expect(report.lossFunction).toBe("relative square error");
    expect(report.reached.met).toBe(true);
    expect(report.reached.loss).toBeLessThanOrEqual(tolerance);
    expect(report.reached.loss).toBeGreaterThan(0);
    expect(report.reached.reduction).toBeGreaterThan(reduction);
    await agrees(model, context);
  });

  test("a goal of time that measurements say is met", async () => {
    vi.mocked(compareTimes).mockImplementation(async () => ({ before: 3.9, after: 3 }));
    const { report } = await separateModel(await loadModel(block()), { speedup: 1.3, calibration });
    expect(report.layers.some(({ decomposition }) => decomposition)).toBe(true);
    expect(report.reached).toMatchObject({ milliseconds: { before: 3.9, after: 3 }, speedup: 3.9 / 3, met: true });
  });

  test("a goal of time that measurements say is out of reach is refused, with what was measured", async () => {
    vi.mocked(compareTimes).mockImplementation(async () => ({ before: 3.45, after: 3 }));
    const refused = separateModel(await loadModel(block()), { speedup: 1.3, calibration });
    await expect(refused).rejects.toThrow(
      /speedup: expected at most 1\.1[45], the best .* got 1\.3; each layer's time .* ms/,
    );
  });
});

test("a transposed convolution becomes a mix and a transposed convolution of fewer channels", async (context) => {
  const weight = numbers("w", [channels, 3, 4, 4], () => random.normal() / 12);
  const file = build({
    nodes: [
      node("ConvTranspose", ["x", "w", "b"], ["y"], {
        attribute: [ints("strides", [2, 2]), ints("pads", [1, 1, 1, 1])],
      }),
    ],
    initializers: [weight, numbers("b", [3])],
    inputs: [value("x", [1, channels, side, side])],
    outputs: [value("y", [1, 3, 2 * side, 2 * side])],
  });
  const original = await loadModel(file);
  const { model, report } = await separateModel(original, { reduce: 1.3, calibration });
  expect(report.layers.map(({ decomposition }) => decomposition)).toEqual(["narrow"]);
  expect(report.reached.loss).toBeLessThan(0.3);
  const [mix, turned] = model.graph.nodes;
  expect([mix!.op, turned!.op]).toEqual(["Conv", "ConvTranspose"]);
  expect(turned!.attributes).toEqual(original.graph.nodes[0]!.attributes);
  await agrees(model, context);
});
