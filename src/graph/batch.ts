// A batch that the caller has changed, in networks whose file writes its own into a node: that would mix images.
import { describe, InvalidArgumentError } from "../errors.ts";
import { listed } from "./given-shapes.ts";
import { inferKnown } from "./infer.ts";
import { nameOf } from "./nodes.ts";
import type { Graph, Operators, Spec } from "./types.ts";

/**
 * Refuses a batch that the caller has changed where a node writes down the file's: its result would mix images.
 *
 * @throws InvalidArgumentError that names the node and the option.
 */
export function checkBatch(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  specs: ReadonlyMap<string, Spec>,
): void {
  const changed = graph.inputs.filter(({ name, declared }) => {
    const [batch, own] = [declared?.[0], inputs.get(name)?.shape[0]];
    return typeof batch === "number" && own !== undefined && own !== batch;
  });
  if (changed.length === 0) return;
  const before = new Map(inputs);
  for (const { name, declared } of changed) {
    const spec = inputs.get(name)!;
    before.set(name, { ...spec, shape: spec.shape.with(0, declared![0] as number) });
  }
  const known = inferKnown(graph, operators, before).specs;
  const grown = (name: string): number[] | undefined => {
    const [from, to] = [known.get(name)?.shape, specs.get(name)?.shape];
    return from && to && from.length === to.length ? to.flatMap((side, i) => (side === from[i] ? [] : [i])) : undefined;
  };
  for (const node of graph.nodes) {
    if (node.op !== "Reshape" && node.op !== "Flatten") continue;
    const [x, y] = [node.inputs[0]!, node.outputs[0]!];
    if (grown(x)?.join() !== "0" || !grown(y)?.some((axis) => axis > 0)) continue;
    const { name, declared } = changed[0]!;
    throw new InvalidArgumentError({
      parameter: nameOf(node),
      expected: `a batch of ${declared![0]}, which it writes down: another would mix images`,
      received: `${listed(specs.get(x)!.shape)} as ${listed(specs.get(y)!.shape)}`,
      hint: `shapes says ${listed(inputs.get(name)!.shape)} of input ${describe(name)}, the file ${listed(declared)}`,
    });
  }
}
