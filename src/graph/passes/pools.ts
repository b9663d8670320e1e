// Pools of one axis and of three become pools of two, which kernels compute: a list of pixels is one row, and of a volume windows
// along the depth come first, then those of its planes.
import type { Tensor } from "../../tensor.ts";
import { listOf, numberOf } from "../nodes.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";
import { type Axis, windowOf } from "../window.ts";

/** `specs` are the types and shapes of values, as far as they are known. */
export function flattenPools(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.flatMap((node): GraphNode[] => {
    const x = specs.get(node.inputs[0] ?? "");
    const isPool = (node.op === "MaxPool" || node.op === "AveragePool") && node.outputs.length === 1;
    // Pads that count and windows that end beyond them: how many elements these hold is no product of two numbers.
    const counts = ["ceil_mode", "count_include_pad"].every((name) => numberOf(node, name, 0) !== 0);
    if (!isPool || counts || x?.dtype !== "f32" || x.data || x.shape.includes(0)) return [node];
    return x.shape.length === 3 || x.shape.length === 5 ? flattened(node, x.shape, constants) : [node];
  });
  return nodes.length === graph.nodes.length ? graph : { ...graph, nodes, constants };
}

function flattened(node: GraphNode, shape: readonly number[], constants: Map<string, Tensor>): GraphNode[] {
  const { name, opset } = node;
  const y = node.outputs[0]!;
  const [images, channels] = shape as [number, number];
  const [depth, height, width] = windowOf(
    node,
    shape,
    listOf(node, "kernel_shape")!,
    numberOf(node, "ceil_mode", 0) !== 0,
  );
  const reshape = (from: string, to: string, ...sides: number[]): GraphNode => {
    const list = `${to}: sides`;
    constants.set(list, { shape: [sides.length], data: BigInt64Array.from(sides, BigInt) });
    return { name, op: "Reshape", opset: 14, inputs: [from, list], outputs: [to], attributes: {} };
  };
  const pool = (from: string, to: string, axes: readonly (Axis | undefined)[]): GraphNode => {
    const of = (what: keyof Axis, fill: number): number[] => axes.map((axis) => axis?.[what] ?? fill);
    const attributes = {
      ...{ ...node.attributes, auto_pad: "NOTSET", kernel_shape: of("size", 1), strides: of("stride", 1) },
      ...{ dilations: of("dilation", 1), pads: [...of("before", 0), ...of("after", 0)] },
    };
    return { name, op: node.op, opset, inputs: [from], outputs: [to], attributes };
  };
  const [x, flat, pooled] = [node.inputs[0]!, `${y}: flat`, `${y}: pooled`];
  if (shape.length === 3)
    return [
      reshape(x, flat, images, channels, 1, width.input),
      pool(flat, pooled, [undefined, width]),
      reshape(pooled, y, images, channels, width.output),
    ];
  const [columns, planes] = [`${y}: columns`, `${y}: planes`];
  return [
    reshape(x, flat, images, channels, depth.input, height.input * width.input),
    pool(flat, columns, [depth, undefined]),
    reshape(columns, planes, images, channels * depth.output, height.input, width.input),
    pool(planes, pooled, [height, width]),
    reshape(pooled, y, images, channels, depth.output, height.output, width.output),
  ];
}
