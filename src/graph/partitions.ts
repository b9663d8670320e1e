// From a network to its partitions for inputs of given shapes: quantised nodes expanded, passes, and plans. Nothing is compiled.
import type { Engine } from "../engine/engine.ts";
import { type Abortable, inTurns } from "../engine/turns.ts";
import { compiling, type Partition } from "./compile.ts";
import { specializing } from "./passes/index.ts";
import type { Quantized } from "./quantized/expansion.ts";
import { isQuantized } from "./quantized/names.ts";
import { rareRules } from "./rare-rules.ts";
import { type Halves, restOf } from "./rest.ts";
import type { Graph, Operators, Spec } from "./types.ts";

/** A network that is planned. */
export interface Planned {
  /** As the passes leave it, and the types and shapes of its values. */
  optimised: Graph;
  specs: ReadonlyMap<string, Spec>;
  partitions: Partition[];
  /** Where elements decide shapes: what the partitions compute, and what only a run can type. */
  halves: Halves | undefined;
  /** Milliseconds. */
  passes: number;
  planning: number;
}

/** `least`: nodes of so many elements are worth a copy to the backend; absent: as many as `compile` says. */
export async function partitionsOf(
  graph: Graph,
  operators: Operators,
  inputs: ReadonlyMap<string, Spec>,
  engine: Engine,
  quantized: Quantized,
  { signal, least }: { signal?: Abortable; least?: number } = {},
): Promise<Planned> {
  const start = performance.now();
  const more = graph.nodes.some(isQuantized) ? await import("./quantized/index.ts") : undefined;
  const most = mostFolded(engine.room);
  const expanding = more?.expandingQuantized(graph, operators, inputs, quantized, most);
  const expanded = expanding ? await inTurns(expanding, signal) : graph;
  const { graph: optimised, specs, open } = await inTurns(specializing(expanded, operators, inputs, most), signal);
  const passed = performance.now();
  const halves = restOf(optimised, specs, open);
  const rules = { integers: more?.integerRules, joining: await rareRules(optimised.nodes), least };
  const before = halves?.before ?? optimised;
  const partitions = await inTurns(compiling(before, operators, specs, engine, undefined, rules), signal);
  return { optimised, specs, partitions, halves, passes: passed - start, planning: performance.now() - passed };
}

/** Bytes of constants that a network may be compiled with beside those of its file: as much is left for values. */
export const mostFolded = (room: number): number => room / 2;
