// What this machine can do at most on one thread, measured by generated loops: multiply-adds and additions in registers,
// loads from the second-level cache, copies in memory. `rank1 bench` holds kernels against it; nothing else reaches it.

import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
  set,
  splat,
  store,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { CodeMode } from "../../kernels/kernel.ts";
import { multiplyAdd } from "../../kernels/lanes.ts";
import type { Arithmetic } from "../../plan/types.ts";
import type { Abortable } from "../slices.ts";
import { compileOptimised } from "../wasm/wide.ts";
import { leastTime } from "./least-time.ts";

/** Per nanosecond on one thread. */
export interface Peaks {
  /** Multiply-adds by arithmetic; one is 2 FLOP. */
  multiplications: Record<Arithmetic, number>;
  /** Additions of 32-bit integers. */
  additions: number;
  /** Bytes loaded from the second-level cache. */
  cache: number;
  /** Bytes read plus bytes written by a copy in memory. */
  memory: number;
}

/** A working set that no first-level cache holds, and every second-level one. */
export const cachedBytes = 160 * 1024;
/** More than last-level caches hold. */
const copiedBytes = 1 << 26;

type Loop = (count: number) => void;

export interface PeakOptions {
  mode: CodeMode;
  signal?: Abortable;
  /** Called with the share that is done. */
  onProgress?: (done: number) => void;
}

/** Measures the machine with the kind of code that `mode` names: in less than a second. */
export async function measurePeaks({ mode, signal, onProgress }: PeakOptions): Promise<Peaks> {
  const { loops } = peakLoops(mode);
  const [steps, passes] = [4000, 4];
  let done = 0;
  const rate = async (amount: number, work: () => void): Promise<number> => {
    const nanoseconds = await leastTime(work, { signal });
    onProgress?.(++done / 8);
    return amount / nanoseconds;
  };
  const arithmetic = (name: string, lanes: number): Promise<number> =>
    rate(steps * unrolled * vectorsOf(mode) * lanes, () => loops[name]!(steps));
  const [from, to] = [new Uint8Array(copiedBytes).fill(1), new Uint8Array(copiedBytes).fill(2)];
  const [i16, i32] = [await arithmetic("i16", 8), await arithmetic("i32", 4)];
  const [f32, f64] = [await arithmetic("f32", 4), await arithmetic("f64", 2)];
  return {
    multiplications: { i16, u16: i16, i32, f32, f64, fixed: await arithmetic("fixed", 8) },
    additions: await arithmetic("addition", 4),
    cache: await rate(passes * cachedBytes, () => loops.cache!(passes)),
    memory: await rate(2 * copiedBytes, () => to.set(from)),
  };
}

/** Chains of dependent instructions that hide one another's latency, within the registers. */
export const vectorsOf = ({ wide }: CodeMode): number => (wide ? 24 : 12);
/** Steps of every chain in one turn of a loop. */
export const unrolled = 4;

/** The loops, by name, and the memory that they begin with and leave their sums in. */
export function peakLoops(mode: CodeMode): { loops: Record<string, Loop>; memory: WebAssembly.Memory } {
  const module = new ModuleBuilder();
  for (const arithmetic of ["i16", "i32", "f32", "f64", "fixed"] as const) {
    emitChains(module, arithmetic, mode, (sum, factor, x) => multiplyAdd(arithmetic, mode, sum, factor, x));
  }
  emitChains(module, "addition", mode, (sum, _factor, x) => op("i32x4.add", sum, x));
  emitLoads(module, mode);
  const bytes = module.encode({ shared: false, maximum: 0 }, mode.wide ? "wide peaks" : "peaks");
  const memory = new WebAssembly.Memory({ initial: Math.ceil((cachedBytes + vectorsOf(mode) * 16) / 65536) });
  const loops = compileOptimised(mode.wide, () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    for (const loop of Object.values(exports)) (loop as Loop)(0); // compiled at its first call
    return exports as Record<string, Loop>;
  });
  return { loops, memory };
}

/** sum = step(sum, factor, x), again and again, on as many vectors as the registers hold. */
function emitChains(
  module: ModuleBuilder,
  name: string,
  mode: CodeMode,
  step: (sum: Code, factor: Code, x: Code) => Code,
): void {
  module.define(name, ["i32"], (f) => {
    const [count] = f.params as [Local];
    const base = f.local("i32");
    const factor = f.local("v128");
    const values = [f.local("v128"), f.local("v128")];
    const sums = f.array("v128", vectorsOf(mode));
    const turn = sums.map((sum, v) => set(sum, step(get(sum), get(factor), get(values[v % 2]!))));
    f.emit(
      set(base, i32(0)),
      // Half of each sum goes on in floating point: it stays finite. Integers may wrap around.
      set(factor, name === "f32" ? splat("f32x4", 0.5) : name === "f64" ? splat("f64x2", 0.5) : splat("i16x8", 3)),
      ...loadAll(values, base),
      ...loadAll(sums, base),
      whileLoop(get(count), ...Array.from({ length: unrolled }, () => turn).flat(), bump(count, -1)),
      ...sums.map((sum, v) => store("v128.store", get(base), get(sum), v * 16)),
    );
  });
}

/** Adds up all vectors of a block of memory, `count` times. */
function emitLoads(module: ModuleBuilder, mode: CodeMode): void {
  module.define("cache", ["i32"], (f) => {
    const [count] = f.params as [Local];
    const { base, at } = f.locals("i32", "base", "at");
    const vectors = mode.wide ? 16 : 8;
    const sums = f.array("v128", vectors);
    f.emit(
      set(base, i32(0)),
      ...loadAll(sums, base),
      whileLoop(
        get(count),
        set(at, i32(0)),
        doWhile(
          op("i32.lt_u", get(at), i32(cachedBytes)),
          ...sums.map((sum, v) => set(sum, op("i32x4.add", get(sum), load("v128.load", get(at), v * 16)))),
          bump(at, vectors * 16),
        ),
        bump(count, -1),
      ),
      ...sums.map((sum, v) => store("v128.store", get(base), get(sum), cachedBytes + v * 16)),
    );
  });
}

const loadAll = (vectors: readonly Local[], base: Local): Code[] =>
  vectors.map((vector, v) => set(vector, load("v128.load", get(base), v * 16)));
