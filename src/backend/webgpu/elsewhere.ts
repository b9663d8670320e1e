// What the GPU does not compute: whole plans, and parts of them, by another backend. What lies on the GPU goes there and back.
import type { BufferSpec, Stage } from "../../plan/types.ts";
import type { TypedArray } from "../../tensor.ts";
import {
  type BackendPlan,
  type Binding,
  type Bindings,
  isValue,
  type Program,
  type ProgramRunOptions,
  type TensorBinding,
  type Value,
  type Weights,
} from "../backend.ts";

/** A program of another backend, which does not know the GPU's values. */
export class ElsewhereProgram implements Program {
  readonly inner: Program;

  constructor(inner: Program) {
    this.inner = inner;
  }

  get phases(): Program["phases"] {
    return this.inner.phases;
  }

  /** They are the other backend's. */
  get bytes(): number {
    return this.inner.bytes;
  }

  get shared(): number | undefined {
    return this.inner.shared;
  }

  async run(inputs: Bindings, outputs: Bindings, options?: ProgramRunOptions): Promise<void> {
    if (![...inputs, ...outputs].some(([, binding]) => reaches(binding)))
      return this.inner.run(inputs, outputs, options);
    const arrays = new Map<Value, TypedArray>();
    for (const [, binding] of [...inputs, ...outputs])
      for (const value of valuesOf(binding)) if (!arrays.has(value)) arrays.set(value, await value.read());
    const known = new Map<object, Binding>();
    const withArrays = (bindings: Bindings): Bindings =>
      bindings.map(([id, binding]) => [id, withoutValues(binding, arrays, known)] as const);
    await this.inner.run(withArrays(inputs), withArrays(outputs), options);
    for (const [, { data }] of outputs) if (isValue(data)) await data.write(arrays.get(data)!);
  }

  areWeights(mask: Float32Array, from: number, to: number): boolean {
    return this.inner.areWeights?.(mask, from, to) ?? false;
  }

  turn(...given: Parameters<NonNullable<Program["turn"]>>): boolean {
    return this.inner.turn?.(...given) ?? false;
  }

  dispose(): void {
    this.inner.dispose();
  }
}

const valuesOf = (binding: Binding): Value[] => {
  const all = binding.kind === "target" ? [binding.data, binding.source.data] : [binding.data];
  return all.filter((data): data is Value => isValue(data));
};
const reaches = (binding: Binding): boolean => valuesOf(binding).length > 0;

/** One binding stands for one: a target names its source. */
function withoutValues(binding: Binding, arrays: ReadonlyMap<Value, TypedArray>, known: Map<object, Binding>): Binding {
  const found = known.get(binding);
  if (found) return found;
  const arrayOf = (data: ArrayBufferView | Value): never => (isValue(data) ? arrays.get(data) : data) as never;
  const made = { ...binding, data: arrayOf(binding.data) } as Binding;
  if (made.kind === "target") made.source = withoutValues(made.source, arrays, known) as typeof made.source;
  known.set(binding, made);
  return made;
}

/** Stages that run in one place. */
export interface Segment {
  onGpu: boolean;
  stages: Stage[];
}

/** Neighbouring stages of one place. Where integers of 16 bits would pass between places, all is elsewhere: undefined. */
export function segmentsOf(
  stages: readonly Stage[],
  buffers: readonly BufferSpec[],
  onGpu: readonly boolean[],
): Segment[] | undefined {
  const segments: Segment[] = [];
  for (const [i, stage] of stages.entries()) {
    const last = segments.at(-1);
    if (last?.onGpu === onGpu[i]) last.stages.push(stage);
    else segments.push({ onGpu: onGpu[i]!, stages: [stage] });
  }
  const passes = buffers.filter(({ id }) => segments.filter(({ stages }) => touches(stages, id)).length > 1);
  const isPlain = passes.every(({ scope, dtype }) => scope === "constant" || (scope === "arena" && dtype === "f32"));
  return isPlain && buffers.every(({ scope }) => scope !== "input" && scope !== "output") ? segments : undefined;
}

