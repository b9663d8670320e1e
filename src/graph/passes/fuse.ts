// Passes that fuse what follows a convolution into its node: a residual becomes its fourth input, an activation the
// attributes `activation` and `activationParameters`.
import { activationOf, activations } from "../activations.ts";
import { numberOf } from "../nodes.ts";
import type { Graph, Spec } from "../types.ts";
import { toValue } from "../values.ts";
import { mergePairs } from "./merge.ts";

/** Conv and Add, where both terms are computed and of shapes that are known to be equal. Groups stay as they are. */
export function fuseResidual(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  return mergePairs(graph, (first, second, index) => {
    const isWhole = first.op === "Conv" && numberOf(first, "group", 1) === 1;
    const isPlain = isWhole && !first.inputs[3] && first.attributes.activation === undefined;
    const other = second.inputs[1 - index]!;
    const [own, added] = [specs.get(first.outputs[0]!), specs.get(other)];
    const same = own && added && !added.data && own.dtype === added.dtype && `${own.shape}` === `${added.shape}`;
    if (second.op !== "Add" || !isPlain || !same) return undefined;
    const [x = "", weight = "", bias = ""] = first.inputs;
    return { node: { ...first, inputs: [x, weight, bias, other], outputs: second.outputs } };
  });
}

/** Conv or ConvTranspose and an activation that kernels have, or Gemm and any; of known parameters. */
export function fuseActivation(graph: Graph): Graph {
  return mergePairs(graph, (first, second, index, constants) => {
    const canTake = ["Conv", "ConvTranspose", "Gemm"].includes(first.op) && first.attributes.activation === undefined;
    if (!canTake || index !== 0) return undefined;
    const bounds = second.inputs.slice(1).map((name) => constants.get(name));
    const found = activationOf(
      second,
      bounds.map((tensor) => tensor && toValue(tensor)),
    );
    if (!found || (first.op !== "Gemm" && !activations[found.name]!.kernel)) return undefined;
    const attributes = { ...first.attributes, activation: found.name, activationParameters: found.parameters };
    return { node: { ...first, attributes, outputs: second.outputs } };
  });
}
