// Networks on the host: what goes in is checked by name, shape and type; what comes out is the caller's own.
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError, LimitError, UnsupportedError, UnsupportedOpError } from "../../src/errors.ts";
import { runGraph, withInputShapes } from "../../src/graph/evaluate.ts";
import { infer, inputSpecs } from "../../src/graph/infer.ts";
import type { Operator, Operators } from "../../src/graph/types.ts";
import { operators } from "../../src/onnx/ops/index.ts";
import type { Tensor } from "../../src/tensor.ts";
import { floats, graphOf, integers, node } from "./graphs.ts";

const sum = graphOf({ a: ["N", 2], b: ["N", 2] }, [node("Add", ["a", "b"], ["y"])], ["y"]);

describe("inputs", () => {
  const good = { a: floats([3, 2]), b: floats([3, 2]) };

  test("that fit are only read, and may have any size where the network leaves it open", () => {
    expect(runGraph(sum, operators, good)).toEqual({ y: { dtype: "f32", ...floats([3, 2], [0, 2, 4, 6, 8, 10]) } });
    expect(good.a).toEqual(floats([3, 2]));
    expect(runGraph(sum, operators, { a: floats([0, 2]), b: floats([0, 2]) }).y!.shape).toEqual([0, 2]);
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["missing", { a: good.a }, 'input "b": expected a tensor of f32 [N, 2], got none; b is missing in inputs'],
    ["missing, all of them", {}, 'input "a": expected a tensor of f32 [N, 2], got none; a, b are missing in inputs'],
    ["extra", { ...good, bb: good.a }, 'inputs key: expected one of a, b, got "bb"; did you mean "b"?'],
    ["inherited", { ...good, toString: good.a }, 'inputs key: expected one of a, b, got "toString"'],
    ["of another rank", { ...good, b: floats([6]) }, 'input "b": expected a tensor of f32 [N, 2], got [6]'],
    ["of another side", { ...good, b: floats([3, 1]) }, 'input "b": expected a tensor of f32 [N, 2], got [3, 1]'],
    [
      "of two sides of one name",
      { ...good, b: floats([4, 2]) },
      'input "b": expected a tensor of f32 [N, 2], got [4, 2]',
    ],
    [
      "of another type",
      { ...good, b: { shape: [3, 2], data: new Int32Array(6) } },
      'input "b": expected a tensor of f32 [N, 2], got Int32Array(6); Float32Array.from(data) makes one of it',
    ],
    [
      "that contradict themselves",
      { ...good, b: { shape: [3, 2], data: new Float32Array(6), dtype: "u8" } },
      'input "b": expected a tensor of f32 [N, 2], got Float32Array(6) of u8',
    ],
    [
      "with too few elements",
      { ...good, b: { shape: [3, 2], data: new Float32Array(5) } },
      'input "b": expected a tensor of f32 [N, 2], got 5 elements for [3, 2]',
    ],
    [
      "with a shape that is none",
      { ...good, b: { shape: [3, -2], data: new Float32Array(6) } },
      'input "b": expected a tensor of f32 [N, 2], got the shape [3, -2]',
    ],
    ["that are no tensors", { ...good, b: [1, 2] }, 'input "b": expected a tensor of f32 [N, 2], got [1, 2]'],
    ["that are a list", [1] as unknown as Record<string, unknown>, "inputs: expected an object of options, got [1]"],
    ["that are nothing", { ...good, b: null }, 'input "b": expected a tensor of f32 [N, 2], got null'],
  ])("%s", (_title, inputs, message) => {
    const run = (): unknown => runGraph(sum, operators, inputs as Record<string, Tensor>);
    expect(run).toThrow(InvalidArgumentError);
    expect(run).toThrow(message);
  });

  test("of half floats are f32, bytes may be clamped, booleans are bytes that say so", () => {
    const graph = { ...graphOf({}, [node("Not", ["flag"], ["y"])], ["y", "half", "byte"]), inputs: [
      ...[{ name: "flag", dtype: "bool" as const }, { name: "half", dtype: "f16" as const }, { name: "byte", dtype: "u8" as const }],
    ] }; // biome-ignore format: a list
    const flag: Tensor = { shape: [2], data: new Uint8Array([0, 1]), dtype: "bool" };
    const byte = { shape: [1], data: new Uint8ClampedArray([7]) };
    const found = runGraph(graph, operators, { flag, byte, half: floats([1]) });
    expect(found.y).toEqual({ ...flag, data: new Uint8Array([1, 0]) });
    expect([found.half!.dtype, found.byte!.dtype]).toEqual(["f32", "u8"]);
    expect(() => runGraph(graph, operators, { flag: byte, byte, half: floats([1]) })).toThrow(
      'input "flag": expected a tensor of bool',
    );
  });

  test("of other shapes than the file names, where the caller says so", () => {
    const fixed = graphOf({ x: [1, 4] }, [node("Relu", ["x"], ["y"])], ["y"]);
    expect(() => runGraph(fixed, operators, { x: floats([1, 9]) })).toThrow(InvalidArgumentError);
    expect(runGraph(withInputShapes(fixed, { x: [1, "n"] }), operators, { x: floats([1, 9]) }).y!.shape).toEqual([
      1, 9,
    ]);
  });
});

describe("outputs", () => {
  test("are fresh: never an input, a constant, or one array twice", () => {
    const w = floats([2]);
    const nodes = [node("Identity", ["x"], ["a"]), node("Relu", ["x"], ["b"]), node("Identity", ["b"], ["c"])];
    const graph = graphOf({ x: [2] }, nodes, ["a", "b", "c", "w", "x"], { w });
    const x = floats([2]);
    const found = Object.values(runGraph(graph, operators, { x })).map(({ data }) => data);
    expect(new Set([...found, x.data, w.data]).size).toBe(7);
    for (const data of found) expect(data).toEqual(new Float32Array([0, 1]));
  });
});

