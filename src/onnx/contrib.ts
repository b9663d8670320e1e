// Operators of ONNX Runtime's own domain, com.microsoft, which its optimiser and its exporters write: those that are ONNX's
// under another name become these, so that all of rank1 knows them; others keep the domain in their names.
import { activations } from "../graph/activations.ts";
import { listOf, numberOf, refuse, textOf } from "../graph/nodes.ts";
import type { GraphNode } from "../graph/types.ts";
import { plural } from "../words.ts";

const domain = "com.microsoft";

/** The same in both domains, and in which of ONNX's operator sets. */
const same: Readonly<Record<string, number>> = {
  ...{ Affine: 1, Crop: 1, ImageScaler: 1, Gelu: 20, GridSample: 16, Range: 11, Trilu: 14, Unique: 11, MaxUnpool: 11 },
  ...{ LayerNormalization: 17, SimplifiedLayerNormalization: 1 },
};

/** How an operator of a domain is named in a network. */
export function nameIn(operatorDomain: string, op: string): string {
  return operatorDomain === "" ? op : `${operatorDomain}.${op}`;
}

/** ONNX's nodes for one of com.microsoft, if there are any; else the node. */
export function standardNodes(node: GraphNode): GraphNode[] {
  if (!node.op.startsWith(`${domain}.`)) return [node];
  const op = node.op.slice(domain.length + 1);
  if (Object.hasOwn(same, op)) return [{ ...node, op, opset: same[op]! }];
  return Object.hasOwn(rules, op) ? rules[op]!(node) : [node];
}

const rules: Readonly<Record<string, (node: GraphNode) => GraphNode[]>> = {
  QuickGelu: (node) => {
    return [{ ...node, op: "Swish", opset: 24, attributes: { alpha: numberOf(node, "alpha", 1.702) } }];
  },
  FusedGemm: (node) => {
    const entries = Object.entries(node.attributes).filter(([name]) => !name.startsWith("activation"));
    const name = activationIn(node);
    const known = Object.entries(name ? activations[name]!.parameters : {});
    const parameters = known.map(([one, fallback]) => numberOf(node, `activation_${one}`, fallback));
    const attributes = { ...Object.fromEntries(entries), ...(name && finishing(name, parameters)) };
    return [{ ...node, op: "Gemm", opset: 13, attributes }];
  },
  FusedConv: fusedConv,
};

/** Names of those that become ONNX's. */
export const standardised: readonly string[] = [...Object.keys(same), ...Object.keys(rules)].map(
  (op) => `${domain}.${op}`,
);

const finishing = (activation: string, activationParameters: readonly number[]) => ({
  activation,
  activationParameters,
});

/** The activation that a node ends in, if there is one. */
const activationIn = (node: GraphNode): string | undefined =>
  node.attributes.activation ? textOf(node, "activation", Object.keys(activations)) : undefined;

/** Those that are given, and the defaults of others. */
function parametersOf(node: GraphNode, name: string, given: readonly number[]): number[] {
  const defaults = Object.values(activations[name]!.parameters);
  if (given.length > defaults.length) refuse(node, `${plural(defaults.length, "parameter")} of ${name}`, given);
  return defaults.map((fallback, i) => given[i] ?? fallback);
}

/** Conv with a residual and an activation: one node where kernels compute that, else one after the other. */
function fusedConv(node: GraphNode): GraphNode[] {
  const { activation: _, activation_params: _given, ...attributes } = node.attributes;
  const [x = "", weight = "", bias = "", residual = ""] = node.inputs;
  const [y = ""] = node.outputs;
  const name = activationIn(node);
  const parameters = name ? parametersOf(node, name, listOf(node, "activation_params") ?? []) : [];
  const [a = 0, b = 0] = parameters;
  const fits = name === undefined || activations[name]!.kernel?.(a, b) !== undefined;
  const adds = residual !== "" && numberOf(node, "group", 1) === 1;
  // Files are rewritten by whole nodes: a Conv that is only a part of one shows it by an activation that changes nothing.
  const own = name && fits && (adds || !residual) ? finishing(name, parameters) : nothing;
  const conv = { ...node, op: "Conv", opset: 11, inputs: [x, weight, bias, ...(adds ? [residual] : [])] };
  const nodes: GraphNode[] = [{ ...conv, attributes: { ...attributes, ...own } }];
  const then = (op: string, opset: number, others: readonly string[], more: GraphNode["attributes"]): void => {
    const last = nodes.at(-1)!;
    const between = `${y}, before its ${op}`;
    nodes[nodes.length - 1] = { ...last, outputs: [between] };
    nodes.push({ ...node, op, opset, inputs: [between, ...others], outputs: [y], attributes: more });
  };
  if (residual && !adds) then("Add", 14, [residual], {});
  if (name && own === nothing) {
    const names = Object.keys(activations[name]!.parameters);
    then(name, name === "Clip" ? 6 : 14, [], Object.fromEntries(names.map((one, i) => [one, parameters[i]!])));
  }
  return nodes;
}

const nothing = finishing("Clip", [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]);
