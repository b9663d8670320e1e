// Makes fewer stages of a plan: expressions of which one reads the other's result become one, and a stage that alone reads
// another's result runs strip by strip with it, while the rows are in cache: what lies between never is a whole value.
import { draftOf } from "../kernels/layer.ts";
import { builtInProfile } from "../plan/cost.ts";
import { mostRows, rowsOutOf, stepRows, windowOf } from "../plan/strips.ts";
import type { BufferSpec, ConvSpec, ExpressionSpec, Stage, Step } from "../plan/types.ts";
import { activateApart, fewRows } from "./activations-apart.ts";
import { ExpressionBuilder } from "./expressions.ts";
import type { StageOf } from "./lowering.ts";

/** What an expression may come to: nodes, and values that are read. */
const [mostNodes, mostReads] = [64, 3];
/** Rows that strips compute over and over, as a share of all. */
const mostOverlap = 0.3;

/** The same plan with fewer stages. `ends` are values that are wanted elsewhere. */
export function fuseStages(
  tasks: readonly StageOf[],
  given: readonly BufferSpec[],
  ends: readonly string[],
): { tasks: StageOf[]; buffers: BufferSpec[] } {
  const buffers = new Map(given.map((buffer) => [buffer.id, buffer]));
  const split = tasks.map((task) => activateApart(task, buffers));
  const joined = mergeStages(split, ends, (a, b, id) => joinExpressions(a.stage, b, id, buffers));
  const fused = mergeStages(joined, ends, (a, b, id) => runTogether(a, b, id, buffers));
  const used = new Set(fused.flatMap(({ stage }) => stage.steps.flatMap(({ reads, writes }) => [...reads, writes])));
  return { tasks: fused, buffers: [...buffers.values()].filter(({ id }) => used.has(id)) };
}

/**
 * Offers `merge` each pair of stages of which one step of the second alone reads what the last of the first alone writes: value
 * `id`. What it returns takes the place of the second, and may be of the next pair.
 */
function mergeStages(
  tasks: readonly StageOf[],
  ends: readonly string[],
  merge: (first: StageOf, second: StageOf, id: string) => StageOf | undefined,
): StageOf[] {
  const [readers, writers] = [new Map<string, number>(), new Map<string, number>()];
  for (const { stage } of tasks) {
    count(readers, stage, 1);
    for (const { writes } of stage.steps) add(writers, writes, 1);
  }
  for (const id of ends) add(readers, id, 1);
  const list: (StageOf | undefined)[] = [...tasks];
  const made = new Map<string, number>();
  const candidates = (task: StageOf): string[] => {
    const own = new Set(task.stage.steps.map(({ writes }) => writes));
    return [...readsOf(task)].filter((id) => made.has(id) && !own.has(id) && readers.get(id) === 1);
  };
  for (let at = 0; at < list.length; at++) {
    const ids = candidates(list[at]!);
    while (ids.length > 0) {
      const id = ids.pop()!;
      const [first, second] = [list[made.get(id)!]!, list[at]!];
      const merged = merge(first, second, id);
      if (!merged) continue;
      for (const { stage } of [first, second]) count(readers, stage, -1);
      count(readers, merged.stage, 1);
      list[made.get(id)!] = undefined;
      list[at] = merged;
      made.delete(id);
      ids.splice(0, ids.length, ...candidates(merged));
    }
    for (const { writes } of list[at]!.stage.steps) if (writers.get(writes) === 1) made.set(writes, at);
  }
  return list.filter((task) => task !== undefined);
}

const readsOf = ({ stage }: StageOf): Set<string> => new Set(stage.steps.flatMap(({ reads }) => reads));

const add = (counts: Map<string, number>, id: string, by: number): Map<string, number> =>
  counts.set(id, (counts.get(id) ?? 0) + by);

/** Counts the steps that read each value. */
function count(readers: Map<string, number>, { steps }: Stage, by: 1 | -1): void {
  for (const { reads } of steps) for (const id of new Set(reads)) add(readers, id, by);
}

type Buffers = Map<string, BufferSpec>;
type ExpressionStep = Step & { kernel: ExpressionSpec };

const isExpression = (step: Step): step is ExpressionStep => step.kernel.family === "expression";

/** The only step of a stage, where it is an expression. */
function expressionIn({ steps }: Stage): ExpressionStep | undefined {
  const [only, ...others] = steps;
  return others.length === 0 && isExpression(only!) ? only : undefined;
}

const sameSides = (a: BufferSpec, b: BufferSpec): boolean =>
  a.images === b.images && a.height === b.height && a.width === b.width && a.channels === b.channels;