const idsIn = ({ steps }: Stage): string[] => steps.flatMap(({ reads, writes }) => [...reads, writes]);
const touches = (stages: readonly Stage[], id: string): boolean => stages.some((stage) => idsIn(stage).includes(id));
const writes = (stages: readonly Stage[], id: string): boolean =>
  stages.some(({ steps }) => steps.some((step) => step.writes === id));

interface Part {
  program: Program;
  /** Values that other parts have made, and those that others want; by id. */
  reads: string[];
  writes: string[];
}

/** A plan whose stages run in turn on the GPU and elsewhere; values pass between them as arrays. */
export class MixedProgram implements Program {
  readonly phases: Record<string, number> = {};
  private readonly parts: readonly Part[];
  private readonly buffers: ReadonlyMap<string, BufferSpec>;

  private constructor(parts: readonly Part[], buffers: ReadonlyMap<string, BufferSpec>) {
    this.parts = parts;
    this.buffers = buffers;
    for (const { program } of parts)
      for (const [phase, time] of Object.entries(program.phases)) this.phases[phase] = (this.phases[phase] ?? 0) + time;
  }

  static async create(
    plan: BackendPlan,
    weights: Weights,
    segments: readonly Segment[],
    compile: (plan: BackendPlan, weights: Weights, onGpu: boolean) => Promise<Program>,
  ): Promise<MixedProgram> {
    const parts: Part[] = [];
    const ends = plan.ends ?? [];
    try {
      for (const [i, { stages, onGpu }] of segments.entries()) {
        const ids = new Set(stages.flatMap(idsIn));
        const buffers = plan.buffers.filter(({ id }) => ids.has(id));
        const values = buffers.filter(({ scope }) => scope === "arena").map(({ id }) => id);
        const before = (id: string): boolean => segments.slice(0, i).some((one) => writes(one.stages, id));
        const later = (id: string): boolean => segments.slice(i + 1).some((one) => touches(one.stages, id));
        // What nobody writes comes from the caller; what several parts write, each goes on with.
        const reads = values.filter((id) => before(id) || !segments.some((one) => writes(one.stages, id)));
        const made = values.filter(
          (id) => writes(stages, id) && (later(id) || ends.includes(id) || !isRead(plan.stages, id)),
        );
        const time = plan.cost.time / segments.length;
        const program = await compile({ stages, buffers, ends: made, cost: { time } }, weights, onGpu);
        parts.push({ program, reads, writes: made });
      }
    } catch (error) {
      for (const { program } of parts) program.dispose();
      throw error;
    }
    return new MixedProgram(parts, new Map(plan.buffers.map((buffer) => [buffer.id, buffer])));
  }

  get bytes(): number {
    return this.parts.reduce((sum, { program }) => sum + program.bytes, 0);
  }

  async run(inputs: Bindings, outputs: Bindings, options: ProgramRunOptions = {}): Promise<void> {
    const { onProgress, ...rest } = options;
    const passing = new Map<string, TensorBinding>();
    const between = (id: string): TensorBinding => {
      const known = passing.get(id) ?? tensorOf(this.buffers.get(id)!);
      passing.set(id, known);
      return known;
    };
    for (const [i, { program, reads, writes }] of this.parts.entries()) {
      const given = inputs.filter(([id]) => reads.includes(id) && !passing.has(id));
      const others = reads.filter((id) => passing.has(id)).map((id): [string, Binding] => [id, between(id)]);
      const results = outputs.filter(([id]) => writes.includes(id));
      const wanted = writes
        .filter((id) => this.parts.slice(i + 1).some((part) => part.reads.includes(id)))
        .map((id): [string, Binding] => [id, between(id)]);
      await program.run([...given, ...others], [...results, ...wanted], rest);
      onProgress?.((i + 1) / this.parts.length);
    }
  }

  dispose(): void {
    for (const { program } of this.parts) program.dispose();
  }
}

const isRead = (stages: readonly Stage[], id: string): boolean =>
  stages.some(({ steps }) => steps.some(({ reads }) => reads.includes(id)));

/** Room for a value as it is stored. */
function tensorOf({ images, height, width, left = 0, right = 0, channels }: BufferSpec): TensorBinding {
  const sides = { images: images!, height: height!, width: width - left - right, channels };
  const data = new Float32Array(sides.images * sides.height * sides.width * channels);
  return { kind: "tensor", format: "NHWC", ...sides, data };
}
