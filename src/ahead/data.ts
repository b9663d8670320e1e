// The data of compiled files: one list of words, of programs' images and packed weights. What is equal is stored once.

import type { Weights } from "../backend/backend.ts";
import { checkRoom, type ProgramImage, packedWeights } from "../backend/wasm/code.ts";
import { toBits } from "../graph/halves.ts";
import type { ProgramRecipe, Words } from "./recipe.ts";
import { hashOf } from "./runtime.js";

/** In which numbers weights are stored; they are computed with as f32. */
export type StoredWeights = "f32" | "f16";

/** Bytes of a page of memory. */
const pageBytes = 65536;
/** Shorter runs of words are no shorter when packed. */
const leastRun = 4;

export class DataWriter {
  /** The greatest error of a weight that is stored as a half float, over the greatest weight beside it. */
  error = 0;
  private readonly stored: StoredWeights;
  private readonly parts: { words: Int32Array; at: Words }[] = [];
  private length = 0;

  constructor(stored: StoredWeights) {
    this.stored = stored;
  }

  /** Words are looked up by their hash. */
  private readonly known = new Map<number, { words: Int32Array; at: Words }[]>();

  add(bytes: Uint8Array | Int32Array): Words {
    const words = bytes instanceof Int32Array ? bytes : new Int32Array(Math.ceil(bytes.length / 4));
    if (!(bytes instanceof Int32Array)) new Uint8Array(words.buffer).set(bytes);
    const hash = hashOf(words);
    const alike = this.known.get(hash) ?? [];
    const same = alike.find(
      (one) => one.words.length === words.length && one.words.every((word, i) => word === words[i]),
    );
    if (same) return same.at;
    const part = { words, at: [this.length, this.length + words.length] as Words };
    this.known.set(hash, [...alike, part]);
    this.parts.push(part);
    this.length += words.length;
    return part.at;
  }

  /** A program with its weights; `room`: bytes that arrays need on their way. */
  program(image: ProgramImage, weights: Weights, room: number): ProgramRecipe {
    const staging = Math.ceil(image.end / 16) * 16;
    checkRoom(staging + room);
    const kept = [...packedWeights(image, weights)].map(([address, bytes]): ProgramRecipe["weights"][number] => {
      const place = [...image.places.values()].find(({ data }) => data === address)!;
      const halves = this.stored === "f16" && place.spec.dtype === "f32" ? this.halved(bytes) : undefined;
      const [from, to] = this.add(halves ? new Uint8Array(halves.buffer) : bytes);
      return [address, from, to, halves?.length ?? 0];
    });
    return {
      pages: Math.ceil((staging + room) / pageBytes),
      base: image.base,
      image: this.add(packedWords(image.bytes)),
      weights: kept,
      staging,
    };
  }

  /** Floats as half floats; none where one of them is too large. */
  private halved(bytes: Uint8Array<ArrayBuffer>): Uint16Array<ArrayBuffer> | undefined {
    const floats = new Float32Array(bytes.buffer);
    const largest = floats.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    // The greatest half float.
    if (!(largest <= 65504)) return undefined;
    const halves = new Uint16Array(toBits(floats, "f16"));
    for (const value of floats) this.error = Math.max(this.error, halfError(value) / (largest || 1));
    return halves;
  }

  finish(): Int32Array<ArrayBuffer> {
    const all = new Int32Array(this.length);
    for (const { words, at } of this.parts) all.set(words, at[0]);
    return all;
  }
}

/** By how much a half float misses a number at most: half a unit of its last place. */
const halfError = (value: number): number =>
  value === 0 ? 0 : 2 ** Math.max(-25, Math.floor(Math.log2(Math.abs(value))) - 11);

/** Words as runs of equal steps, which tables of rows are, and others, as `unpack` reads them. */
export function packedWords(bytes: Uint8Array): Int32Array<ArrayBuffer> {
  const isWhole = bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0;
  const words = isWhole ? new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4) : new Int32Array(Math.ceil(bytes.length / 4)); // biome-ignore format: a line
  if (!isWhole) new Uint8Array(words.buffer).set(bytes);
  const packed: number[] = [];
  let others = 0;
  const close = (end: number): void => {
    if (end > others) packed.push(end - others, ...words.subarray(others, end));
  };
  for (let i = 0; i < words.length; ) {
    const step = ((words[i + 1] ?? 0) - words[i]!) | 0;
    let end = i + 1;
    while (end < words.length && ((words[end]! - words[end - 1]!) | 0) === step) end++;
    if (end - i < leastRun) {
      i++;
      continue;
    }
    close(i);
    packed.push(i - end, words[i]!, step);
    others = i = end;
  }
  close(words.length);
  return Int32Array.from(packed);
}
