// What passes have fused into a node: an input that is added to its result, then an activation.
import { activate, activations } from "../../graph/activations.ts";
import { listOf, refuse, textOf } from "../../graph/nodes.ts";
import type { GraphNode, Spec, Value } from "../../graph/types.ts";
import { broadcastShape, combine } from "./broadcast.ts";

/** What is added must not make the result larger, and the activation must be a known one. */
export function checkFinish(node: GraphNode, y: Spec, residual?: Spec): void {
  if (residual && `${broadcastShape(node, [y, residual])}` !== `${y.shape}`) {
    refuse(node, `[${y.shape}] to add`, residual.shape);
  }
  if (node.attributes.activation !== undefined) textOf(node, "activation", Object.keys(activations));
}

export function finish(node: GraphNode, y: Value, residual?: Value): void {
  if (residual) combine(y, [y, residual], (a, b) => a + b);
  const { activation } = node.attributes;
  if (typeof activation === "string") activate(y, activation, listOf(node, "activationParameters") ?? [], y);
}
