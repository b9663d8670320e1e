// Programs by the plan they run, kept for the next call within a budget of memory: the least recently used go first.
import { LimitError } from "../errors.ts";
import type { Plan } from "../plan/types.ts";
import type { Machine } from "./machine.ts";
import { Program } from "./program.ts";

/** Plans that say the same have equal keys. */
export function keyOf({ stages, buffers, problem }: Plan): string {
  return JSON.stringify([stages, buffers, problem.window, problem.kind === "filter" && problem.alpha]);
}

export class Programs {
  private readonly kept = new Map<string, Program>();
  private readonly machine: Machine;
  private readonly budget: number;

  /** `budget`: bytes that kept programs may hold together. */
  constructor(machine: Machine, budget: number) {
    this.machine = machine;
    this.budget = budget;
  }

  get count(): number {
    return this.kept.size;
  }

  get bytes(): number {
    return [...this.kept.values()].reduce((sum, program) => sum + program.bytes, 0);
  }

  /** The program of a plan, by its {@link keyOf}; the caller runs it before the next is asked for. */
  async of(plan: Plan, key = keyOf(plan)): Promise<Program> {
    const known = this.kept.get(key);
    if (known) {
      this.kept.delete(key);
      this.kept.set(key, known);
      return known;
    }
    const program = await this.create(plan);
    this.kept.set(key, program);
    this.shrink();
    return program;
  }

  /** Where memory runs out, what is kept for later makes room. */
  private async create(plan: Plan): Promise<Program> {
    try {
      return await Program.create(plan, this.machine);
    } catch (error) {
      if (!(error instanceof LimitError) || this.kept.size === 0) throw error;
      for (const program of this.kept.values()) program.dispose();
      this.kept.clear();
      return Program.create(plan, this.machine);
    }
  }

  private shrink(): void {
    for (const [key, program] of this.kept) {
      if (this.bytes <= this.budget || this.kept.size === 1) return;
      program.dispose();
      this.kept.delete(key);
    }
  }
}
