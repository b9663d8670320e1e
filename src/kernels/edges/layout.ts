// What the specification and the generated code of the edges family share: its numbers, its parameters, its ring of rows.
import type { BufferSpec, EdgesSpec } from "../../plan/types.ts";
import { rowElements } from "../kernel.ts";
import { wordsOf } from "../words.ts";

/** What stands for an edge above the low threshold, and for one above both. */
export const weakEdge = 2;
export const strongEdge = 255;

/** tan 22.5° in 15 bits after the point, as OpenCV has it, and in f32; tan 67.5° is 2 more. */
export const tangents = { shift: 15, whole: 13573, least: Math.fround(0.41421357), most: Math.fround(2.4142137) };

/** Bytes and 16-bit integers are computed in integers. */
export const isWhole = ({ dtype }: BufferSpec): boolean => dtype === "u8" || dtype === "i16";

/** The thresholds as norms are compared with them. Integers are above one where they are above its whole part. */
export const boundsOf = ({ thresholds }: EdgesSpec, whole: boolean): number[] =>
  thresholds.map((bound) => (whole ? Math.min(2 ** 31 - 1, Math.floor(bound)) : Math.fround(bound)));

export const words = wordsOf("elements", "ring", "last");

/** Where the thresholds follow, integers or floats. */
export const [lowAt, highAt] = [words.bytes, words.bytes + 4] as const;

/** Bytes before a row of norms, which are zeros, as are those after it. */
export const margin = 16;

/** Of one row of norms or derivatives: the elements in whole blocks, with margins and what vectors reach beyond. */
export const ringBytes = (write: BufferSpec): number => margin + 4 * 16 * Math.ceil((rowElements(write) + 16) / 16);
