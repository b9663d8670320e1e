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
  for (let i = 0; i < bindings.length; i++) {
    const id = bindings[i]![0];
    const binding = bindings[i]![1];
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

/** Whether bindings are those of an earlier run but for their arrays: what was made for these serves them as well. */
export function areLike(bindings: Bindings, earlier: Bindings): boolean {
  if (bindings.length !== earlier.length) return false;
  for (let i = 0; i < bindings.length; i++) {
    if (bindings[i]![0] !== earlier[i]![0] || !isLike(bindings[i]![1], earlier[i]![1])) return false;
  }
  return true;
}

type Fields = Record<string, unknown>;

function isLike(one: object, other: object): boolean {
  for (const key in one) {
    const a = (one as Fields)[key];
    const b = (other as Fields)[key];
    // Values are laid out anew now and then, and weights of pixels come in several types.
    if (key === "known" && (a !== undefined || b !== undefined)) return false;
    if (key === "data") {
      if (isValue(a as ArrayBufferView) || isValue(b as ArrayBufferView)) return false;
    } else if (a !== b && !(typeof a === "object" && typeof b === "object" && a && b && isLike(a, b))) return false;
  }
  for (const key in other) if (!(key in one)) return false;
  return true;
}
