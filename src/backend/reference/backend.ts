// The reference backend: plain f64 loops over plain arrays, on the caller's thread. It is the specification that generated
// code is tested against, and what runs where WebAssembly may not.
import { LimitError, Rank1Error } from "../../errors.ts";
import { kernelOf } from "../../kernels/table.ts";
import { builtInProfile, rowBytes, stripRows } from "../../plan/cost.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { type Elements, newArray, type ValueDType } from "../../tensor.ts";
import type { Backend, BackendPlan, Bindings, Program, ProgramRunOptions, Value, Weights } from "../backend.ts";
import { checkBindings } from "../bindings.ts";
import { buffersOf, withMargins } from "../margins.ts";
import { Slices } from "../slices.ts";
import { runStage } from "./stage.ts";
import { copyTensor, ReferenceValue, WholeValue } from "./values.ts";

export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly profile = builtInProfile;
  readonly threads = 1;
  private readonly maxMemory: number;
  private held = 0;

  constructor(maxMemory: number) {
    this.maxMemory = maxMemory;
  }

  /** Counts memory that is taken, or given back. */
  take(bytes: number): void {
    if (this.held + bytes > this.maxMemory) {
      const [expected, received] = [`at most ${this.maxMemory} bytes of working memory`, `${this.held + bytes}`];
      throw new LimitError({
        ...{ parameter: "maxMemory", expected, received },
        hint: "raise it with createEngine({ maxMemory })",
      });
    }
    this.held += bytes;
  }

  async compile(plan: BackendPlan, weights: Weights): Promise<Program> {
    return new ReferenceProgram(this, plan, weights);
  }

  alloc({ shape, dtype }: { shape: readonly number[]; dtype: ValueDType }): Value {
    return new ReferenceValue(this, shape, dtype);
  }

  bytes(): number {
    return this.held;
  }

  dispose(): void {}
}

/** Whole values and weights as they are; rows of strips, of which some are held at a time, in f64. */
function bytesFor(spec: BufferSpec, grain: number): number {
  if (spec.scope === "arena" || spec.picture) return (spec.images ?? 1) * spec.height! * rowBytes(spec);
  if (spec.scope === "constant") return rowBytes(spec);
  const rows = spec.height === undefined ? stripRows(spec, grain) : Math.min(spec.height, grain);
  return rows * spec.width * spec.channels * 8;
}

class ReferenceProgram implements Program {
  readonly bytes: number;
  readonly phases = {};
  private readonly backend: ReferenceBackend;
  private readonly plan: BackendPlan;
  private readonly specs: BufferSpec[];
  private readonly constants = new Map<string, Elements>();
  private disposed = false;

  constructor(backend: ReferenceBackend, plan: BackendPlan, weights: Weights) {
    this.backend = backend;
    this.plan = plan;
    this.specs = withMargins(plan);
    const grain = Math.max(1, ...plan.stages.map(({ grid }) => Math.min(grid.grain, grid.extent)));
    this.bytes = this.specs.reduce((sum, spec) => sum + bytesFor(spec, grain), 0);
    backend.take(this.bytes);
    for (const step of plan.stages.flatMap(({ steps }) => steps)) {
      const { reads } = buffersOf(step, this.specs);
      for (const { id, scope, dtype, width, channels } of reads) {
        if (scope !== "constant" || this.constants.has(id)) continue;
        const given = weights.get(id);
        if (!given) throw new Error(`program: no weights for ${id}`);
        const packed = newArray(dtype, width * channels);
        kernelOf(step.kernel).pack!(step.kernel, reads[0]!, given, packed);
        this.constants.set(id, packed);
      }
    }
  }

  dispose(): void {
    if (!this.disposed) this.backend.take(-this.bytes);
    this.disposed = true;
  }

  async run(inputs: Bindings, outputs: Bindings, options: ProgramRunOptions = {}): Promise<void> {
    if (this.disposed) {
      const [expected, received] = ["one in use", "a disposed one"];
      throw new Rank1Error("DISPOSED", { parameter: "layer", expected, received });
    }
    const { signal, onProgress, onStage } = options;
    signal?.throwIfAborted();
    for (const bindings of [inputs, outputs])
      checkBindings(bindings, (value) => value instanceof ReferenceValue && value.account === this.backend);
    const values = new Map<string, WholeValue>();
    for (const spec of this.specs) {
      if (spec.scope === "arena" || spec.picture) values.set(spec.id, wholeValue(spec, values));
    }
    for (const [id, binding] of inputs) if (binding.kind === "tensor") copyTensor(binding, values.get(id)!, true);
    const slices = new Slices(signal);
    const { stages } = this.plan;
    for (const [index, stage] of stages.entries()) {
      onStage?.();
      const ends = { inputs: new Map(inputs), outputs: new Map(outputs), values, constants: this.constants };
      await runStage(stage, this.specs, ends, slices, (done) => onProgress?.((index + done) / stages.length));
    }
    onStage?.();
    for (const [id, binding] of outputs) if (binding.kind === "tensor") copyTensor(binding, values.get(id)!, false);
    onProgress?.(1);
  }
}

/** A value of zeros; what one stage writes of a picture, another reads. */
function wholeValue(spec: BufferSpec, values: ReadonlyMap<string, WholeValue>): WholeValue {
  const same = spec.picture && [...values.values()].find(({ spec: other }) => other.picture === spec.picture);
  return same ? new WholeValue(spec, same.rows) : new WholeValue(spec);
}
