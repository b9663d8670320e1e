// Pass: a Pad along images' sides goes into the convolution or pool after it, where that treats what lies outside the same.
import type { Tensor } from "../../tensor.ts";
import { listOf, numberOf, textOf } from "../nodes.ts";
import type { Graph, GraphNode } from "../types.ts";
import { numbersOf } from "../values.ts";
import { mergePairs } from "./fuse.ts";

export function foldPads(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const pads = index === 0 && first.op === "Pad" ? padsOf(first, constants) : undefined;
    if (!pads || !takers[second.op]?.(second, pads.value) || numberOf(second, "ceil_mode", 0) !== 0) return undefined;
    if (`${second.attributes.auto_pad ?? "NOTSET"}`.startsWith("SAME")) return undefined;
    const rank = pads.list.length / 2;
    const isOutside = [0, 1].every((axis) => pads.list[axis] === 0 && pads.list[axis + rank] === 0);
    if (!isOutside || rank < 3) return undefined;
    const own = listOf(second, "pads") ?? Array<number>(2 * (rank - 2)).fill(0);
    const sides = [...pads.list.slice(2, rank), ...pads.list.slice(rank + 2)];
    const kernel = second.op === "Conv" ? undefined : listOf(second, "kernel_shape");
    const fits = own.every((pad, i) => !kernel || pad + sides[i]! < kernel[i % kernel.length]!);
    if (own.length !== sides.length || !fits) return undefined;
    const { auto_pad: _, ...attributes } = second.attributes;
    const counted = second.op === "AveragePool" && { count_include_pad: 1 };
    const node: GraphNode = {
      ...{ ...second, inputs: [first.inputs[0]!, ...second.inputs.slice(1)] },
      attributes: { ...attributes, ...counted, pads: own.map((pad, i) => pad + sides[i]!) },
    };
    return { node };
  });
}

const hasNoPads = (node: GraphNode): boolean => !listOf(node, "pads")?.some((pad) => pad !== 0);

/** Whether a node with such a value around its input computes what it does with pads of its own. */
const takers: Readonly<Record<string, (node: GraphNode, value: number) => boolean>> = {
  Conv: (node, value) => value === 0 && !node.inputs[3],
  MaxPool: (node, value) => value === -Infinity && node.outputs.length === 1,
  AveragePool: (node, value) => value === 0 && (hasNoPads(node) || numberOf(node, "count_include_pad", 0) !== 0),
};

/** The constant pads of a node, none of which cuts, and the value that they hold. */
function padsOf(
  node: GraphNode,
  constants: ReadonlyMap<string, Tensor>,
): { list: number[]; value: number } | undefined {
  if (textOf(node, "mode", ["constant", "reflect", "edge", "wrap"]) !== "constant" || node.inputs[3]) return undefined;
  const isOld = node.opset < 11;
  const known = isOld ? undefined : constants.get(node.inputs[1] ?? "");
  const list = isOld ? (listOf(node, "pads") ?? listOf(node, "paddings")) : known && Array.from(numbersOf(known));
  const filled = node.inputs[2] ? constants.get(node.inputs[2]) : undefined;
  if (!list || list.some((pad) => pad < 0) || (node.inputs[2] && !filled)) return undefined;
  const value = isOld ? numberOf(node, "value", 0) : filled ? numbersOf(filled)[0]! : 0;
  return { list: [...list], value };
}
