// The interpreter: a plan becomes a program on a machine, stage after stage. What one stage leaves to the next is a small
// picture of its own in f32.
import type { BufferSpec, Plan, Stage } from "../plan/types.ts";
import type { Machine } from "./machine.ts";
import type { Source, Target } from "./rows.ts";
import { type RunOptions, type StageEnds, StageProgram } from "./stage.ts";

/** A plan that is ready to run on one machine. */
export class Program {
  readonly plan: Plan;
  private readonly stages: StageProgram[];
  private readonly pictures = new Map<string, Float32Array>();

  private constructor(plan: Plan, stages: StageProgram[]) {
    this.plan = plan;
    this.stages = stages;
    for (const { picture, height, width, channels } of plan.buffers) {
      if (picture && !this.pictures.has(picture))
        this.pictures.set(picture, new Float32Array(height! * width * channels));
    }
  }

  /** `constants` holds the packed weights by buffer. */
  static async create(
    plan: Plan,
    machine: Machine,
    constants: ReadonlyMap<string, Float32Array> = new Map(),
  ): Promise<Program> {
    const stages: StageProgram[] = [];
    try {
      for (const stage of plan.stages) {
        stages.push(await StageProgram.create(stage, buffersOf(stage, plan), machine, plan.cost.time, constants));
      }
    } catch (error) {
      for (const stage of stages) stage.dispose();
      throw error;
    }
    return new Program(plan, stages);
  }

  /** Bytes of working memory, and of the pictures between stages. */
  get bytes(): number {
    const pictures = [...this.pictures.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    return this.stages.reduce((sum, stage) => sum + stage.bytes, pictures);
  }

  dispose(): void {
    for (const stage of this.stages) stage.dispose();
  }

  async run(source: Source, target: Target, options: RunOptions = {}): Promise<void> {
    const { onProgress } = options;
    const count = this.stages.length;
    for (const [index, stage] of this.stages.entries()) {
      const part = onProgress && ((done: number) => onProgress((index + done) / count));
      await stage.run(this.endsOf(this.plan.stages[index]!, source, target), { ...options, onProgress: part });
    }
  }

  private endsOf(stage: Stage, source: Source, target: Target): StageEnds {
    const { problem } = this.plan;
    const buffers = buffersOf(stage, this.plan);
    const [input, output] = (["input", "output"] as const).map((scope) => buffers.find((b) => b.scope === scope)!);
    const inner = ({ picture, width, height, channels }: BufferSpec): Source & Target => ({
      ...{ data: this.pictures.get(picture!)!, dtype: "f32", gain: 1, offset: 0 },
      ...{ width, height: height!, channels },
    });
    const { border, borderValue } = problem.window;
    const alpha = problem.kind === "filter" ? problem.alpha : "none";
    return {
      source: input!.picture ? inner(input!) : source,
      edge: input!.picture ? { border: "constant", borderValue: 0 } : { border, borderValue },
      target: output!.picture ? inner(output!) : target,
      height: output!.picture ? output!.height! : problem.y.shape.at(-3)!,
      original: source,
      alphaIn: input!.picture ? "none" : alpha,
      alphaOut: output!.picture ? "none" : alpha,
    };
  }
}

/** The buffers that a stage's steps name. */
export function buffersOf(stage: Stage, { buffers }: Plan): BufferSpec[] {
  const named = new Set(stage.steps.flatMap(({ reads, writes }) => [...reads, writes]));
  return buffers.filter(({ id }) => named.has(id));
}
