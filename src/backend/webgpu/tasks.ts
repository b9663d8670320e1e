// A plan as dispatches: every step over its whole grid, and places in the GPU's memory for what passes between them. Values whose
// times do not meet share a place.
import { defaultSize, type WgslArray, type WgslType, wgslText } from "../../codegen/wgsl.ts";
import type { StepBuffers } from "../../kernels/kernel.ts";
import { type Dispatch, elementsOf, operandOf, type WholeStep } from "../../kernels/shader.ts";
import { joined, shaderOf } from "../../kernels/shaders.ts";
import { stepRows } from "../../plan/strips.ts";
import type { BufferSpec, Stage, Step } from "../../plan/types.ts";
import type { BackendPlan } from "../backend.ts";
import { find } from "../margins.ts";

/** One dispatch: the text of its shader, what is bound to it, and how many workgroups run. */
export interface Task {
  text: string;
  /** Keys of places, in the order of the bindings after the uniform block. */
  binds: readonly string[];
  words: Int32Array;
  groups: readonly [x: number, y: number];
  table?: Int32Array;
  /** Of the plan. */
  stage: number;
}

/** What lies somewhere in the GPU's memory. */
export interface Place {
  key: string;
  /** Elements of 32 bits. */
  elements: number;
  /** The first and the last task that touch it. */
  first: number;
  last: number;
}

export interface TaskList {
  tasks: Task[];
  places: Map<string, Place>;
}

/** The name of the table among a task's places. */
export const tableKey = "table of the task";

/** What a buffer lies in: pictures between stages have one place for both of their buffers. */
export const keyOf = ({ id, picture }: BufferSpec): string => (picture === undefined ? id : `picture ${picture}`);

/** Why a stage has no dispatches; undefined where it has. */
export function missingIn({ steps }: Stage, buffers: readonly BufferSpec[]): string | undefined {
  for (const { kernel, reads, writes } of steps) {
    const shader = shaderOf(kernel);
    const touched: StepBuffers = { reads: reads.map((id) => find(buffers, id)), write: find(buffers, writes) };
    const why = shader ? shader.missing?.(kernel, touched) : "there is no WGSL of it";
    if (why !== undefined) return `${kernel.family}: ${why}`;
  }
  return undefined;
}

/** How many groups make so many units, in two directions where one does not hold them. */
export function groupsFor(units: number, size: number, most: number): [x: number, y: number] {
  const groups = Math.max(1, Math.ceil(units / size));
  if (groups <= most) return [groups, 1];
  const rows = Math.ceil(groups / most);
  return [Math.ceil(groups / rows), rows];
}

const order = ["x0", "x1", "x2", "x3", "t", "y"];

/** The text of a dispatch whose arrays are at `keys`: what is read and written at once is one array. */
export function taskOf(
  { module, arrays, words, units, table }: Dispatch,
  keys: Readonly<Record<string, string>>,
  most: number,
  stage: number,
): Task {
  let { body } = module;
  const bound: WgslArray[] = [];
  const binds: string[] = [];
  for (const name of order) {
    const type: WgslType | undefined = arrays[name];
    if (!type) continue;
    if (name !== "y" && name !== "t" && keys[name] === keys.y) {
      body = body.replaceAll(new RegExp(`\\b${name}\\b`, "g"), "y");
      continue;
    }
    bound.push({ name, type, ...(name === "y" && { written: true }) });
    binds.push(name === "t" ? tableKey : keys[name]!);
  }
  const groups = groupsFor(units, module.size ?? defaultSize, most);
  const names = Object.keys(words);
  return {
    text: wgslText({ ...module, body, arrays: bound, words: names }),
    binds,
    words: Int32Array.from([units, groups[0], ...names.map((name) => words[name]!)]),
    ...{ groups, stage, ...(table && { table }) },
  };
}

/** The dispatches of a plan. `limits`: workgroups in one direction, bytes that a workgroup shares. */
export function tasksOf(
  { stages, buffers }: Pick<BackendPlan, "stages" | "buffers">,
  limits: { dispatch: number; shared: number },
): TaskList {
  const tasks: Task[] = [];
  const places = new Map<string, Place>();
  const touch = (spec: BufferSpec, stage: Stage, first: number, last: number): void => {
    const key = keyOf(spec);
    const known = places.get(key);
    const elements = elementsOf(operandOf(spec, stage));
    places.set(key, {
      ...{ key, elements: Math.max(elements, known?.elements ?? 0) },
      ...{ first: Math.min(first, known?.first ?? first), last: Math.max(last, known?.last ?? last) },
    });
  };
  for (const [index, stage] of stages.entries()) {
    const rows = stepRows(stage, buffers);
    const wholes = stage.steps.map((step, i) => wholeOf(step, stage, buffers, rows[i]!.last + 1, limits.shared));
    for (let i = 0; i < stage.steps.length; i++) {
      const begin = tasks.length;
      const [step, next] = stage.steps.slice(i, i + 2) as [Step, Step | undefined];
      const both = next && isBetween(stage, step, next) && find(buffers, step.writes).scope === "strip";
      const one = both ? joined([step.kernel, next.kernel], [wholes[i]!, wholes[i + 1]!]) : undefined;
      const reads = one ? [...step.reads, ...next!.reads.filter((id) => id !== step.writes)] : step.reads;
      const writes = one ? next!.writes : step.writes;
      const keys: Record<string, string> = { y: keyOf(find(buffers, writes)) };
      for (const [k, id] of reads.entries()) keys[`x${k}`] = keyOf(find(buffers, id));
      const made = one ? [one] : shaderOf(step.kernel)!.dispatches(step.kernel, wholes[i]!);
      tasks.push(...made.map((dispatch) => taskOf(dispatch, keys, limits.dispatch, index)));
      for (const id of [...reads, writes]) touch(find(buffers, id), stage, begin, tasks.length - 1);
      if (one) i++;
    }
  }
  return { tasks, places };
}

/** Whether a step reads first what the one before writes, and nobody else does. */
const isBetween = ({ steps }: Stage, { writes }: Step, next: Step): boolean =>
  next.reads[0] === writes &&
  next.reads.lastIndexOf(writes) === 0 &&
  steps.every((step) => step === next || !step.reads.includes(writes));

function wholeOf(
  { reads, writes }: Step,
  stage: Stage,
  buffers: readonly BufferSpec[],
  turns: number,
  sharedBytes: number,
): WholeStep {
  return {
    reads: reads.map((id) => operandOf(find(buffers, id), stage)),
    write: operandOf(find(buffers, writes), stage),
    ...{ images: stage.grid.images, turns, sharedBytes },
  };
}

/** A buffer of the GPU that several places share, one after the other. */
export interface Room {
  elements: number;
  keys: string[];
}

/** Gives places rooms: those that are in use before the first task or after the last, from `first` or to `last` on. */
export function roomsFor(places: Iterable<Place>): Room[] {
  const rooms: (Room & { last: number })[] = [];
  for (const { key, elements, first, last } of [...places].sort((a, b) => a.first - b.first)) {
    const free = rooms.filter((room) => room.last < first);
    // The one that fits best: the smallest that is large enough, else the largest.
    const fit = free
      .sort((a, b) => a.elements - b.elements)
      .reduce<(typeof rooms)[number] | undefined>(
        (best, room) => (best && best.elements >= elements ? best : room),
        undefined,
      );
    if (!fit) {
      rooms.push({ elements, keys: [key], last });
      continue;
    }
    fit.elements = Math.max(fit.elements, elements);
    fit.keys.push(key);
    fit.last = last;
  }
  return rooms;
}
