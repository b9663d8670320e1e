// A network as plain data, independent of file formats: nodes, named values, and the interface of operators.
import type { Steps } from "../engine/turns.ts";
import type { DType, Tensor, TypedArray } from "../tensor.ts";

/** A side that is known, one that has a name, or one of which nothing is said. */
export type Dimension = number | string | undefined;

/** An input or output of a network. */
export interface ValueInfo {
  /** By which `model.run` takes or gives it. */
  name: string;
  /** Element type, where the file says it. */
  dtype?: DType;
  /** Sides, where the file says them; in ONNX's order. */
  shape?: readonly Dimension[];
  /** Sides that the file says, where the caller has said others. */
  declared?: readonly Dimension[];
}

/** A constant that belongs to a node. */
export type Attribute = number | string | Tensor | readonly number[] | readonly string[];

/** One use of an operator. Tensors are held in the orders of ONNX: NCHW, weights [out, in / groups, kh, kw]. */
export interface GraphNode {
  /** As the file has it; may be empty. */
  name: string;
  /** ONNX's name of the operator. */
  op: string;
  /** The version of the operator set that gives `op` its meaning. */
  opset: number;
  /** Names of values; "" where an optional input is left out. */
  inputs: readonly string[];
  /** Names of values; "" where an optional output is left out. */
  outputs: readonly string[];
  /** By name, as ONNX documents them. */
  attributes: Readonly<Record<string, Attribute>>;
  /** The attribute that holds what is not read, such as a type: a node that has one is not computed. */
  unread?: string;
  /**
   * Networks inside it, branches or the bodies of loops, by the names of attributes. What they read of the network around them
   * are the last `captured` of the node's inputs, and of the inputs of each.
   */
  graphs?: Readonly<Record<string, Graph>>;
  /** How many of the last inputs only the networks inside read. */
  captured?: number;
}

/** Nodes in an order in which every value is computed before it is read. */
export interface Graph {
  /** What a run must be given. */
  inputs: readonly ValueInfo[];
  /** What a run gives. */
  outputs: readonly ValueInfo[];
  /** In the order in which they run. */
  nodes: readonly GraphNode[];
  /** Weights and other tensors that the file holds, by name. */
  constants: ReadonlyMap<string, Tensor>;
}

/** What is known of a value before it is computed: always its type and shape, sometimes its elements. */
export interface Spec {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data?: TypedArray;
}

/** A tensor that says its type. f16 and bf16 are held as f32, bool as bytes of 0 and 1. */
export type Value = Spec & { readonly data: TypedArray };

/** Where elements stand, in row-major order: the first, and along each axis how far apart. Steps of 0 repeat an element. */
export interface Strided {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Elements that are copied from one input to one output. */
export interface View {
  readonly input: number;
  readonly output: number;
  /** How many along each axis. */
  readonly counts: readonly number[];
  readonly from: Strided;
  readonly to: Strided;
}

/** All of the outputs of an operator that only copies; what no view writes is `fill` (0 where absent). */
export interface Copies {
  readonly views: readonly View[];
  readonly fill?: number;
}

/** Of each element along an axis of the output, which elements of the input it is a sum of, and by which weights. */
export type Samples = readonly (readonly (readonly [at: number, weight: number])[])[];

/** A network inside a node, and values for its inputs in their order. */
export interface Call {
  readonly graph: Graph;
  readonly inputs: readonly Value[];
}

/** An operator whose node holds networks. */
export interface Control {
  /** What is known of the outputs; `within` says it of those of a network. Undefined stands for what only a run can tell. */
  infer(
    node: GraphNode,
    inputs: readonly (Spec | undefined)[],
    within: (graph: Graph, inputs: readonly (Spec | undefined)[]) => (Spec | undefined)[],
  ): (Spec | undefined)[];
  /**
   * Gives one network after the other, takes what it computes, and ends with the node's outputs. `hold` is told of values that it
   * keeps beside them, and throws where there is no room.
   */
  run(
    node: GraphNode,
    inputs: readonly (Value | undefined)[],
    hold: (value: Spec) => void,
  ): Generator<Call, Value[], Value[]>;
}

/** Nodes that take the place of one, and their constants. */
export interface Expanded {
  readonly nodes: readonly GraphNode[];
  readonly constants: ReadonlyMap<string, Tensor>;
}

/** An operator on the host: plain loops, in f64 where it sums; what generated kernels are tested against. */
export interface Operator {
  name: string;
  /**
   * Types and shapes of the outputs (undefined stands for an input that is left out). Reads elements of only those inputs
   * that say sizes, and refuses bad shapes, types and attributes with an error that names the node. An output that holds
   * the elements of an input in another shape, or that shapes alone determine, comes with its elements.
   */
  infer(node: GraphNode, inputs: readonly (Spec | undefined)[]): Spec[];
  /**
   * Computes all elements of `outputs`, which have the inferred types and shapes; in parts of at most a few milliseconds where it may
   * take long. Absent where `infer` gives all.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: short loops return nothing
  run?(node: GraphNode, inputs: readonly (Value | undefined)[], outputs: readonly Value[]): Steps | void;
  /** What `infer` does with the elements of all inputs, in parts, where that may take long. */
  find?(node: GraphNode, inputs: readonly (Value | undefined)[]): Steps<Spec[]>;
  /** Where it only copies: what. Kernels then do the same. */
  copies?(node: GraphNode, inputs: readonly (Spec | undefined)[]): Copies | undefined;
  /** Where each output is a weighted sum of elements that axes give one by one: those of each axis that does not stay. */
  samples?(node: GraphNode, inputs: readonly (Spec | undefined)[]): readonly (Samples | undefined)[] | undefined;
  /** Where nodes of other operators, which kernels know, compute the same: those. */
  expand?(node: GraphNode, inputs: readonly (Spec | undefined)[]): Expanded | undefined;
  /** Takes the place of `infer` and `run` where the node holds networks. */
  control?: Control;
}

/** Operators by name. */
export type Operators = ReadonlyMap<string, Operator>;
