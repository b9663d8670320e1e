// Checks what a run binds once more, when it begins: meanwhile the caller may have taken arrays away.
import { InvalidArgumentError } from "../errors.ts";
import { checkThere } from "../tensor.ts";
import { type Binding, type Bindings, isValue, type TargetBinding } from "./backend.ts";

/** Elements that a binding's array must have. */
function elementsIn(binding: Binding): number {
  if (binding.kind === "tensor") return binding.images * binding.height * binding.width * binding.channels;
  if (binding.kind === "source") return binding.width * binding.height * binding.channels;
  return (targetAt(binding, binding.height - 1) + binding.width) * binding.source.channels;
}

/** The pixel of a target's array at which a row of the result begins. */
export const targetAt = ({ width, at = { x: 0, y: 0, pitch: width } }: TargetBinding, row: number): number =>
  (at.y + row) * at.pitch + at.x;

/** @throws InvalidArgumentError for arrays that were detached or shrunk, and for values that are not of this backend. */
export function checkBindings(bindings: Bindings, isOwn: (data: unknown) => boolean): void {
  for (const [id, binding] of bindings) {
    const { data } = binding;
    if (binding.kind === "source" && binding.known?.mask)
      checkThere("mask", binding.known.mask, binding.width * binding.height);
    if (!isValue(data)) checkThere(id, data as unknown as ArrayLike<number>, elementsIn(binding));
    else if (!isOwn(data)) {
      const [expected, received] = ["one of this engine", "another's"];
      throw new InvalidArgumentError({ parameter: "value", expected, received });
    }
  }
}