test("operators that are missing are all named, before anything runs", () => {
  let ran = false;
  const spy: Operator = { ...operators.get("Relu")!, run: () => void (ran = true) };
  const known: Operators = new Map([...operators, ["Relu", spy]]);
  const nodes = [
    node("Relu", ["x"], ["a"]),
    node("Odd", ["a"], ["b"]),
    node("com.other.Relu", ["b"], ["c"], {}, 1),
    node("Odd", ["c"], ["y"]),
  ];
  const error = (() => {
    try {
      runGraph(graphOf({ x: [1] }, nodes, ["y"]), known, { x: floats([1]) });
    } catch (thrown) {
      return thrown as UnsupportedOpError;
    }
  })();
  expect(error).toBeInstanceOf(UnsupportedOpError);
  expect(error).toMatchObject({
    ...{ code: "UNSUPPORTED_OP", node: "Odd b", operator: "Odd", opset: 18 },
    message:
      'node "Odd b": expected an operator that rank1 computes, got Odd of operator set 18; missing are Odd, com.other.Relu',
  });
  expect(error!.missing.map(({ node }) => node)).toEqual(["Odd b", "com.other.Relu c", "Odd y"]);
  expect(ran).toBe(false);
});

test("a value is let go after its last use", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const held = (): number => {
    collect();
    collect();
    return process.memoryUsage().arrayBuffers;
  };
  const [count, size] = [40, 2 ** 18];
  const nodes = Array.from({ length: count }, (_, i) => node("Relu", [i === 0 ? "x" : `v${i}`], [`v${i + 1}`]));
  let atEnd = 0;
  const last: Operator = { ...operators.get("Relu")!, run: () => void (atEnd = held()) };
  const graph = graphOf({ x: [size] }, [...nodes, node("Last", [`v${count}`], ["y"])], ["y"]);
  const inputs = { x: floats([size]) };
  const before = held();
  runGraph(graph, new Map([...operators, ["Last", last]]), inputs);
  // The engine frees a little later than it collects
  expect(atEnd - before).toBeLessThan((count / 2) * 4 * size);
});

describe("inference", () => {
  test("finds shapes, and the elements that shapes determine", () => {
    const nodes = [
      node("Shape", ["x"], ["shape"]),
      node("Gather", ["shape", "zero"], ["batch"]),
      node("Concat", ["batch", "rest"], ["sides"], { axis: 0 }),
      node("Reshape", ["x", "sides"], ["y"]),
      node("Split", ["y"], ["", "second"], { axis: 1, num_outputs: 2 }),
    ];
    const graph = graphOf({ x: ["N", 3, "h", 4] }, nodes, ["second"], { zero: integers(0), rest: integers(-1, 2) });
    const specs = infer(graph, operators, inputSpecs(graph, { x: [2, 3, 5, 4] }));
    expect(specs.get("sides")!.data).toEqual(new BigInt64Array([2n, -1n, 2n]));
    expect(specs.get("y")).toEqual({ dtype: "f32", shape: [2, 30, 2], data: undefined });
    expect(specs.get("second")!.shape).toEqual([2, 15, 2]);
    expect(specs.has("")).toBe(false);
    expect([...infer(graph, operators, new Map()).keys()]).toEqual(["zero", "rest"]);
  });

  test("takes 1 for an open batch, and asks for other open sides", () => {
    const graph = graphOf({ x: ["N", 3, undefined, 4] }, [], []);
    expect(() => inputSpecs(graph)).toThrow('shape of input "x": expected a shape like [N, 3, ?, 4], got none');
    const two = { inputs: [...graph.inputs, { name: "z" }] };
    expect(() => inputSpecs(two)).toThrow(
      'shape of input "x" and input "z": expected a shape like [N, 3, ?, 4] and a shape, got none',
    );
    expect(() => inputSpecs(graph, { x: [1, 2, 5, 4] })).toThrow("got [1, 2, 5, 4]");
    expect(() => inputSpecs(graph, { x: [1, 3, 5] })).toThrow("got [1, 3, 5]");
    expect(inputSpecs(graph, { x: [7, 3, 5, 4] }).get("x")!.shape).toEqual([7, 3, 5, 4]);
    expect(inputSpecs(graphOf({ x: ["N", 3] }, [], [])).get("x")!.shape).toEqual([1, 3]);
  });

  test("says which elements it would have to know", () => {
    const graph = graphOf({ x: [4], shape: [1] }, [node("Expand", ["x", "sides"], ["y"])], ["y"], {});
    const asked = { ...graph, nodes: [node("Cast", ["shape"], ["sides"], { to: 7 }), ...graph.nodes] };
    expect(() => infer(asked, operators, inputSpecs(asked))).toThrow(UnsupportedError);
    expect(() => infer(asked, operators, inputSpecs(asked))).toThrow(
      "expected shape that is known before the network runs",
    );
    expect(runGraph(asked, operators, { x: floats([4]), shape: floats([1], [1]) }).y).toMatchObject(floats([4]));
  });
});

test("a value too large for memory is refused before it is allocated", () => {
  const graph = graphOf({ x: [1] }, [node("Expand", ["x", "sides"], ["y"])], ["y"], {
    sides: integers(2 ** 20, 2 ** 20),
  });
  expect(() => runGraph(graph, operators, { x: floats([1]) })).toThrow(LimitError);
  expect(() => runGraph(graph, operators, { x: floats([1]) })).toThrow("Expand y");
});
