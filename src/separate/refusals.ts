// What cannot be separated, and what helps: quantised networks, and those without a convolution that could be.
import { describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { isQuantized } from "../graph/quantized/names.ts";
import type { Graph, GraphNode } from "../graph/types.ts";
import type { Model } from "../onnx/model.ts";

const wayOut =
  "separate the float model that it was made from, and quantise the result, with quantize_static of onnxruntime.quantization, for example";

/** Throws {@link UnsupportedError} for a network with convolutions of integers, or between a Dequantize and a QuantizeLinear. */
export function refuseQuantized({ nodes }: Graph): void {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const found = nodes.find((node) => isConvolution(node) && isOfIntegers(node, makers));
  if (!found) return;
  const [parameter, expected] = [`node ${describe(found.name)} (${found.op})`, "a convolution of floats"];
  throw new UnsupportedError({ parameter, expected, received: "a quantised one", hint: wayOut });
}

const isConvolution = ({ op }: GraphNode): boolean => /Conv/.test(op);

/** Operators between a DequantizeLinear and what it is read by. */
const passing = new Set(["Identity", "Cast", "Reshape", "Transpose", "Mul"]);

function isOfIntegers(node: GraphNode, makers: ReadonlyMap<string, GraphNode>): boolean {
  if (isQuantized(node)) return true;
  const comesOfIntegers = (name: string): boolean => {
    const maker = makers.get(name);
    if (!maker) return false;
    return isQuantized(maker) || (passing.has(maker.op) && comesOfIntegers(maker.inputs[0]!));
  };
  return comesOfIntegers(node.inputs[1] ?? "");
}

/** What there is to say of a network without any convolution that could be separated. */
export function noTargets({ missing: [first] }: Model): InvalidArgumentError {
  const expected =
    "a convolution that could be separated: over two axes, with constant weights of floats, not depthwise";
  const hint =
    first && `behind ${first.operator} (node ${describe(first.node)}), which is not computed, nothing is separated`;
  return new InvalidArgumentError({ parameter: "model", expected, received: "none", hint });
}
