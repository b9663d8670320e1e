// If, Loop and Scan: nodes that run networks of their own. What those read of the network around them comes with each call.
import { describe, LimitError } from "../../errors.ts";
import { axisOf, listOf, nameOf, numberOf, refuse, required, reshaped, unsupported } from "../../graph/nodes.ts";
import type { Control, Graph, GraphNode, Operator, Spec, Value } from "../../graph/types.ts";
import { elementsOf, newValue, sizeOf } from "../../graph/values.ts";
import { plural } from "../../words.ts";
import { linesOf } from "./loops.ts";

/** Elements of all values that a node collects: 1 GiB of f32. */
const mostCollected = 2 ** 28;

const operator = (name: string, control: Control): Operator => ({ name, infer: () => [], control });

function graphOf(node: GraphNode, name: string): Graph {
  const graph = node.graphs?.[name] ?? refuse(node, `a graph as attribute ${name}`, "none");
  return graph;
}

function captures<T>(node: GraphNode, inputs: readonly T[]): readonly T[] {
  return inputs.slice(inputs.length - (node.captured ?? 0));
}

/** The only element, of a condition or a count. */
function scalarOf(node: GraphNode, { data }: { data: ArrayLike<unknown> }, what: string): number {
  return data.length === 1 ? Number(data[0]) : refuse(node, `one element as ${what}`, `${data.length}`);
}

/** Type and shape where both agree. */
function common(a: Spec | undefined, b: Spec | undefined): Spec | undefined {
  if (!a || !b || a.dtype !== b.dtype || `${a.shape}` !== `${b.shape}`) return undefined;
  return { dtype: a.dtype, shape: a.shape };
}

const branches = (node: GraphNode): [Graph, Graph] => {
  const [then, other] = [graphOf(node, "then_branch"), graphOf(node, "else_branch")];
  const count = node.outputs.length;
  if (then.outputs.length < count || other.outputs.length < count)
    refuse(node, `${plural(count, "output")} of both branches`, "less");
  return [then, other];
};

const ifElse = operator("If", {
  infer: (node, inputs, within) => {
    const both = branches(node);
    const [condition] = inputs;
    if (condition && condition.dtype !== "bool") refuse(node, "a condition of type bool", condition.dtype);
    if (condition?.data) {
      return within(both[scalarOf(node, condition as Value, "condition") ? 0 : 1], captures(node, inputs));
    }
    const [then, other] = both.map((graph) => within(graph, captures(node, inputs)));
    return then!.map((spec, i) => common(spec, other![i]));
  },
  *run(node, inputs) {
    const [then, other] = branches(node);
    const holds = scalarOf(node, required(node, inputs, 0, ["bool"]), "condition") !== 0;
    return yield { graph: holds ? then : other, inputs: captures(node, inputs) as Value[] };
  },
});

/** Parts along a new first axis, or joined along an axis that they have; `hold` is told of the result before it is made. */
export function joined(
  node: GraphNode,
  parts: readonly Value[],
  axis: number,
  isNew: boolean,
  hold: (spec: Spec) => void = () => {},
): Value {
  const first = parts[0] ?? refuse(node, "at least one part to join", "none");
  const laid = isNew ? parts.map((part) => reshaped(part, part.shape.toSpliced(axis, 0, 1))) : parts;
  const { shape } = laid[0]!;
  for (const part of laid) {
    const same = part.dtype === first.dtype && part.shape.length === shape.length;
    if (!same || part.shape.some((side, i) => i !== axis && side !== shape[i])) {
      refuse(node, `parts like ${first.dtype} [${shape}]`, `${part.dtype} [${part.shape}]`);
    }
  }
  const length = laid.reduce((sum, part) => sum + part.shape[axis]!, 0);
  const spec: Spec = { dtype: first.dtype, shape: shape.with(axis, length) };
  hold(spec);
  const result = newValue(spec.dtype, spec.shape);
  const { inner } = linesOf(result, axis);
  const out = elementsOf(result);
  let from = 0;
  for (const part of laid) {
    const own = part.shape[axis]! * inner;
    const data = elementsOf(part);
    for (let at = from, start = 0; start < data.length; start += own, at += length * inner)
      out.set(data.subarray(start, start + own), at);
    from += own;
  }
  return result;
}

/** Values that iterations give, up to a limit of elements. */
class Collected {
  readonly lists: Value[][];
  private readonly node: GraphNode;
  private readonly hold: (spec: Spec) => void;
  private room = mostCollected;

