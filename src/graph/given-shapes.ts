// Errors of nodes point at the shapes that the caller has given to the inputs, where sizes follow from those.
import { describe, InvalidArgumentError } from "../errors.ts";
import type { Dimension, Graph, Spec, ValueInfo } from "./types.ts";

export const listed = (shape: readonly Dimension[] = []): string => `[${shape.map((side) => side ?? "?").join(", ")}]`;

/** What the file says of an input, where a caller has said more. */
const declaredOf = ({ declared, shape }: ValueInfo): readonly Dimension[] | undefined => declared ?? shape;

/** An error of a node, with a word on where sizes come from if it was the caller who chose them. */
export function withOrigin(error: unknown, { inputs }: Graph, specs: ReadonlyMap<string, Spec>): unknown {
  if (!(error instanceof InvalidArgumentError) || !error.parameter.startsWith("node ")) return error;
  const chosen = inputs.filter((info) => {
    const declared = declaredOf(info);
    return specs.has(info.name) && (info.declared || !declared?.every((side) => typeof side === "number"));
  });
  if (chosen.length === 0) return error;
  const said = chosen.map((info) => {
    const file = declaredOf(info);
    const says = file ? `the file says ${listed(file)}` : "the file says no shape";
    return `input ${describe(info.name)} of ${listed(specs.get(info.name)!.shape)} (${says})`;
  });
  const { parameter, expected, received } = error;
  const hint = `sizes follow from ${said.join(" and ")}: choose others there, by shapes or --size`;
  return new InvalidArgumentError({ parameter, expected, received, hint, cause: error });
}
