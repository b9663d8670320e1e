// Parameter blocks of 32-bit words with names: written by a kernel's `params`, read by its generated code.
import { type Code, get, type Local, load } from "../codegen/assembler.ts";

export interface Words<Word extends string> {
  /** The block, from a value for every name. */
  pack(values: Readonly<Record<Word, number>>): Uint8Array;
  /** Bytes of the block. */
  readonly bytes: number;
  /** Code that reads a word of the block that a local points to. */
  reader(params: Local): (word: Word) => Code;
}

export function wordsOf<const Word extends string>(...names: readonly Word[]): Words<Word> {
  return {
    pack: (values) => new Uint8Array(Int32Array.from(names, (name) => values[name]).buffer),
    bytes: names.length * 4,
    reader: (params) => (word) => load("i32.load", get(params), names.indexOf(word) * 4),
  };
}

/** A parameter block, and words after it. */
export function withNumbers(block: Uint8Array, numbers: readonly number[]): Uint8Array {
  const whole = new Uint8Array(block.length + 4 * numbers.length);
  whole.set(block);
  whole.set(new Uint8Array(Int32Array.from(numbers).buffer), block.length);
  return whole;
}
