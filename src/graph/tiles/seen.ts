// What is said of a node of a network of pictures: where rows and columns lie, and which places its results see.
import { UnsupportedError } from "../../errors.ts";
import { nameOf } from "../nodes.ts";
import type { GraphNode, Operators, Spec } from "../types.ts";

/** Which axes of a value are the rows and the columns of the picture; other values say nothing of single places. */
export type Field = readonly [rows: number, columns: number];

/** The places of an input's axis that a place of the result's is made of, and as which part of it: a tap, a weight. */
export type Reader = (place: number) => readonly (readonly [at: number, part: number])[];

/** How one result of a node sees its inputs. */
export interface Sight {
  field: Field;
  /** Of each input that shows the picture; where no reader is, each place sees the same place. */
  reads: readonly { input: number; along: readonly [Reader | undefined, Reader | undefined] }[];
  /** What must be the same in the whole picture and in a tile. */
  signature?: string;
}

/** A node, what is known of its inputs and results, and where the picture lies in its inputs. */
export interface Seen {
  node: GraphNode;
  operators: Operators;
  inputs: readonly (Spec | undefined)[];
  fields: readonly (Field | undefined)[];
  outputs: readonly Spec[];
}

/** Why a node keeps a network from being run by tiles. */
export function noTiles({ node }: Pick<Seen, "node">, received: string, cause?: unknown): never {
  throw new UnsupportedError({
    parameter: nameOf(node),
    expected: "results of which each place depends on places near it alone, so that tiles can give what the whole picture gives",
    received,
    hint: "run the picture whole, or in a smaller size",
    cause,
  }); // biome-ignore format: a line
}