  constructor(node: GraphNode, count: number, hold: (spec: Spec) => void) {
    this.node = node;
    this.hold = hold;
    this.lists = Array.from({ length: count }, () => []);
  }

  add(values: readonly Value[]): void {
    for (const [i, value] of values.entries()) {
      this.room -= sizeOf(value.shape) + 1;
      if (this.room < 0) {
        const expected = `at most ${mostCollected} collected elements`;
        throw new LimitError({ parameter: nameOf(this.node), expected, received: "more" });
      }
      this.hold(value);
      this.lists[i]!.push(value);
    }
  }
}

interface LoopParts {
  body: Graph;
  /** Values that go from one iteration to the next. */
  carried: number;
  /** Outputs that collect what iterations give. */
  collected: number;
}

function loopOf(node: GraphNode): LoopParts {
  const body = graphOf(node, "body");
  const carried = node.inputs.length - 2 - (node.captured ?? 0);
  if (body.inputs.length !== node.inputs.length || body.outputs.length < 1 + carried) {
    const expected = `a body of ${2 + carried} inputs and at least ${1 + carried} outputs`;
    refuse(node, expected, `${body.inputs.length - (node.captured ?? 0)} and ${body.outputs.length}`);
  }
  return { body, carried, collected: body.outputs.length - 1 - carried };
}

const bool = (value: boolean): Value => ({ dtype: "bool", shape: [], data: Uint8Array.of(Number(value)) });

const loop = operator("Loop", {
  infer: (node, inputs, within) => {
    const { body, carried, collected } = loopOf(node);
    const [most, condition] = inputs;
    const isTrue = (spec: Spec | undefined, name: string | undefined): boolean =>
      !name || (spec?.data !== undefined && Number(spec.data[0]) !== 0);
    const begins = isTrue(condition, node.inputs[1]);
    const start = inputs.slice(2).map((spec, i) => (i < carried && spec ? { ...spec, data: undefined } : spec));
    // The body only runs while the condition holds.
    const found = within(body, [{ dtype: "i64", shape: [] }, bool(true), ...start]);
    const kept = start.slice(0, carried).map((spec, i) => common(spec, found[1 + i]));
    // Where a shape changes from turn to turn, what depends on it is not known either.
    if (kept.includes(undefined)) return [...kept, ...Array<undefined>(collected).fill(undefined)];
    const turns =
      node.inputs[0] && most?.data && begins && isTrue(found[0], "condition") ? Number(most.data[0]) : undefined;
    const lists = found.slice(1 + carried).map((spec): Spec | undefined => {
      return spec && turns !== undefined
        ? { dtype: spec.dtype, shape: [Math.max(0, turns), ...spec.shape] }
        : undefined;
    });
    return [...kept, ...lists];
  },
  *run(node, inputs, hold) {
    const { body, carried, collected } = loopOf(node);
    const most = node.inputs[0] ? scalarOf(node, required(node, inputs, 0, ["i64"]), "trip count") : Infinity;
    let holds = node.inputs[1] ? scalarOf(node, required(node, inputs, 1, ["bool"]), "condition") !== 0 : true;
    let state = inputs.slice(2, 2 + carried) as Value[];
    const lists = new Collected(node, collected, hold);
    for (let turn = 0; turn < most && holds; turn++) {
      const count: Value = { dtype: "i64", shape: [], data: BigInt64Array.of(BigInt(turn)) };
      const given = [count, bool(holds), ...state, ...(captures(node, inputs) as Value[])];
      const results: Value[] = yield { graph: body, inputs: given };
      holds = scalarOf(node, results[0]!, "condition") !== 0;
      state = results.slice(1, 1 + carried);
      lists.add(results.slice(1 + carried));
    }
    return [
      ...state,
      ...lists.lists.map((list, i) =>
        list.length > 0 ? joined(node, list, 0, true, hold) : none(node, body, 1 + carried + i),
      ),
    ];
  },
});

/** What a loop without turns has collected. */
function none(node: GraphNode, { outputs }: Graph, index: number): Value {
  const { dtype, shape } = outputs[index]!;
  const sides = shape?.map((side) => (typeof side === "number" ? side : 0)) ?? [];
  return dtype
    ? newValue(dtype, [0, ...sides])
    : refuse(node, "the type of what no turn has computed", describe(outputs[index]!.name));
}

