// What one thread can multiply and add at most: chains of multiply-adds that stay in registers, many enough that none waits.
import {
  bump,
  type Code,
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
} from "../../src/wasm/assembler.ts";
import { compileOptimised, wideSupport } from "../../src/wasm/wide.ts";

const [steps, unrolled, trials] = [20_000, 4, 40];

/** GFLOP/s with 128-bit code, and wide: NaN where there is no wide mode. */
export function measurePeaks(): { narrow: number; wide: number } {
  return { narrow: peakOf(false), wide: wideSupport().supported ? peakOf(true) : Number.NaN };
}

function peakOf(wide: boolean): number {
  const chains = wide ? 24 : 12;
  const loop = compileChains(wide, chains);
  let least = Infinity;
  for (let trial = 0; trial < trials; trial++) {
    const start = performance.now();
    loop(steps);
    least = Math.min(least, performance.now() - start);
  }
  return (steps * unrolled * chains * 4 * 2) / (least * 1e6);
}

/** sum = sum / 2 + x, again and again, on as many vectors as the registers hold. */
function compileChains(wide: boolean, chains: number): (steps: number) => void {
  const module = new ModuleBuilder();
  module.define("chains", ["i32"], (f) => {
    const [count] = f.params as [Local];
    const [base, factor] = [f.local("i32"), f.local("v128")];
    const values = [f.local("v128"), f.local("v128")];
    const sums = Array.from({ length: chains }, () => f.local("v128"));
    const loadAll = (vectors: readonly Local[]): Code[] =>
      vectors.map((vector, v) => set(vector, load("v128.load", get(base), v * 16)));
    const turn = sums.map((sum, v) => set(sum, op("f32x4.relaxed_madd", get(sum), get(factor), get(values[v % 2]!))));
    f.emit(
      set(base, i32(0)),
      set(factor, splat("f32x4", 0.5)),
      ...loadAll(values),
      ...loadAll(sums),
      whileLoop(get(count), ...Array.from({ length: unrolled }, () => turn).flat(), bump(count, -1)),
      ...sums.map((sum, v) => store("v128.store", get(base), get(sum), v * 16)),
    );
  });
  const bytes = module.encode({ shared: false, maximum: 0 }, wide ? "wide peaks" : "peaks");
  const memory = new WebAssembly.Memory({ initial: 1 });
  return compileOptimised(wide, () => {
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    const chains = exports.chains as (steps: number) => void;
    chains(0); // compiled at its first call
    return chains;
  });
}
