// Cache of programs by their plans, within a budget of memory: the least recently used go first.
import { LimitError } from "../errors.ts";
import type { Plan } from "../plan/types.ts";

/** Plans that compute the same in the same way have equal keys. */
export function keyOf({ stages, buffers, problem }: Plan): string {
  const alpha = problem.kind === "filter" && problem.alpha;
  return JSON.stringify([stages, buffers, problem.y.shape, problem.window, alpha]);
}

interface Kept {
  readonly bytes: number;
  dispose(): void;
}

export class ProgramCache {
  private readonly kept = new Map<string, Kept>();
  private readonly budget: number;

  /** `budget`: bytes that kept programs may hold together. */
  constructor(budget: number) {
    this.budget = budget;
  }

  get count(): number {
    return this.kept.size;
  }

  get bytes(): number {
    return [...this.kept.values()].reduce((sum, program) => sum + program.bytes, 0);
  }

  /** The program of a key, created if it is not cached. The caller runs it before asking for another. */
  async of<P extends Kept>(key: string, create: () => Promise<P>): Promise<P> {
    const known = this.kept.get(key) as P | undefined;
    if (known) {
      this.kept.delete(key);
      this.kept.set(key, known);
      return known;
    }
    const program = await this.make(create);
    this.kept.set(key, program);
    this.shrink();
    return program;
  }

  /** Creates a program; where memory runs out, cached programs are disposed of first. */
  async make<P>(create: () => Promise<P>): Promise<P> {
    try {
      return await create();
    } catch (error) {
      if (!(error instanceof LimitError) || this.kept.size === 0) throw error;
      for (const program of this.kept.values()) program.dispose();
      this.kept.clear();
      return create();
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

/** As JSON; what has none (a BigInt, a circle) is refused by the checks of the call, as it should be. */
export function textOf(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return "";
  }
}
