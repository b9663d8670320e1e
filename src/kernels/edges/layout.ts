// What the specification and the generated code of the edges family share: its numbers, its parameters, its ring of rows.
import type { BufferSpec, EdgesSpec } from "../../plan/types.ts";
import { pixelsOf } from "../kernel.ts";
import { wordsOf } from "../words.ts";

/** tan 22.5° in 15 bits after the point, as OpenCV has it, and in f32; tan 67.5° is 2 more. */
export const tangents = { shift: 15, whole: 13573, least: Math.fround(0.41421357), most: Math.fround(2.4142137) };

/** The thresholds as norms are compared with them. Integers are above one where they are above its whole part. */
export const boundsOf = ({ thresholds, arithmetic }: EdgesSpec): number[] =>
  thresholds.map((bound) => (arithmetic === "i16" ? Math.min(2 ** 31 - 1, Math.floor(bound)) : Math.fround(bound)));

/** `elements` of a row, in whole words of results `all`, and the bytes that these take. */
export const words = wordsOf("elements", "all", "bytes", "ring", "last");

/** Where the thresholds follow, integers or floats. */
export const [lowAt, highAt] = [words.bytes, words.bytes + 4] as const;

/** Bytes before a row of norms, which are zeros, as are those after it. */
export const margin = 16;

export const elementsOf = (input: BufferSpec): number => pixelsOf(input) * input.channels;

/** Words of bits for so many elements. */
export const wordsFor = (elements: number): number => Math.ceil(elements / 32);

/** Vectors of zeros after a row of norms: no fewer than bits in a word, and one beyond the last. */
export const zeros = 9;

/** Of one row of norms or derivatives: an element for each bit of a half of the results, and margins. */
export const ringBytes = ({ width }: BufferSpec): number => margin + 4 * 4 * width + 16 * zeros;
