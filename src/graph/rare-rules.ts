// Lowering rules that few networks need: loaded with those that do.
import type { LoweringRule } from "./lowering.ts";
import type { GraphNode } from "./types.ts";

const loaders: Readonly<Record<string, () => Promise<LoweringRule>>> = {
  GridSample: async () => (await import("./lower-sample.ts")).gridSample,
};

export const hasRareRule = (op: string): boolean => Object.hasOwn(loaders, op);

/** By the operator's name, those that some nodes need. */
export async function rareRules(nodes: readonly GraphNode[]): Promise<Readonly<Record<string, LoweringRule>>> {
  const names = [...new Set(nodes.map(({ op }) => op))].filter(hasRareRule);
  return Object.fromEntries(await Promise.all(names.map(async (op) => [op, await loaders[op]!()] as const)));
}
