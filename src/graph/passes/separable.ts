// A depthwise convolution and the pointwise one after it become one SeparableConv, so that both can run strip by strip:
// inputs x, depthwise weight and bias, pointwise weight and bias, residual; the depthwise one's activation is the `middle`.
import type { Tensor } from "../../tensor.ts";
import { listOf, numberOf, textOf } from "../nodes.ts";
import type { Graph, GraphNode } from "../types.ts";
import { mergePairs } from "./merge.ts";

export function fuseSeparable(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    if (index !== 0 || !isDepthwise(first, constants) || !isPointwise(second, constants)) return undefined;
    const [x = "", depthwise = "", depthwiseBias = ""] = first.inputs;
    const [, pointwise = "", bias = "", residual] = second.inputs;
    const { activation: middle, activationParameters: middleParameters, ...window } = first.attributes;
    const { activation, activationParameters } = second.attributes;
    const node: GraphNode = {
      ...{ name: second.name, op: "SeparableConv", opset: second.opset, outputs: second.outputs },
      inputs: [x, depthwise, depthwiseBias, pointwise, bias, ...(residual ? [residual] : [])],
      attributes: present({ ...window, middle, middleParameters, activation, activationParameters }),
    };
    return { node };
  });
}

/** The two convolutions that a SeparableConv stands for, without the names of inputs. */
export function halvesOf(node: GraphNode): [depthwise: GraphNode, pointwise: GraphNode] {
  const { middle, middleParameters, activation, activationParameters, ...window } = node.attributes;
  const half = { ...node, op: "Conv", inputs: [] };
  return [
    { ...half, attributes: present({ ...window, activation: middle, activationParameters: middleParameters }) },
    { ...half, attributes: present({ activation, activationParameters }) },
  ];
}

type Attributes = GraphNode["attributes"];

const present = (attributes: Readonly<Record<string, Attributes[string] | undefined>>): Attributes =>
  Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined)) as Attributes;

function isDepthwise(node: GraphNode, constants: ReadonlyMap<string, Tensor>): boolean {
  const weight = constants.get(node.inputs[1] ?? "");
  const groups = numberOf(node, "group", 1);
  return node.op === "Conv" && !node.inputs[3] && groups > 1 && weight?.shape.length === 4 && weight.shape[1] === 1;
}

function isPointwise(node: GraphNode, constants: ReadonlyMap<string, Tensor>): boolean {
  const weight = constants.get(node.inputs[1] ?? "");
  if (node.op !== "Conv" || weight?.shape.length !== 4 || numberOf(node, "group", 1) !== 1) return false;
  const lists = [weight.shape.slice(2), listOf(node, "strides") ?? []].flat();
  const unpadded = textOf(node, "auto_pad", ["NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"]) !== "NOTSET";
  return lists.every((v) => v === 1) && (unpadded || !listOf(node, "pads")?.some((v) => v !== 0));
}
