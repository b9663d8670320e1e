// Puts the products of a recurrent node's inputs with its weights before it, as one MatMul, which the backend computes.
import type { Tensor } from "../../tensor.ts";
import type { Graph, GraphNode, Spec } from "../types.ts";

const isRecurrent = ({ op }: GraphNode): boolean => op === "LSTM" || op === "GRU" || op === "RNN";

/** LSTM, GRU and RNN of constant weights in f32: their first input becomes the products, their second is left out. */
export function projectInputs(graph: Graph, specs: ReadonlyMap<string, Spec>): Graph {
  const constants = new Map(graph.constants);
  const nodes = graph.nodes.flatMap((node): GraphNode[] => {
    const [x = "", w = ""] = node.inputs;
    const weight = isRecurrent(node) ? graph.constants.get(w) : undefined;
    const spec = specs.get(x);
    const fits =
      weight?.shape.length === 3 && weight.data instanceof Float32Array && weight.shape[2] === spec?.shape[2];
    if (!fits || spec?.dtype !== "f32" || spec.data) return [node];
    const [products, moved] = ["products", "weights"].map((what) => `${node.outputs.find(Boolean)}: ${what}`) as [
      string,
      string,
    ];
    constants.set(moved, transposed(weight));
    const { name, opset } = node;
    return [
      { name: `${name}: products`, op: "MatMul", opset, inputs: [x, moved], outputs: [products], attributes: {} },
      { ...node, inputs: [products, "", ...node.inputs.slice(2)] },
    ];
  });
  return { ...graph, nodes, constants };
}

/** [directions, rows, inputs] as [inputs, directions · rows]. */
function transposed({ shape, data }: Tensor): Tensor {
  const [directions, each, inputs] = shape as [number, number, number];
  const rows = directions * each;
  const moved = new Float32Array(rows * inputs);
  for (let r = 0, at = 0; r < rows; r++) for (let i = 0; i < inputs; i++) moved[i * rows + r] = data[at++] as number;
  return { shape: [inputs, rows], data: moved };
}
