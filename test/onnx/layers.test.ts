// Convolutions and matrix products of every kind against ONNX Runtime, on random shapes: all of them run on the backend,
// whether their weights are constants of the file or values of the run.
import { describe, expect, test } from "vitest";
import { explainModel, loadModel } from "../../src/onnx/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { testEngines } from "../engine/engines.ts";
import { Random } from "../random-tensors.ts";
import { attributeOf, model, node, tensor, value } from "./build.ts";
import { expectClose } from "./close.ts";
import { runRuntime, runtime } from "./runtime.ts";

const engines = testEngines();
const generated = engines.filter(([name]) => name !== "reference");

type Attributes = Record<string, number | string | readonly number[] | undefined>;

interface Layer {
  op: string;
  inputs: number[][];
  attributes?: Attributes;
}

/** A window that fits `sides` pixels, with its attributes. */
function windowed(
  r: Random,
  sides: readonly number[],
  transposed: boolean,
): { size: number[]; attributes: Attributes } {
  const size = sides.map((side) => r.int(1, transposed ? 4 : Math.min(4, side)));
  const strides = sides.map(() => r.int(1, transposed ? 5 : 3));
  const dilations = size.map((one, i) => (r.int(0, 2) || (one - 1) * 2 >= sides[i]! ? 1 : 2));
  const auto = r.int(0, 4) === 0 ? r.pick(["SAME_UPPER", "SAME_LOWER", "VALID"]) : undefined;
  const pads = [...size, ...size].map((one) => r.int(0, one - 1));
  if (!auto || transposed) return { size, attributes: { strides, dilations, pads } };
  return { size, attributes: { strides, dilations: dilations.map(() => 1), auto_pad: auto } };
}

function convolution(r: Random, rank: number): Layer {
  const sides = r.ints(rank, 1, rank === 3 ? 5 : 9);
  const groups = r.pick([1, 1, 2, 3, 8, 9]);
  const each = r.pick([1, 1, 2, 3, 4, 8]);
  const outputs = r.pick([1, 2, 3, 5, 8, 12, 18]);
  const { size, attributes } = windowed(r, sides, false);
  const weight = [groups * outputs, each, ...size];
  const inputs = [[r.int(1, 2), groups * each, ...sides], weight, ...(r.flag() ? [[weight[0]!]] : [])];
  return { op: "Conv", inputs, attributes: { ...attributes, group: groups } };
}

function transposed(r: Random, rank: number): Layer {
  const sides = r.ints(rank, 1, rank === 3 ? 3 : 5);
  const groups = r.pick([1, 1, 2, 3, 8]);
  const [each, outputs] = r.int(0, 3) === 0 ? [1, 1] : [r.pick([1, 2, 4, 9]), r.pick([1, 2, 3, 8, 17])];
  const { size, attributes } = windowed(r, sides, true);
  const { strides, dilations, pads } = attributes as Record<"strides" | "dilations" | "pads", number[]>;
  const more = strides.map((stride) => r.int(0, stride - 1));
  const result = sides.map((side, i) => {
    const full = (side - 1) * strides[i]! + (size[i]! - 1) * dilations[i]! + 1 + more[i]!;
    return full - pads[i]! - pads[i + rank]!;
  });
  if (result.some((side) => side < 1)) return transposed(r, rank);
  // ONNX Runtime takes smaller windows than strides for another result than ONNX says.
  const isDense = strides.every((stride, i) => stride <= (size[i]! - 1) * dilations[i]! + 1);
  const padding =
    isDense && r.int(0, 2) === 0 ? { auto_pad: r.pick(["SAME_UPPER", "SAME_LOWER"]) } : { pads, output_padding: more };
  const weight = [groups * each, outputs, ...size];
  const inputs = [[r.int(1, 2), groups * each, ...sides], weight, ...(r.flag() ? [[groups * outputs]] : [])];
  return { op: "ConvTranspose", inputs, attributes: Object.assign({ strides, dilations, group: groups }, padding) };
}

function product(r: Random): Layer {
  const batch = r.ints(r.int(0, 3), 1, 3);
  const [rows, inner, columns] = [r.int(1, 20), r.int(1, 20), r.pick([1, 3, 4, 7, 16, 20, 33])];
  const some = (): number[] => batch.slice(r.int(0, batch.length)).map((side) => (r.int(0, 2) ? side : 1));
  const vector = r.int(0, 9);
  const a = vector === 0 ? [inner] : [...some(), rows, inner];
  const b = vector === 1 ? [inner] : [...some(), inner, columns];
  return { op: "MatMul", inputs: [a, b] };
}

function gemm(r: Random): Layer {
  const [rows, inner, columns] = [r.int(1, 20), r.int(1, 20), r.int(1, 40)];
  const [transA, transB] = [r.flag(), r.flag()];
  const a = transA ? [inner, rows] : [rows, inner];
  const b = transB ? [columns, inner] : [inner, columns];
  const c = r.pick([[], [1], [columns], [1, columns], [rows, 1], [rows, columns], [1, 1]]);
  const attributes = { transA, transB, alpha: r.pick([1, 0.5]), beta: r.pick([1, -2]) };
  return { op: "Gemm", inputs: [a, b, ...(r.int(0, 3) ? [c] : [])], attributes };
}

