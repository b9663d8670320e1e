// Weights that are next to nothing become zeros: processors multiply by subnormal numbers a hundred times slower than by others, and
// trained networks hold some where a filter has died out. A product changes by less than 2^−126 of the value that is multiplied.
import type { Tensor } from "../../tensor.ts";
import type { Graph } from "../types.ts";

const layers: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul", "SeparableConv"]);

/** The bits of a float's exponent: subnormal numbers have none of them, and others than that of the sign. */
const exponent = 0x7f800000;

/** The network with normal numbers or zeros as constants of its layers. */
export function flushWeights(graph: Graph): Graph {
  const weights = new Set(graph.nodes.flatMap(({ op, inputs }) => (layers.has(op) ? inputs.slice(1) : [])));
  const constants = new Map(graph.constants);
  for (const [name, tensor] of graph.constants) if (weights.has(name)) constants.set(name, flushed(tensor));
  return { ...graph, constants };
}

/** The same tensor where there is nothing to do. */
function flushed(tensor: Tensor): Tensor {
  const { data } = tensor;
  if (!(data instanceof Float32Array)) return tensor;
  const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
  let found: Float32Array | undefined;
  for (let i = 0; i < bits.length; i++) {
    if ((bits[i]! & exponent) !== 0 || bits[i]! << 1 === 0) continue;
    found ??= data.slice();
    found[i] = 0;
  }
  return found ? { ...tensor, data: found } : tensor;
}
