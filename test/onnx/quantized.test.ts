// Quantised operators against ONNX Runtime's: as the file says, after the pass that writes them in floats, and on engines.
// Convolutions and products to the bit; others at most one step off, and seldom.
import { describe, expect, test } from "vitest";
import { runGraph } from "../../src/graph/evaluate.ts";
import { explainModel, loadModel } from "../../src/onnx/index.ts";
import type { AttributeProto, NodeProto } from "../../src/onnx/schema.ts";
import type { Tensor, TypedArray } from "../../src/tensor.ts";
import { testEngines } from "../engine/engines.ts";
import { random } from "../oracle.ts";
import { attribute, big, model, node, tensor, value } from "./build.ts";
import { runRuntime, runtime } from "./runtime.ts";

const engines = testEngines();

type Kind = "f32" | "u8" | "i8" | "i32" | "u16" | "i16";
const codes: Record<Kind, number> = { f32: 1, u8: 2, i8: 3, u16: 4, i16: 5, i32: 6 };
const arrays = {
  ...{ f32: Float32Array, u8: Uint8Array, i8: Int8Array, u16: Uint16Array, i16: Int16Array, i32: Int32Array },
};
const arrayOf = (kind: Kind, data: ArrayLike<number>): TypedArray => arrays[kind].from(data);
const ranges: Record<Exclude<Kind, "f32">, readonly [number, number]> = {
  ...{ u8: [0, 255], i8: [-128, 127], u16: [0, 65535], i16: [-32768, 32767], i32: [-5000, 5000] },
};

/** One network, built step by step. */
class Build {
  readonly next: () => number;
  readonly nodes: Uint8Array[] = [];
  readonly initializers: Uint8Array[] = [];
  readonly inputs: { name: string; shape: number[]; kind: Kind }[] = [];
  private count = 0;

  constructor(seed: number) {
    this.next = random(seed);
  }

  input(shape: number[], kind: Kind = "f32"): string {
    const name = `x${this.count++}`;
    this.inputs.push({ name, shape, kind });
    return name;
  }

  constant(kind: Kind, shape: number[], data: ArrayLike<number>): string {
    const name = `c${this.count++}`;
    const rawData = new Uint8Array(arrayOf(kind, data).buffer as ArrayBuffer);
    this.initializers.push(tensor(name, shape, { dataType: BigInt(codes[kind]), rawData }));
    return name;
  }

  random(kind: Kind, shape: number[]): string {
    const length = shape.reduce((a, b) => a * b, 1);
    return this.constant(kind, shape, numbers(this.next, kind, length));
  }

  /** A scale, or one for each of some slices, and zero points. */
  step(kind: Exclude<Kind, "f32">, scale: number, slices = 0, centre = false): [string, string] {
    const shape = slices ? [slices] : [];
    const [low, high] = ranges[kind];
    const zeros = (): number => (centre ? 0 : Math.round((low + high) / 2 + (high - low) * 0.2 * (this.next() - 0.5)));
    const each = { length: slices || 1 };
    return [
      this.constant(
        "f32",
        shape,
        Array.from(each, () => scale * (0.5 + this.next())),
      ),
      this.constant(kind, shape, Array.from(each, zeros)),
    ];
  }

  node(op: string, inputs: string[], attributes: Record<string, number | number[] | string> = {}, more = {}): string {
    const output = `v${this.count++}`;
    const attribute_ = Object.entries(attributes).map(([name, given]): AttributeProto => {
      if (typeof given === "string") return attribute(name, { s: new TextEncoder().encode(given), type: 3n });
      if (Array.isArray(given)) return attribute(name, { ints: big(given), type: 7n });
      return Number.isInteger(given) && name !== "alpha"
        ? attribute(name, { i: BigInt(given), type: 2n })
        : attribute(name, { f: given, type: 1n });
    });
    this.nodes.push(node(op, inputs, [output, ...more_(more)], { attribute: attribute_, ...proto(more) }));
    return output;
  }

  own(op: string, inputs: string[], attributes: Record<string, number | number[] | string> = {}): string {
    return this.node(op, inputs, attributes, { domain: "com.microsoft" });
  }

