// A network as data, without any file format: nodes between named values, and what an operator is.
import type { DType, Tensor } from "../tensor.ts";

/** A side that is known, one that has a name, or one of which nothing is said. */
export type Dimension = number | string | undefined;

export interface ValueInfo {
  name: string;
  dtype?: DType;
  shape?: readonly Dimension[];
}

export type Attribute = number | string | Tensor | readonly number[] | readonly string[];

/** One use of an operator. Tensors are held in the orders of ONNX: NCHW, weights [out, in / groups, kh, kw]. */
export interface GraphNode {
  name: string;
  op: string;
  /** The version of the operator set that gives `op` its meaning. */
  opset: number;
  /** Names of values; "" where an optional input is left out. */
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

/** Nodes in an order in which every value is computed before it is read. */
export interface Graph {
  inputs: readonly ValueInfo[];
  outputs: readonly ValueInfo[];
  nodes: readonly GraphNode[];
  constants: ReadonlyMap<string, Tensor>;
}

/** An operator on the host: plain loops, in f64 where it sums; what generated kernels are tested against. */
export interface Operator {
  name: string;
  /** Computes a node's outputs from its inputs (undefined where left out). Bad shapes give a typed error that names the node. */
  run(node: GraphNode, inputs: readonly (Tensor | undefined)[]): Tensor[];
}
