// A seeded generator of random numbers, the same on every machine.

export interface Random {
  /** From 0 up to 1. */
  uniform(): number;
  /** Standard normal. */
  normal(): number;
}

/** mulberry32 (Tommy Ettinger, public domain), and the normal numbers of Box and Muller. */
export function seeded(seed: number): Random {
  let state = seed | 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return { uniform, normal };
}