  file(outputs: Record<string, Kind>): Uint8Array {
    return model({
      nodes: this.nodes,
      initializers: this.initializers,
      inputs: this.inputs.map(({ name, shape, kind }) => value(name, shape, codes[kind])),
      outputs: Object.entries(outputs).map(([name, kind]) => ({
        ...value(name, [], codes[kind]),
        type: { tensorType: { elemType: BigInt(codes[kind]) } },
      })),
      more: { opsetImport: [{ version: 17n }, { domain: "com.microsoft", version: 1n }] },
    });
  }
}

const more_ = ({ also = [] }: { also?: string[] }): string[] => also;
const proto = ({ also: _, ...rest }: Partial<NodeProto> & { also?: string[] }): Partial<NodeProto> => rest;

function numbers(next: () => number, kind: Kind, length: number): number[] {
  if (kind === "f32") return Array.from({ length }, () => 4 * next() - 2);
  const [low, high] = ranges[kind];
  return Array.from({ length }, () => Math.floor(low + next() * (high - low + 1)));
}

interface Network {
  /** The outputs, with their types. */
  outputs: Record<string, Kind>;
  /** Steps that a few elements may be off; 0 where all must be equal. */
  off?: number;
}

type Small = "u8" | "i8";

/** A quantised convolution of these types. */
function conv(b: Build, x: Small, w: Small, attributes: object, size: number[], shape: number[], perChannel: boolean) {
  const outputs = size[0]!;
  const y = b.node(
    "QLinearConv",
    [
      ...[b.input(shape, x), ...b.step(x, 0.02), b.random(w, size)],
      ...[...b.step(w, 0.01, perChannel ? outputs : 0, w === "i8"), ...b.step(x, 1), b.random("i32", [outputs])],
    ],
    attributes as Record<string, number>,
  );
  return { outputs: { [y]: x } };
}

