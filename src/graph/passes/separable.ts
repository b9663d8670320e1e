// A depthwise convolution and the pointwise one after it become one SeparableConv, so that both can run strip by strip:
// inputs x, depthwise weight and bias, pointwise weight and bias, residual; the depthwise one's activation is the `middle`.
// A pointwise one before them, as in inverted residuals and in the CP decomposition, comes in, too: its weight and bias are the last
// inputs, its activation is `expand`.
import type { Tensor } from "../../tensor.ts";
import { listOf, numberOf, textOf } from "../nodes.ts";
import type { Graph, GraphNode } from "../types.ts";
import { mergePairs } from "./fuse.ts";

export function fuseSeparable(graph: Graph): Graph {
  return fuseExpansion(fusePairs(graph));
}

function fusePairs(graph: Graph): Graph {
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

function fuseExpansion(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const isPair = index === 0 && second.op === "SeparableConv" && !second.inputs[6];
    if (!isPair || !isPointwise(first, constants) || first.inputs[3]) return undefined;
    const [x = "", weight = "", bias = ""] = first.inputs;
    const [, depthwise = "", depthwiseBias = "", pointwise = "", last = "", residual = ""] = second.inputs;
    // One filter for each expanded channel.
    if (constants.get(weight)!.shape[0] !== constants.get(depthwise)!.shape[0]) return undefined;
    const { activation: expand, activationParameters: expandParameters } = first.attributes;
    const inputs = [x, depthwise, depthwiseBias, pointwise, last, residual, weight, bias];
    return { node: { ...second, inputs, attributes: present({ ...second.attributes, expand, expandParameters }) } };
  });
}

/** The convolutions that a SeparableConv stands for, without the names of inputs; `expand` only where it has one. */
export function partsOf(node: GraphNode): { expand?: GraphNode; depthwise: GraphNode; pointwise: GraphNode } {
  const { expand, expandParameters, ...pair } = node.attributes;
  const { middle, middleParameters, activation, activationParameters, ...window } = pair;
  const part = { ...node, op: "Conv", inputs: [] };
  const activated = (name: Attribute, parameters: Attribute): GraphNode => {
    return { ...part, attributes: present({ activation: name, activationParameters: parameters }) };
  };
  return {
    ...(node.inputs[6] && { expand: activated(expand, expandParameters) }),
    depthwise: {
      ...part,
      attributes: present({ ...window, activation: middle, activationParameters: middleParameters }),
    },
    pointwise: activated(activation, activationParameters),
  };
}
type Attributes = GraphNode["attributes"];
type Attribute = Attributes[string] | undefined;

const present = (attributes: Readonly<Record<string, Attribute>>): Attributes =>
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
