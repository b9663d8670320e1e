// Draws from a seeded generator.

export interface Draws {
  /** From 0 to 1. */
  next(): number;
  chance(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** Both ends included. */
  integer(from: number, to: number): number;
}

export function drawsOf(next: () => number): Draws {
  return {
    next,
    chance: (probability) => next() < probability,
    pick: (from) => from[Math.floor(next() * from.length)]!,
    integer: (from, to) => from + Math.floor(next() * (to - from + 1)),
  };
}