const networks: Record<string, (b: Build) => Network> = {
  ...Object.fromEntries(
    ["u8", "i8"].flatMap((x) =>
      // ONNX Runtime has none of i8 by u8.
      (x === "u8" ? ["u8", "i8"] : ["i8"]).flatMap((w) => [
        [
          `QLinearConv 3 x 3 of ${x} by ${w}`,
          (b: Build) =>
            conv(b, x as Small, w as Small, { pads: [1, 1, 1, 1] }, [13, 5, 3, 3], [2, 5, 9, 7], w === "i8"),
        ],
        [
          `QLinearConv depthwise of ${x} by ${w}`,
          (b: Build) =>
            conv(b, x as Small, w as Small, { group: 6, strides: [2, 2] }, [6, 1, 3, 3], [1, 6, 9, 8], w === "i8"),
        ],
      ]),
    ),
  ),
  "QLinearConv of groups": (b) => conv(b, "u8", "i8", { group: 2 }, [6, 4, 1, 1], [1, 8, 4, 5], true),
  "QLinearConv, deep": (b) => conv(b, "u8", "i8", { pads: [1, 1, 1, 1] }, [8, 160, 3, 3], [1, 160, 4, 5], true),
  "QLinearConv of one axis": (b) => conv(b, "u8", "i8", { pads: [1, 1] }, [4, 3, 3], [2, 3, 9], true),
  "QLinearMatMul of columns": (b) => {
    const inputs = [b.input([2, 3, 20], "u8"), ...b.step("u8", 0.02), b.random("i8", [20, 11])];
    const y = b.node("QLinearMatMul", [...inputs, ...b.step("i8", 0.02, 11, true), ...b.step("u8", 1)]);
    return { outputs: { [y]: "u8" } };
  },
  ...Object.fromEntries(
    (["u8", "i8"] as const).map((kind) => [
      `QLinearMatMul of two of ${kind} that are computed`,
      (b: Build) => {
        const inputs = [
          [1, 3, 7, 24],
          [2, 1, 24, 9],
        ].flatMap((shape) => [b.input(shape, kind), ...b.step(kind, 0.02)]);
        const y = b.node("QLinearMatMul", [...inputs, ...b.step(kind, 0.4)]);
        const long = [
          [5, 600],
          [600, 3],
        ].flatMap((shape) => [b.input(shape, kind), ...b.step(kind, 0.02)]);
        const z = b.node("QLinearMatMul", [...long, ...b.step(kind, 1)]);
        return { outputs: { [y]: kind, [z]: kind } };
      },
    ]),
  ),
  "QLinearMatMul of a constant stack": (b) => {
    const inputs = [b.input([2, 4, 20], "u8"), ...b.step("u8", 0.02), b.random("i8", [2, 20, 5])];
    const y = b.node("QLinearMatMul", [...inputs, ...b.step("i8", 0.02, 0, true), ...b.step("u8", 1)]);
    return { outputs: { [y]: "u8" } };
  },
  "attention of u8": (b) => {
    const [q, k, v] = [0, 1, 2].map((): [string, string, string] => [
      b.input([1, 2, 9, 16], "u8"),
      ...b.step("u8", 0.02),
    ]);
    const turned = [b.node("Transpose", [k![0]], { perm: [0, 1, 3, 2] }), ...k!.slice(1)];
    const products = b.step("u8", 0.5);
    const scores = b.node("QLinearMatMul", [...q!, ...turned, ...products]);
    const shares = [b.constant("f32", [], [1 / 256]), b.constant("u8", [], [0])];
    const soft = b.own("QLinearSoftmax", [scores, ...products, ...shares], { axis: -1, opset: 13 });
    const y = b.node("QLinearMatMul", [soft, ...shares, ...v!, ...b.step("u8", 0.02)]);
    return { outputs: { [y]: "u8" }, off: 2 };
  },
  "products of two between nodes that dequantise and quantise": (b) => {
    const values = [
      [1, 2, 9, 16],
      [1, 2, 16, 7],
    ].map((shape) => {
      const step = b.step("u8", 0.02);
      return b.node("DequantizeLinear", [b.node("QuantizeLinear", [b.input(shape), ...step]), ...step]);
    });
    const step = b.step("u8", 0.3);
    const y = b.node("DequantizeLinear", [b.node("QuantizeLinear", [b.node("MatMul", values), ...step]), ...step]);
    return { outputs: { [y]: "f32" } };
  },
  "MatMulInteger of two that are computed": (b) => {
    const y = b.node("MatMulInteger", [b.input([4, 30], "u8"), b.input([30, 6], "u8"), b.step("u8", 1)[1]]);
    return { outputs: { [y]: "i32" } };
  },
  QGemm: (b) => {
    const inputs = [b.input([3, 20], "u8"), ...b.step("u8", 0.02), b.random("i8", [7, 20])];
    const y = b.own("QGemm", [...inputs, ...b.step("i8", 0.02, 7, true), b.random("i32", [7]), ...b.step("u8", 1)], {
      ...{ transB: 1, alpha: 1 },
    });
    return { outputs: { [y]: "u8" } };
  },
  "QGemm to floats": (b) => {
    const inputs = [b.input([3, 20], "u8"), ...b.step("u8", 0.02), b.random("i8", [20, 7])];
    const y = b.own("QGemm", [...inputs, ...b.step("i8", 0.02, 0, true), b.random("i32", [7])], { alpha: 1 });
    return { outputs: { [y]: "f32" } };
  },
  ...Object.fromEntries(
    ["QLinearAdd", "QLinearMul"].map((op) => [
      op,
      (b: Build): Network => {
        const x = [b.input([2, 5, 6, 7], "u8"), ...b.step("u8", 0.02)];
        const y = b.own(op, [...x, b.input([2, 5, 6, 7], "u8"), ...b.step("u8", 0.03), ...b.step("u8", 0.05)]);
        const z = b.own(op, [...x, b.random("u8", [7]), ...b.step("u8", 0.03), ...b.step("u8", 0.05)]);
        return { outputs: { [y]: "u8", [z]: "u8" }, off: 1 };
      },
    ]),
  ),
  "functions of one": (b) => {
    const x = [b.input([1, 4, 6, 7], "u8"), ...b.step("u8", 0.03)];
    const all = [
      b.own("QLinearLeakyRelu", [...x, ...b.step("u8", 0.03)], { alpha: 0.1 }),
      b.own("QLinearSigmoid", [...x, b.constant("f32", [], [1 / 256]), b.constant("u8", [], [0])]),
      b.own("QLinearGlobalAveragePool", [...x, ...b.step("u8", 0.03)], { channels_last: 0 }),
      b.own("QLinearAveragePool", [...x, ...b.step("u8", 0.03)], { kernel_shape: [2, 3], strides: [2, 1] }),
      b.own("QLinearSoftmax", [...x, b.constant("f32", [], [1 / 256]), b.constant("u8", [], [0])], {
        ...{ axis: 3, opset: 13 },
      }),
    ];
    return { outputs: Object.fromEntries(all.map((name) => [name, "u8"])), off: 1 };
  },
  QLinearConcat: (b) => {
    const parts = [2, 3].flatMap((count) => [b.input([1, count, 4, 5], "u8"), ...b.step("u8", 0.02)]);
    const y = b.own("QLinearConcat", [...b.step("u8", 0.03), ...parts], { axis: 1 });
    return { outputs: { [y]: "u8" }, off: 1 };
  },
  "quantised to 16 bits": (b) => {
    const x = b.input([2, 9]);
    const [step, other] = [b.step("u16", 1e-4), b.step("i16", 1e-4)];
    const y = b.own("QuantizeLinear", [x, ...step]);
    return {
      outputs: {
        ...{ [y]: "u16", [b.own("DequantizeLinear", [y, ...step])]: "f32" },
        [b.own("QuantizeLinear", [x, ...other])]: "i16",
      },
    };
  },
  "between nodes that dequantise and quantise": (b) => {
    const [first, second, third] = [b.step("u8", 0.02), b.step("u8", 0.5), b.step("u8", 0.5)];
    const quantized = (x: string, step: string[]): string =>
      b.node("DequantizeLinear", [b.node("QuantizeLinear", [x, ...step]), ...step]);
    const layer = (x: string, step: readonly string[], size: number[], pads: number): string => {
      const scale = b.next() * 0.01 + 0.01;
      const of = [b.constant("f32", [], [scale]), b.constant("i8", [], [0])];
      const weight = b.node("DequantizeLinear", [b.random("i8", size), ...of]);
      const known = step[0]!;
      const bias = b.node("DequantizeLinear", [
        ...[b.random("i32", [size[0]!]), b.constant("f32", [], [Math.fround(scales.get(known)! * Math.fround(scale))])],
        b.constant("i32", [], [0]),
      ]);
      return b.node("Conv", [x, weight, bias], { pads: [pads, pads, pads, pads] });
    };
    const scales = new Map<string, number>();
    const constant = (step: [string, string], scale: number): [string, string] => {
      const name = b.constant("f32", [], [scale]);
      scales.set(name, Math.fround(scale));
      return [name, step[1]];
    };
    const [a, c, d] = [constant(first, 0.02), constant(second, 0.5), constant(third, 0.5)];
    const x = quantized(b.input([1, 6, 8, 9]), a);
    const h = quantized(b.node("Relu", [layer(x, a, [10, 6, 3, 3], 1)]), c);
    const pooled = quantized(b.node("MaxPool", [h], { kernel_shape: [2, 2], strides: [1, 1], pads: [0, 0, 1, 1] }), c);
    const g = quantized(layer(pooled, c, [10, 10, 1, 1], 0), d);
    const sum = quantized(b.node("Add", [h, g]), d);
    return { outputs: { [sum]: "f32" }, off: 1 };
  },
  "by the range of its values": (b) => {
    const x = b.input([1, 6, 8, 9]);
    const [scale, zero] = ["scale", "zero"];
    const q = b.node("DynamicQuantizeLinear", [x], {}, { also: [scale, zero] });
    const sum = b.node("ConvInteger", [q, b.random("i8", [9, 6, 3, 3]), zero, b.constant("i8", [], [0])], {
      pads: [1, 1, 1, 1],
    });
    const by = b.node("Mul", [scale, b.constant("f32", [], [0.01])]);
    const real = b.node("Mul", [b.node("Cast", [sum], { to: 1 }), by]);
    return { outputs: { [b.node("Add", [real, b.random("f32", [1, 9, 1, 1])])]: "f32", [q]: "u8", [zero]: "u8" } };
  },
  "products of floats by ONNX Runtime's own": (b) => {
    const x = b.input([5, 24]);
    const w = [b.random("i8", [24, 9]), b.random("f32", [9]), b.constant("i8", [9], Array(9).fill(0))];
    const y = b.own("DynamicQuantizeMatMul", [x, w[0]!, b.constant("f32", [1], [0.02]), b.constant("i8", [1], [0])]);
    const z = b.own("MatMulIntegerToFloat", [
      ...[b.input([5, 24], "u8"), w[0]!, b.constant("f32", [], [0.01]), b.constant("f32", [], [0.03])],
      ...[b.constant("u8", [], [121]), b.constant("i8", [], [0]), b.random("f32", [9])],
    ]);
    return { outputs: { [y]: "f32", [z]: "f32" } };
  },
};

