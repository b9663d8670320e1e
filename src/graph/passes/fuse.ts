// What follows a convolution goes into its node: a residual that is added as its fourth input, then an activation as the
// attributes `activation` and `activationParameters`.
import { activationOf } from "../activations.ts";
import type { Graph, Spec } from "../types.ts";
import { toValue } from "../values.ts";
import { mergePairs } from "./merge.ts";

/** Conv and Add, where the shapes of both terms are known to be equal. */
export function fuseResidual(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  return mergePairs(graph, (first, second, index) => {
    const isPlain = first.op === "Conv" && !first.inputs[3] && first.attributes.activation === undefined;
    const other = second.inputs[1 - index]!;
    const [own, added] = [specs.get(first.outputs[0]!), specs.get(other)];
    const same = own && added && own.dtype === added.dtype && `${own.shape}` === `${added.shape}`;
    if (second.op !== "Add" || !isPlain || !same) return undefined;
    const [x = "", weight = "", bias = ""] = first.inputs;
    return { node: { ...first, inputs: [x, weight, bias, other], outputs: second.outputs } };
  });
}

/** Conv, ConvTranspose or Gemm and an activation of known parameters. */
export function fuseActivation(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const canTake = ["Conv", "ConvTranspose", "Gemm"].includes(first.op) && first.attributes.activation === undefined;
    if (!canTake || index !== 0) return undefined;
    const bounds = second.inputs.slice(1).map((name) => constants.get(name));
    const found = activationOf(
      second,
      bounds.map((tensor) => tensor && toValue(tensor)),
    );
    if (!found) return undefined;
    const attributes = { ...first.attributes, activation: found.name, activationParameters: found.parameters };
    return { node: { ...first, attributes, outputs: second.outputs } };
  });
}
