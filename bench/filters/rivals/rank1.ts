// rank1 itself, from its sources: with 128-bit code (the library's default) and wide.
import { createEngine, type Engine, filters } from "../../../src/index.ts";
import { rank1Version, timed } from "../../rival.ts";
import { filterOf, optionsOf, outputFor } from "../call.ts";
import type { Rival } from "./rival.ts";

export async function rank1({ wide }: { wide: boolean }): Promise<Rival> {
  const engines = new Map<number, Promise<Engine>>();
  const engineFor = (threads: number): Promise<Engine> => {
    if (!engines.has(threads)) engines.set(threads, createEngine({ threads, wide, backend: "wasm" }));
    return engines.get(threads)!;
  };
  const { enabled, reason } = (await engineFor(1)).info().wide;
  if (wide && !enabled) throw new Error(`no wide mode here: ${reason}`);
  return {
    name: wide ? "rank1 wide" : "rank1",
    ours: true,
    version: rank1Version,
    note: wide ? "`createEngine({ wide: true })`, `out` given" : "128-bit code, the library's default; `out` given",
    threads: [1, 2],
    border: "reflect",
    supports: () => true,
    async prepare(problem, picture, threads) {
      const engine = await engineFor(threads);
      const [filter, options, out] = [filterOf(problem, filters), optionsOf(problem), outputFor(problem, picture)];
      const { solver, summary } = engine.plan(engine.filterProblem({ ...picture, dtype: "u8" }, filter, options));
      return {
        plan: `${solver}: ${summary}`,
        run: () => timed(() => engine.filter(picture, filter, { ...options, out })),
        result: async () => out,
        dispose() {},
      };
    },
    async close() {
      for (const engine of engines.values()) (await engine).dispose();
    },
  };
}