describe.skipIf(!runtime)("quantised operators, as ONNX Runtime has them", () => {
  test.each(Object.entries(networks))("%s", async (_name, network) => {
    for (const seed of [1, 2, 3]) {
      const b = new Build(seed);
      const { outputs, off = 0 } = network(b);
      const bytes = b.file(outputs);
      const inputs = Object.fromEntries(
        b.inputs.map(({ name, shape, kind }): [string, Tensor] => {
          const length = shape.reduce((p, side) => p * side, 1);
          return [name, { shape, data: arrayOf(kind, numbers(b.next, kind, length)) }];
        }),
      );
      const expected = await runRuntime(bytes, inputs, "all");
      const judge = (title: string, found: Record<string, Tensor>): void => {
        for (const [name, one] of Object.entries(expected)) check(`${title}, ${name}`, found[name]!, one, off);
      };
      const plain = await loadModel(bytes);
      judge("the operators", runGraph(plain.graph, plain.operators, inputs));
      for (const [title, engine] of engines) {
        const loaded = await loadModel(bytes, { engine: await engine });
        judge(title, await loaded.run(inputs));
        loaded.dispose();
      }
    }
  });
});

/** Integers equal or few a step off; floats equal but for the rounding of a scale and a bias, and for such steps. */
function check(title: string, found: Tensor, expected: Tensor, off: number): void {
  expect(found.shape, title).toEqual(expected.shape);
  expect(found.data.constructor, title).toBe(expected.data.constructor);
  const [a, e] = [Array.from(found.data, Number), Array.from(expected.data, Number)];
  const most = e.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const isFloat = expected.data instanceof Float32Array;
  const allowed = isFloat ? 4e-7 * most : 0;
  const wrong = a.filter((v, i) => Math.abs(v - e[i]!) > allowed);
  const far = a.filter((v, i) => Math.abs(v - e[i]!) > (isFloat ? 0.51 : 1));
  if (off) expect(far, title).toEqual([]);
  expect(wrong.length, `${title}: ${wrong.length} of ${a.length} differ`).toBeLessThanOrEqual(
    off * Math.max(1, a.length / 500),
  );
}

