// Lowering rules for layers with weights, which start backend partitions. Values must be of four axes and in 32-bit
// floats; other nodes stay on the host.
import type { LayerWeights } from "../kernels/kernel.ts";
import type { Tensor } from "../tensor.ts";
import { conv, convTranspose } from "./lower-conv.ts";
import { product } from "./lower-products.ts";
import {
  base,
  constantOf,
  fusedActivation,
  type LoweringContext,
  type LoweringRule,
  layer,
  shapeOf,
  windowFrom,
} from "./lowering.ts";
import { partsOf } from "./passes/separable.ts";
import { windowOf } from "./window.ts";

const weightOf = ({ data }: Tensor, bias: Tensor | undefined): LayerWeights => ({
  ...{ weight: data as Float32Array, order: "OIHW" },
  bias: bias?.data as Float32Array | undefined,
});

/** A bias that is there must be constant. */
function biasOf(name: string | undefined, context: LoweringContext): { bias?: Tensor } | undefined {
  if (!name) return {};
  const bias = constantOf(name, context);
  return bias && { bias };
}

const separable: LoweringRule = (node, context) => {
  const [x, y] = [shapeOf(node.inputs[0], context), shapeOf(node.outputs[0], context)];
  const [depthwise, pointwise] = [constantOf(node.inputs[1], context), constantOf(node.inputs[3], context)];
  const [first, second] = [biasOf(node.inputs[2], context), biasOf(node.inputs[4], context)];
  const [middle, activation] = [fusedActivation(node, "middle"), fusedActivation(node)];
  const added = node.inputs[5] || undefined;
  if (!x || !y || !depthwise || !pointwise || !first || !second || !middle || !activation) return undefined;
  if (added && shapeOf(added, context)?.join() !== y.join()) return undefined;
  const [images, channels, ...sides] = context.specs.get(node.inputs[0]!)!.shape;
  const groups = node.inputs[6] ? depthwise.shape[0]! : channels!;
  const axes = windowOf(partsOf(node).depthwise, [images!, groups, ...sides], depthwise.shape.slice(2));
  const common = { ...base(x, y, windowFrom(axes), activation), middle };
  const residual = added !== undefined;
  const weights = new Map([["depthwise", weightOf(depthwise, first.bias)]]);
  if (!node.inputs[6]) {
    const depthMultiplier = depthwise.shape[0]! / x[3]!;
    weights.set("pointwise", weightOf(pointwise, second.bias));
    return layer(node, context, { kind: "separable", ...common, depthMultiplier, residual }, weights, { added });
  }
  const [weight, bias] = [constantOf(node.inputs[6], context), biasOf(node.inputs[7], context)];
  const expand = fusedActivation(node, "expand");
  if (!weight || !bias || !expand) return undefined;
  weights.set("expand", weightOf(weight, bias.bias)).set("project", weightOf(pointwise, second.bias));
  const problem = { kind: "inverted", ...common, middleChannels: groups, expand, residual: false } as const;
  return layer(node, context, { ...problem, added: residual }, weights, { added });
};

/** By the operator's name. */
export const layerRules: Readonly<Record<string, LoweringRule>> = {
  ...{ Conv: conv, SeparableConv: separable, ConvTranspose: convTranspose, Gemm: product, MatMul: product },
};
