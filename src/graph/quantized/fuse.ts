// Pass: a sum of integers takes over what brings it to a scale and rounds it.
import { mergePairs } from "../passes/fuse.ts";
import type { Graph } from "../types.ts";

export const fuseRounding = (graph: Graph): Graph =>
  mergePairs(graph, (first, second, index, constants) => {
    const isSum = first.op === "QuantizedConv" || first.op === "QuantizedMatMul";
    const [, name = "", limit] = second.inputs;
    const factors = constants.get(name);
    const outputs = constants.get(first.inputs[1] ?? "")?.shape[first.op === "QuantizedConv" ? 0 : 1];
    const fits = factors && (factors.data.length === 1 || factors.data.length === outputs);
    if (!isSum || first.inputs[3] || second.op !== "Requantize" || index !== 0 || limit || !fits) return undefined;
    const { low, high, divide } = second.attributes;
    if (divide) return undefined;
    const [x = "", weight = "", bias = ""] = first.inputs;
    const attributes = { ...first.attributes, low: low!, high: high! };
    return { node: { ...first, inputs: [x, weight, bias, name], outputs: second.outputs, attributes } };
  });