describe("the option", () => {
  test("is one of two", async () => {
    await expect(loadModel(new Uint8Array(1), { quantized: "half" as never })).rejects.toThrow(
      /^quantized: expected one of integer, float/,
    );
  });

  test('"float" gives nearly the same', async () => {
    const b = new Build(5);
    const { outputs } = networks["between nodes that dequantise and quantise"]!(b);
    const bytes = b.file(outputs);
    const { name, shape } = b.inputs[0]!;
    const x = { shape, data: Float32Array.from(numbers(b.next, "f32", 432)) };
    const results: Tensor[] = [];
    for (const quantized of ["integer", "float"] as const) {
      const loaded = await loadModel(bytes, { engine: await engines[1]![1], quantized });
      results.push(Object.values(await loaded.run({ [name]: x }))[0]!);
      loaded.dispose();
    }
    const [a, c] = results.map(({ data }) => data as Float32Array);
    const most = a!.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    expect(a!.every((v, i) => Math.abs(v - c![i]!) < 0.05 * most)).toBe(true);
    expect(a).not.toEqual(c);
  });
});

test("products of computed values, and what is between, run on the backend", async () => {
  const b = new Build(1);
  const { outputs } = networks["attention of u8"]!(b);
  const loaded = await loadModel(b.file(outputs), { engine: await engines[1]![1] });
  const { partitions } = await explainModel(loaded);
  const tasks = partitions.flatMap((partition) => partition.tasks);
  const placed = (op: string): string[] => tasks.filter((task) => task.op === op).map(({ place }) => place);
  expect(new Set([...placed("MatMul"), ...placed("Softmax"), ...placed("Requantize")])).toEqual(new Set(["backend"]));
  expect(placed("QLinearMatMul")).toEqual([]);
  loaded.dispose();
});
