// Shape inference: types and shapes of a network's values before it runs, and the elements of those that depend on
// constants and shapes alone.
import { describe, InvalidArgumentError } from "../errors.ts";
import { checkOperators, compute, outputsOf } from "./evaluate.ts";
import { withOrigin } from "./given-shapes.ts";
import type { Graph, GraphNode, Operators, Spec, Value } from "./types.ts";
import { heldAs, sizeOf, toValue } from "./values.ts";

/** Elements of all values together that are computed here and are more than what they are computed from. */
const mostFolded = 2 ** 28;

/**
 * Types and shapes of a network's inputs. Sides that it leaves open are 1 for the batch, others must stand in `shapes`.
 *
 * @throws InvalidArgumentError for a shape that is not known or contradicts the network.
 */
export function inputSpecs(
  { inputs }: Graph,
  shapes: Readonly<Record<string, readonly number[]>> = {},
): Map<string, Spec> {
  return new Map(
    inputs.map(({ name, dtype = "f32", shape: declared }) => {
      const given = Object.hasOwn(shapes, name) ? shapes[name] : undefined;
      const shape = given ?? declared?.map((side, axis) => (typeof side !== "number" && axis === 0 ? 1 : side));
      const fits = declared?.every((side, axis) => typeof side !== "number" || side === shape?.[axis]) ?? true;
      if (shape?.every((side) => typeof side === "number") && fits && (!declared || declared.length === shape.length)) {
        return [name, { dtype: heldAs(dtype), shape: shape as readonly number[] }];
      }
      const expected = declared ? `a shape like [${declared.map((side) => side ?? "?").join(", ")}]` : "a shape";
      throw new InvalidArgumentError({
        parameter: `shape of input ${describe(name)}`,
        expected,
        received: describe(given),
      });
    }),
  );
}

/**
 * What is known of every value, if `inputs` are known; values that depend on others are missing. A value that inputs do not
 * determine but shapes and constants do comes with its elements, as long as all of those together are not too many.
 *
 * @throws UnsupportedOpError for missing operators, InvalidArgumentError for shapes that do not fit.
 */
export function infer(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  most = mostFolded,
): Map<string, Spec> {
  checkOperators(graph, operators);
  const known = new Map<string, Spec>(inputs);
  let room = most;
  for (const [name, tensor] of graph.constants) known.set(name, toValue(tensor)!);
  for (const node of graph.nodes) {
    if (node.inputs.some((name) => name !== "" && !known.has(name))) continue;
    const read = node.inputs.map((name) => known.get(name));
    const specs = inferred(node, read);
    const more = addedBy(read, specs);
    const folds = read.every((spec) => !spec || spec.data) && more <= room;
    if (folds) room -= more;
    const outputs = folds ? compute(node, operators, read as Value[], specs) : specs;
    for (const [i, name] of node.outputs.entries()) known.set(name, outputs[i]!);
  }
  known.delete("");
  return known;

  function inferred(node: GraphNode, read: readonly (Spec | undefined)[]): Spec[] {
    try {
      return outputsOf(node, operators, read);
    } catch (error) {
      throw withOrigin(error, graph, inputs);
    }
  }
}

/** Elements that outputs have more than inputs. */
function addedBy(inputs: readonly (Spec | undefined)[], outputs: readonly Spec[]): number {
  const count = (specs: readonly (Spec | undefined)[]): number =>
    specs.reduce((sum, spec) => sum + (spec ? sizeOf(spec.shape) : 0), 0);
  return Math.max(0, count(outputs) - count(inputs));
}