/** An expression of another's result as one of that one's operands. */
function joinExpressions(first: Stage, { stage, node }: StageOf, id: string, buffers: Buffers): StageOf | undefined {
  const [a, b] = [expressionIn(first), expressionIn(stage)];
  const of = (id: string): BufferSpec => buffers.get(id)!;
  if (!a || !b || a.kernel.channels !== b.kernel.channels || !sameSides(of(id), of(b.writes))) return undefined;
  const isStill = (id: string): boolean => of(id).height === 1;
  const rank = (id: string): number => (of(id).scope === "constant" ? 2 : Number(isStill(id)));
  const reads = [...new Set([...a.reads, ...b.reads])].filter((read) => read !== id).sort((x, y) => rank(x) - rank(y));
  if (reads.length > mostReads || (reads[0] !== undefined && of(reads[0]).scope === "constant")) return undefined;
  const builder = new ExpressionBuilder();
  const operand = (read: string) => builder.operand(reads.indexOf(read));
  const inner = builder.include(a.kernel, a.reads.map(operand));
  builder.finish(builder.include(b.kernel, b.reads.map((read) => (read === id ? inner : operand(read))))); // biome-ignore format: a line
  const { nodes, constants } = builder;
  if (nodes.length > mostNodes) return undefined;
  const operands = reads.map((read) => {
    const one = b.reads.includes(read) ? b : a;
    return one.kernel.operands[one.reads.indexOf(read)]!;
  });
  const still = reads[0] !== undefined && isStill(reads[0]) && of(b.writes).height! > 1;
  const kernel: ExpressionSpec = { ...b.kernel, nodes, constants, operands, strides: still ? [0, 0] : [1, 1] };
  const step: Step = { ...b, name: `${a.name}, ${b.name}`, kernel, reads };
  return { stage: { ...stage, steps: [step] }, node };
}

/** Two stages as one: an expression after what makes its operand, or before what reads it. */
function runTogether(a: StageOf, b: StageOf, id: string, buffers: Buffers): StageOf | undefined {
  const [value, last, next] = [buffers.get(id)!, a.stage.steps.at(-1)!, b.stage.steps[0]!];
  const each = rowsOutOf(last.kernel);
  const steps = [...a.stage.steps, ...b.stage.steps];
  const isCut = ({ kernel }: Step): boolean =>
    !windowOf(kernel) || windowOf(kernel)!.whole === true || (windowOf(kernel)!.rowStart ?? 0) > 0;
  if (value.scope !== "arena" || steps.some(isCut) || (last.kernel as ConvSpec).phase) return undefined;
  const { images, extent } = a.stage.grid;
  if (images !== b.stage.grid.images || images !== value.images || extent * each !== value.height) return undefined;
  const after = expressionIn(b.stage);
  const before = expressionIn(a.stage);
  const second = after ? readFirst(after, id, each, value, buffers) : next;
  if (second?.reads[0] !== id || second.reads.lastIndexOf(id) !== 0) return undefined;
  if (!after && !before) return undefined;
  const grid = after ? a.stage.grid : b.stage.grid;
  if (grid.extent < fewRows && (after ? a : b).stage.steps.length === 1) return undefined;
  const together = [...a.stage.steps, second, ...b.stage.steps.slice(1)];
  const made: Buffers = new Map(buffers).set(id, { ...value, scope: "strip" });
  const stage = draftOf(builtInProfile, "", [...made.values()], [together], { extent: grid.extent }).stages[0]!;
  if (overlapOf(stage, a.stage.steps.length - 1, value, made) > mostOverlap) return undefined;
  buffers.set(id, made.get(id)!);
  return { stage, node: after ? a.node : b.node };
}

/** An expression that reads a value of its own sides first, as many rows at a time as are made of it. */
function readFirst(step: ExpressionStep, id: string, each: number, value: BufferSpec, buffers: Buffers) {
  const { kernel, reads } = step;
  if (!sameSides(value, buffers.get(step.writes)!)) return undefined;
  const order = [reads.indexOf(id), ...reads.keys()].filter((at, i, all) => all.indexOf(at) === i);
  const nodes = kernel.nodes.map((node) =>
    node[0] === "operand" ? (["operand", order.indexOf(node[1])] as const) : node,
  );
  const operands = order.map((at) => kernel.operands[at]!);
  const rows = each > 1 && { size: [each, 1] as [number, number], rowsOut: each };
  const made: ExpressionSpec = { ...kernel, nodes, operands, strides: [each, 1], ...rows };
  return { ...step, kernel: made, reads: order.map((at) => reads[at]!) };
}

/** Rows of a value that the strips of a stage compute more than once, as a share of all of them. */
function overlapOf(stage: Stage, writer: number, { height }: BufferSpec, buffers: Buffers): number {
  const { extent, grain } = stage.grid;
  const rows = stepRows(stage, [...buffers.values()])[writer]!;
  const each = rowsOutOf(stage.steps[writer]!.kernel);
  return (Math.ceil(extent / grain) * mostRows(rows, grain) * each) / height! - 1;
}
