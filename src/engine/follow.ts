// Which of the weak edges of a picture are edges: those that strong ones lead to, from neighbour to neighbour.
import { Slices } from "../backend/slices.ts";
import { strongEdge, weakEdge } from "../kernels/edges/layout.ts";
import type { FilterCallOptions } from "./types.ts";

/** Bytes, or edges, that are gone through before events get their turn. */
const share = 1 << 18;

/** A bit that strong edges have alone, in each byte of a word. */
const strongBits = 0x01010101;

/**
 * Makes strong each weak edge that touches a strong one along a side or a corner, and so on; then zero what is still weak. `map`
 * has rows of `row` bytes with `channels` pictures side by side, each of which is followed by itself.
 */
export async function follow(
  map: Uint8Array,
  row: number,
  channels: number,
  signal: FilterCallOptions["signal"],
): Promise<void> {
  const slices = new Slices(signal);
  const trail = new Trail(map, row, channels);
  // Bytes go four by four, but for those before and after whole words.
  const before = Math.min(map.length, -map.byteOffset & 3);
  const words = new Int32Array(map.buffer, map.byteOffset + before, (map.length - before) >> 2);
  const after = before + 4 * words.length;
  const bytes = [...Array(before).keys(), ...Array.from({ length: map.length - after }, (_, i) => after + i)];
  for (const at of bytes) if (map[at] === strongEdge) trail.start(at);
  for (let first = 0; first <= words.length; first += share / 4) {
    trail.startAll(words, first, Math.min(words.length, first + share / 4), before);
    while (trail.goOn(share)) if (slices.due()) await slices.next();
    if (slices.due()) await slices.next();
  }
  for (const at of bytes) if (map[at] === weakEdge) map[at] = 0;
  for (let first = 0; first < words.length; first += share) {
    const end = Math.min(words.length, first + share);
    for (let i = first; i < end; i++) if (words[i] !== 0) words[i] = Math.imul(words[i]! & strongBits, strongEdge);
    if (slices.due()) await slices.next();
  }
}

/** Edges that were made strong, and whose neighbours are still to be looked at. */
class Trail {
  private readonly map: Uint8Array;
  private readonly row: number;
  private readonly channels: number;
  private waiting = new Int32Array(1024);
  private count = 0;

  constructor(map: Uint8Array, row: number, channels: number) {
    this.map = map;
    this.row = row;
    this.channels = channels;
  }

  /** Starts at each strong edge of some words, the first of which stands at a byte. */
  startAll(words: Int32Array, first: number, end: number, byte: number): void {
    const { map } = this;
    for (let word = first; word < end; word++) {
      if ((words[word]! & strongBits) === 0) continue;
      const at = byte + 4 * word;
      for (let i = at; i < at + 4; i++) if (map[i] === strongEdge) this.start(i);
    }
  }

  /** Makes strong the weak edges around one. */
  start(at: number): void {
    const { map, row, channels } = this;
    if (this.count + 8 > this.waiting.length) this.grow();
    const x = at % row;
    const left = x < channels ? 0 : channels;
    const right = x >= row - channels ? 0 : channels;
    const top = at < row ? at : at - row;
    const bottom = at >= map.length - row ? at : at + row;
    for (let line = top; line <= bottom; line += row) {
      for (let i = line - left; i <= line + right; i += channels) {
        if (map[i] !== weakEdge) continue;
        map[i] = strongEdge;
        this.waiting[this.count++] = i;
      }
    }
  }

  /** Looks around at most so many edges; whether more are waiting. */
  goOn(most: number): boolean {
    for (let left = most; left > 0 && this.count > 0; left--) this.start(this.waiting[--this.count]!);
    return this.count > 0;
  }

  private grow(): void {
    const more = new Int32Array(2 * this.waiting.length);
    more.set(this.waiting);
    this.waiting = more;
  }
}
