// Shape inference: types and shapes of a network's values before it runs, and the elements of those that depend on
// constants and shapes alone.
import { finished, type Steps } from "../engine/turns.ts";
import { describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { checkOperators, compute, isMissing, outputsOf } from "./evaluate.ts";
import { withOrigin } from "./given-shapes.ts";
import { OpenSizeError } from "./nodes.ts";
import type { Control, Graph, GraphNode, Operators, Spec, Value, ValueInfo } from "./types.ts";
import { heldAs, toValue, valueBytes } from "./values.ts";

/** Bytes of all values together that are computed here and are more than what they are computed from. */
const mostFolded = 2 ** 30;

/** Inputs whose shapes neither the network says nor `shapes`. An open batch is 1. */
export function openInputs(
  { inputs }: Pick<Graph, "inputs">,
  shapes: Readonly<Record<string, readonly number[]>> = {},
): ValueInfo[] {
  const isOpen = (shape: ValueInfo["shape"]): boolean =>
    !shape?.every((side, axis) => axis === 0 || typeof side === "number");
  return inputs.filter(({ name, shape }) => !Object.hasOwn(shapes, name) && isOpen(shape));
}

const likeText = ({ shape }: ValueInfo): string =>
  shape ? `a shape like [${shape.map((side) => side ?? "?").join(", ")}]` : "a shape";

/**
 * Types and shapes of a network's inputs. Sides that it leaves open are 1 for the batch, others must stand in `shapes`.
 *
 * @throws InvalidArgumentError for a shape that is not known or contradicts the network.
 */
export function inputSpecs(
  { inputs }: Pick<Graph, "inputs">,
  shapes: Readonly<Record<string, readonly number[]>> = {},
): Map<string, Spec> {
  const open = openInputs({ inputs }, shapes);
  if (open.length > 0) {
    const parameter = `shape of ${open.map(({ name }) => `input ${describe(name)}`).join(" and ")}`;
    throw new InvalidArgumentError({ parameter, expected: open.map(likeText).join(" and "), received: "none" });
  }
  return new Map(
    inputs.map((info) => {
      const { name, dtype = "f32", shape: declared } = info;
      const given = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
      const shape = given ?? declared?.map((side, axis) => (typeof side !== "number" && axis === 0 ? 1 : side));
      const fits = declared?.every((side, axis) => typeof side !== "number" || side === shape?.[axis]) ?? true;
      if (shape?.every((side) => typeof side === "number") && fits && (!declared || declared.length === shape.length)) {
        return [name, { dtype: heldAs(dtype), shape: shape as readonly number[] }];
      }
      const parameter = `shape of input ${describe(name)}`;
      throw new InvalidArgumentError({ parameter, expected: likeText(info), received: describe(given) });
    }),
  );
}

/**
 * What is known of every value, if `inputs` are known; values that depend on others are missing. A value that inputs do not
 * determine but shapes and constants do comes with its elements, as long as all of those together are not too many.
 *
 * @throws UnsupportedOpError for missing operators, InvalidArgumentError for shapes that do not fit, UnsupportedError for
 * shapes that only a run knows.
 */
export function infer(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  most = mostFolded,
): Map<string, Spec> {
  const { specs, open } = inferKnown(graph, operators, inputs, most);
  for (const error of open.values()) throw error;
  return specs;
}

/** What is known before a run. */
export interface Known {
  specs: Map<string, Spec>;
  /** Nodes whose inputs are known, but not the sizes of their results, and why; what depends on these is missing. */
  open: Map<GraphNode, OpenSizeError>;
}

/** As {@link infer}, but values whose shapes only a run knows are missing. */
export const inferKnown = (
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  most = mostFolded,
): Known => finished(inferring(graph, operators, inputs, most));

/** Bytes of values that are computed where shapes alone are wanted. */
const fewFolded = 2 ** 22;

/** As {@link infer}, of pictures of any size, which nobody is going to compute at once: few values come with their elements. */
export function inferShapes(graph: Graph, operators: Operators, inputs: ReadonlyMap<string, Spec>): Map<string, Spec> {
  const { specs, open } = finished(inferring(graph, operators, inputs, fewFolded, true));
  for (const error of open.values()) throw error;
  return specs;
}

/** {@link inferKnown} in parts. `anySize`: values may be larger than those that can be computed. */
export function* inferring(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  most = mostFolded,
  anySize = false,
): Steps<Known> {
  checkOperators(graph, operators);
  const known = knownAtFirst(graph, inputs);
  const room = { left: most, anySize };
  const open: Known["open"] = new Map();
  for (const node of graph.nodes) {
    yield;
    try {
      const error = inferNode(node, operators, known, room);
      if (error) open.set(node, error);
    } catch (error) {
      throw withOrigin(error, graph, inputs);
    }
  }
  known.delete("");
  return { specs: known, open };
}

/**
 * As {@link inferKnown}, around nodes that nobody computes, or not as they are used here: of their results that is known which
 * `declared` says, or nothing.
 */
export function inferAround(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  declared: ReadonlyMap<string, Spec>,
): Map<string, Spec> {
  const known = knownAtFirst(graph, inputs);
  const room = { left: mostFolded };
  for (const node of graph.nodes) {
    try {
      if (!isMissing(node, operators)) inferNode(node, operators, known, room);
    } catch (error) {
      if (!(error instanceof UnsupportedError)) throw error;
    }
    for (const name of node.outputs) if (!known.has(name) && declared.has(name)) known.set(name, declared.get(name)!);
  }
  known.delete("");
  return known;
}

function knownAtFirst({ constants }: Graph, inputs: ReadonlyMap<string, Spec>): Map<string, Spec> {
  const known = new Map<string, Spec>(inputs);
  for (const [name, tensor] of constants) known.set(name, toValue(tensor)!);
  return known;
}

/** Bytes of values that may still be computed, and whether others may be of any size. */
interface Room {
  left: number;
  anySize?: boolean;
}

/** Adds what is known of a node's outputs, if all of its inputs are known; why nothing is, where elements decide sizes. */
function inferNode(
  node: GraphNode,
  operators: Operators,
  known: Map<string, Spec>,
  room: Room,
): OpenSizeError | undefined {
  if (node.inputs.some((name) => name !== "" && !known.has(name))) return undefined;
  const read = node.inputs.map((name) => known.get(name));
  const { control } = operators.get(node.op)!;
  if (control) return inferControl(node, control, operators, known, room);
  let specs: Spec[];
  try {
    specs = outputsOf(node, operators, read, room.anySize);
  } catch (error) {
    if (error instanceof OpenSizeError) return error;
    throw error;
  }
  const more = addedBy(read, specs);
  const folds = read.every((spec) => !spec || spec.data) && more <= room.left;
  if (folds) room.left -= more;
  const outputs = folds ? compute(node, operators, read as Value[], specs) : specs;
  for (const [i, name] of node.outputs.entries()) known.set(name, outputs[i]!);
  return undefined;
}

/** As {@link inferNode}, of a node that holds networks: all of its outputs, or none. */
function inferControl(
  node: GraphNode,
  control: Control,
  operators: Operators,
  known: Map<string, Spec>,
  room: Room,
): OpenSizeError | undefined {
  const read = node.inputs.map((name) => known.get(name));
  const specs = control.infer(node, read, (inner, inputs) => outputsWithin(inner, operators, inputs, room.left));
  const named = node.outputs.flatMap((name, i) => (name === "" ? [] : [[name, specs[i]] as const]));
  if (named.some(([, spec]) => !spec)) return new OpenSizeError(node, "a shape");
  for (const [name, spec] of named) known.set(name, spec!);
  return undefined;
}

/** What is known of the outputs of a network inside a node, before it runs. */
function outputsWithin(
  graph: Graph,
  operators: Operators,
  inputs: readonly (Spec | undefined)[],
  room: number,
): (Spec | undefined)[] {
  const given = graph.inputs.flatMap(({ name }, i) => (inputs[i] ? [[name, inputs[i]] as const] : []));
  try {
    const { specs } = inferKnown(graph, operators, new Map(given), room);
    return graph.outputs.map(({ name }) => specs.get(name));
  } catch (error) {
    // A branch that no run takes need not fit, and what an iteration depends on may not be known before it.
    if (error instanceof InvalidArgumentError || error instanceof UnsupportedError) return [];
    throw error;
  }
}

/** Bytes that outputs have more than inputs. */
function addedBy(inputs: readonly (Spec | undefined)[], outputs: readonly Spec[]): number {
  const count = (specs: readonly (Spec | undefined)[]): number =>
    specs.reduce((sum, spec) => sum + (spec ? valueBytes(spec) : 0), 0);
  return Math.max(0, count(outputs) - count(inputs));
}