interface ScanParts {
  body: Graph;
  states: number;
  scanned: number;
  collected: number;
  axes: readonly number[];
  reversed: readonly number[];
  outputAxes: readonly number[];
  outputReversed: readonly number[];
}

function scanOf(node: GraphNode): ScanParts {
  if (node.opset < 9) unsupported(node, "operator set 9 or later", String(node.opset));
  const body = graphOf(node, "body");
  const scanned = numberOf(node, "num_scan_inputs");
  const states = node.inputs.length - (node.captured ?? 0) - scanned;
  const collected = body.outputs.length - states;
  if (!(scanned > 0) || states < 0 || collected < 0 || body.inputs.length !== node.inputs.length) {
    refuse(
      node,
      "a body with an input and an output for each state and scanned value",
      `${plural(body.inputs.length, "input")}`,
    );
  }
  const list = (name: string, count: number): readonly number[] => listOf(node, name) ?? Array<number>(count).fill(0);
  return {
    ...{ body, states, scanned, collected },
    ...{ axes: list("scan_input_axes", scanned), reversed: list("scan_input_directions", scanned) },
    ...{ outputAxes: list("scan_output_axes", collected), outputReversed: list("scan_output_directions", collected) },
  };
}

/** What is at one place along an axis. */
function partAt(value: Value, axis: number, index: number): Value {
  const part = newValue(value.dtype, value.shape.toSpliced(axis, 1));
  const { length, inner } = linesOf(value, axis);
  const [data, out] = [elementsOf(value), elementsOf(part)];
  for (let at = 0, from = index * inner; at < out.length; at += inner, from += length * inner)
    out.set(data.subarray(from, from + inner), at);
  return part;
}

const scan = operator("Scan", {
  infer: (node, inputs, within) => {
    const { body, states, scanned, axes, outputAxes } = scanOf(node);
    const lists = inputs.slice(states, states + scanned);
    const parts = lists.map((spec, i) => {
      return spec && { dtype: spec.dtype, shape: spec.shape.toSpliced(axisOf(node, axes[i]!, spec.shape.length), 1) };
    });
    const start = inputs.slice(0, states).map((spec) => spec && { dtype: spec.dtype, shape: spec.shape });
    const found = within(body, [...start, ...parts, ...captures(node, inputs)]);
    const kept = start.map((spec, i) => common(spec, found[i]));
    const turns = lists[0]?.shape[axisOf(node, axes[0]!, lists[0].shape.length)];
    if (kept.includes(undefined) || turns === undefined) return body.outputs.map(() => undefined);
    const collected = found.slice(states).map((spec, i): Spec | undefined => {
      if (!spec) return undefined;
      return {
        dtype: spec.dtype,
        shape: spec.shape.toSpliced(axisOf(node, outputAxes[i]!, spec.shape.length + 1), 0, turns),
      };
    });
    return [...kept, ...collected];
  },
  *run(node, inputs, hold) {
    const { body, states, scanned, collected, axes, reversed, outputAxes, outputReversed } = scanOf(node);
    const lists = inputs.slice(states, states + scanned) as Value[];
    const along = lists.map(({ shape }, i) => axisOf(node, axes[i]!, shape.length));
    const lengths = new Set(lists.map(({ shape }, i) => shape[along[i]!]!));
    const [turns = 0] = lengths;
    if (lengths.size > 1) refuse(node, "scanned inputs of one length", [...lengths].join(" and "));
    let state = inputs.slice(0, states) as Value[];
    const found = new Collected(node, collected, hold);
    for (let turn = 0; turn < turns; turn++) {
      const parts = lists.map((list, i) => partAt(list, along[i]!, reversed[i] ? turns - 1 - turn : turn));
      const results: Value[] = yield {
        graph: body,
        inputs: [...state, ...parts, ...(captures(node, inputs) as Value[])],
      };
      state = results.slice(0, states);
      found.add(results.slice(states));
    }
    const outputs = found.lists.map((list, i) => {
      if (list.length === 0) return none(node, body, states + i);
      const axis = axisOf(node, outputAxes[i]!, list[0]!.shape.length + 1);
      return joined(node, outputReversed[i] ? list.toReversed() : list, axis, true, hold);
    });
    return [...state, ...outputs];
  },
});

export const controls: readonly Operator[] = [ifElse, loop, scan];
