// Nodes of operators that know others that compute the same: these take their place, since kernels know them.
import type { DType, Tensor } from "../tensor.ts";
import { inlineNodes } from "./inline.ts";
import type { Expanded, Graph, GraphNode, Operators, Spec } from "./types.ts";
import { newValue, write } from "./values.ts";

/** The nodes that take the place of one, made one after the other. */
export class Nodes implements Expanded {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, Tensor>();
  private readonly node: GraphNode;
  private readonly own: string;

  constructor(node: GraphNode) {
    this.node = node;
    this.own = node.outputs.find((name) => name !== "") ?? "";
  }

  /** Whether somebody may read an output of the node. */
  wants(output: number): boolean {
    return (this.node.outputs[output] ?? "") !== "";
  }

  /** The name of the result; that of an output of the node, where `output` counts one that is wanted. */
  add(op: string, inputs: readonly string[], attributes: GraphNode["attributes"] = {}, output?: number): string {
    const name = (output !== undefined && this.node.outputs[output]) || `${this.own}: ${op} ${this.nodes.length}`;
    this.nodes.push({ name: this.node.name || name, op, opset: 13, inputs, outputs: [name], attributes });
    return name;
  }

  constant(numbers: ArrayLike<number>, shape: readonly number[], dtype: DType = "f32"): string {
    const name = `${this.own}: constant ${this.constants.size}`;
    const value = newValue(dtype, shape);
    write(value, numbers);
    this.constants.set(name, value);
    return name;
  }

  reshape(from: string, shape: readonly number[], output?: number): string {
    return this.add("Reshape", [from, this.constant(shape, [shape.length], "i64")], {}, output);
  }
}

/** The same network where no node has others for it. */
export function expandNodes(graph: Graph, operators: Operators, specs: ReadonlyMap<string, Spec>): Graph {
  return inlineNodes(graph, (node) => {
    const { expand } = operators.get(node.op) ?? {};
    const known = expand && node.inputs.every((name) => name === "" || specs.has(name));
    return known
      ? expand(
          node,
          node.inputs.map((name) => specs.get(name)),
        )
      : undefined;
  });
}
