// Which of the weak edges of a picture are edges: those that strong ones lead to, from neighbour to neighbour. By bits, 32 at
// a time.
import { Slices } from "../backend/slices.ts";
import type { FilterCallOptions } from "./types.ts";

/** Rows of words: bits of strong edges, then bits of all edges, strong and weak. */
export interface EdgeBits {
  bits: Int32Array;
  /** Of each half of a row. */
  words: number;
  /** Of a row, and from one pixel to the next: neighbours have the same channel. */
  elements: number;
  step: number;
}

type Signal = FilterCallOptions["signal"];

/** Words that are gone through before events get their turn. */
const share = 1 << 15;

/** Makes strong each edge that touches a strong one along a side or a corner, and so on. */
export async function follow(edges: EdgeBits, signal: Signal): Promise<void> {
  const trail = new Trail(edges);
  const slices = new Slices(signal);
  const rows = edges.bits.length / (2 * edges.words);
  const each = Math.ceil(share / edges.words);
  for (let first = 0; first < rows; first += each) {
    trail.start(first, Math.min(rows, first + each));
    while (trail.goOn(share)) if (slices.due()) await slices.next();
    if (slices.due()) await slices.next();
  }
}

/** Puts 255 where edges are strong. */
export async function draw({ bits, words, elements }: EdgeBits, out: Uint8Array, signal: Signal): Promise<void> {
  const slices = new Slices(signal);
  const rows = bits.length / (2 * words);
  for (let y = 0; y < rows; y++) {
    const row = 2 * words * y;
    for (let w = 0; w < words; w++) {
      const at = elements * y + 32 * w;
      for (let left = bits[row + w]!; left !== 0; left &= left - 1) out[at + 31 - Math.clz32(left & -left)] = 255;
    }
    if (slices.due()) await slices.next();
  }
}

/** Words beside those that changed, to be looked at. */
class Trail {
  private readonly bits: Int32Array;
  private readonly words: number;
  private readonly step: number;
  private waiting = new Int32Array(1024);
  private count = 0;

  constructor({ bits, words, step }: EdgeBits) {
    this.bits = bits;
    this.words = words;
    this.step = step;
  }

  /** Goes through some rows once. */
  start(first: number, end: number): void {
    const { bits, words } = this;
    for (let y = first; y < end; y++) {
      const row = 2 * words * y;
      for (let at = row; at < row + words; at++) if ((bits[at + words]! & ~bits[at]!) !== 0) this.look(at);
    }
  }

  /** Looks at the words that wait, at most so many; whether there are more. */
  goOn(most: number): boolean {
    for (let left = most; left > 0 && this.count > 0; left--) this.look(this.waiting[--this.count]!);
    return this.count > 0;
  }

  /** Makes strong the edges of a word that touch strong ones. */
  private look(at: number): void {
    const { bits, words, step } = this;
    const x = at % (2 * words);
    const [isFirst, isLast] = [x === 0, x === words - 1];
    const others = 32 - step;
    let near = 0;
    for (let row = at - 2 * words; row <= at + 2 * words; row += 2 * words) {
      if (row < 0 || row >= bits.length) continue;
      const word = bits[row]!;
      near |= word | (word << step) | (word >>> step);
      if (!isFirst) near |= bits[row - 1]! >>> others;
      if (!isLast) near |= bits[row + 1]! << others;
    }
    const before = bits[at]!;
    const all = bits[at + words]!;
    let own = before | (near & all);
    if (own === before) return;
    for (let last = before; own !== last; ) {
      last = own;
      own |= ((own << step) | (own >>> step)) & all;
    }
    bits[at] = own;
    this.pass(at, own & ~before, isFirst, isLast);
  }

  /** Lets words around one wait that have weak edges beside its new strong ones. */
  private pass(at: number, fresh: number, isFirst: boolean, isLast: boolean): void {
    const { bits, words, step } = this;
    if (this.count + 8 > this.waiting.length) this.grow();
    const others = 32 - step;
    const [before, here, after] = [fresh << others, fresh | (fresh << step) | (fresh >>> step), fresh >>> others];
    for (let row = at - 2 * words; row <= at + 2 * words; row += 2 * words) {
      if (row < 0 || row >= bits.length) continue;
      if (before !== 0 && !isFirst) this.wait(row - 1, before);
      if (row !== at) this.wait(row, here);
      if (after !== 0 && !isLast) this.wait(row + 1, after);
    }
  }

  private wait(at: number, beside: number): void {
    if ((this.bits[at + this.words]! & ~this.bits[at]! & beside) !== 0) this.waiting[this.count++] = at;
  }

  private grow(): void {
    const more = new Int32Array(2 * this.waiting.length);
    more.set(this.waiting);
    this.waiting = more;
  }
}