const kinds: Record<string, (r: Random) => Layer> = {
  "Conv of lists": (r) => convolution(r, 1),
  "Conv of pictures": (r) => convolution(r, 2),
  "Conv of volumes": (r) => convolution(r, 3),
  "ConvTranspose of lists": (r) => transposed(r, 1),
  "ConvTranspose of pictures": (r) => transposed(r, 2),
  "ConvTranspose of volumes": (r) => transposed(r, 3),
  MatMul: product,
  Gemm: gemm,
};

const attributesOf = (attributes: Attributes) =>
  Object.entries(attributes).flatMap(([name, given]) => (given === undefined ? [] : attributeOf([name, given])));

/** A model of one layer: of its inputs, those in `constants` are the file's, the others the run's. */
function modelOf({ op, inputs, attributes = {} }: Layer, constants: readonly number[], r: Random) {
  const tensors = inputs.map((shape, i): [string, Tensor] => [`x${i}`, r.tensor(shape, "f32", -1, 1)]);
  const held = tensors.filter((_, i) => constants.includes(i));
  const given = tensors.filter((_, i) => !constants.includes(i));
  const bytes = model({
    nodes: [
      node(
        op,
        tensors.map(([name]) => name),
        ["y"],
        { attribute: attributesOf(attributes) },
      ),
    ],
    initializers: held.map(([name, { shape, data }]) =>
      tensor(name, shape, { rawData: new Uint8Array((data as Float32Array).buffer) }),
    ),
    inputs: given.map(([name, { shape }]) => value(name, shape)),
    outputs: [{ name: "y" }],
  });
  return { bytes, inputs: Object.fromEntries(given) };
}

const seeds = Array.from({ length: Number(process.env.RANK1_SEEDS ?? 24) }, (_, seed) => seed);

describe.skipIf(!runtime)("layers compute what ONNX Runtime computes (skipped where that does not load)", () => {
  test.each(Object.entries(kinds))("%s", { timeout: 60_000 }, async (_title, make) => {
    for (const seed of seeds) {
      const r = new Random(seed);
      const layer = make(r);
      const constants = r.pick([[1, 2], [1, 2], [], [1], [2], ...(layer.op === "MatMul" ? [[0]] : [])]);
      const { bytes, inputs } = modelOf(layer, constants, r);
      const said = `${seed}: ${JSON.stringify({ ...layer, constants })}`;
      const expected = await runRuntime(bytes, inputs).catch((error) => expect.fail(`${said}: ${error}`));
      for (const [title, engine] of seed % 4 === 0 ? engines : generated) {
        const loaded = await loadModel(bytes, { engine: await engine });
        const { partitions } = await explainModel(loaded);
        const tasks = partitions.flatMap((partition) => partition.tasks);
        const onHost = tasks.filter(({ place }) => place === "host").map(({ op }) => op);
        // What scales a C that no kernel has computed may stand before the backend's partition.
        expect(
          onHost.filter((op) => op !== "Mul" || layer.op !== "Gemm"),
          said,
        ).toEqual([]);
        // Twice: nothing of a run may be left for the next.
        for (let run = 0; run < 2; run++) {
          const found = await loaded.run(inputs).catch((error) => expect.fail(`${title}, ${said}: ${error.stack}`));
          try {
            expectClose(found.y!, expected.y!, 1e-5, 1);
          } catch (error) {
            expect.fail(`${title}, ${said}: ${error}`);
          }
        }
        loaded.dispose();
      }
    }
  });
});

describe.each(engines)("an infinite number in one group on %s", (_title, engine) => {
  test.each(["Conv", "ConvTranspose"])("changes no other group's results: %s", async (op) => {
    for (const [groups, each, outputs] of [
      [2, 1, 1],
      [4, 1, 2],
      [3, 3, 5],
      [2, 8, 8],
      [8, 2, 1],
    ] as const) {
      // biome-ignore format: a list
      const r = new Random(groups);
      const weight = op === "Conv" ? [groups * outputs, each, 3, 3] : [groups * each, outputs, 3, 3];
      const layer = {
        op,
        inputs: [[1, groups * each, 5, 6], weight],
        attributes: { group: groups, pads: [1, 1, 1, 1] },
      };
      const { bytes, inputs } = modelOf(layer, [1], r);
      const loaded = await loadModel(bytes, { engine: await engine });
      const before = (await loaded.run(inputs)).y!.data as Float32Array;
      const x = (inputs.x0!.data as Float32Array).slice();
      x.fill(Infinity, 30 * each, 60 * each);
      const after = (await loaded.run({ x0: { ...inputs.x0!, data: x } })).y!.data as Float32Array;
      const own = 30 * outputs;
      expect(after.subarray(0, own)).toEqual(before.subarray(0, own));
      expect(after.subarray(2 * own)).toEqual(before.subarray(2 * own));
      expect(after.subarray(own, 2 * own).every(Number.isFinite)).toBe(false);
      loaded.dispose();
    }
  });
});
