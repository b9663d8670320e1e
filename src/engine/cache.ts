// Cache of programs by their plans, within a budget of memory: the least recently used go first.
import type { Choice } from "../backend/choose.ts";
import { LimitError } from "../errors.ts";
import type { Plan } from "../plan/types.ts";
import type { EngineInfo } from "./types.ts";

/** Plans that compute the same in the same way have equal keys. */
export function keyOf({ stages, buffers, problem }: Plan): string {
  const alpha = problem.kind === "filter" && problem.alpha;
  return JSON.stringify([stages, buffers, problem.y.shape, problem.window, alpha]);
}

interface Program {
  readonly bytes: number;
  readonly shared?: number;
  dispose(): void;
}

interface Kept {
  program: Program;
  /** Bytes that are its own, besides packed weights and room that it shares with others. */
  scratch: number;
  /** These and its packed weights. */
  bytes: number;
  /** The caller's arrays: once one is gone, nobody can ask for the program again. */
  weights: WeakRef<object>[];
}

/** Bytes that programs may hold together. */
export interface Budget {
  /** In all. */
  most: number;
  /** Without the weights of layers. */
  scratch: number;
}

/** What an engine of so much memory keeps for later calls. */
export const budgetOf = (maxMemory: number): Budget => ({ most: maxMemory / 4, scratch: maxMemory / 64 });

/** So many are kept though their scratch is more. */
const fewest = 4;

export class ProgramCache {
  private readonly kept = new Map<string, Kept>();
  private readonly budget: Budget;
  /** The key that was used last. */
  private last = "";

  constructor(budget: Budget) {
    this.budget = budget;
  }

  get count(): number {
    return this.kept.size;
  }

  get bytes(): number {
    return this.sum(({ bytes }) => bytes);
  }

  /** The program of a key. The caller runs it before asking for another. */
  find<P extends Program>(key: string): P | undefined {
    const known = this.kept.get(key);
    // Entries that come and go have the map made anew now and then.
    if (known && key !== this.last) {
      this.kept.delete(key);
      this.kept.set(key, known);
      this.last = key;
    }
    return known?.program as P | undefined;
  }

  /** Creates the program of a key; `weights`: the caller's arrays that the key stands for. */
  async add<P extends Program>(key: string, create: () => Promise<P>, weights: readonly object[] = []): Promise<P> {
    const program = await this.make(create);
    const scratch = program.bytes - (program.shared ?? 0);
    const copied = weights.reduce((sum, array) => sum + ((array as { byteLength?: number }).byteLength ?? 0), 0);
    const arrays = weights.map((array) => new WeakRef(array));
    this.kept.set(key, { program, scratch, bytes: scratch + copied, weights: arrays });
    this.last = key;
    this.shrink();
    return program;
  }

  /** Creates a program; where memory runs out, cached programs are disposed of first. */
  async make<P>(create: () => Promise<P>): Promise<P> {
    try {
      return await create();
    } catch (error) {
      if (!(error instanceof LimitError) || this.kept.size === 0) throw error;
      this.clear();
      return create();
    }
  }

  clear(): void {
    for (const key of this.kept.keys()) this.drop(key);
  }

  private shrink(): void {
    for (const [key, { weights }] of this.kept) if (weights.some((array) => !array.deref())) this.drop(key);
    const { most, scratch } = this.budget;
    for (const key of this.kept.keys()) {
      const fits = this.bytes <= most && (this.kept.size <= fewest || this.sum((kept) => kept.scratch) <= scratch);
      if (fits || this.kept.size === 1) return;
      this.drop(key);
    }
  }

  private drop(key: string): void {
    this.kept.get(key)!.program.dispose();
    this.kept.delete(key);
  }

  private sum(of: (kept: Kept) => number): number {
    let sum = 0;
    for (const kept of this.kept.values()) sum += of(kept);
    return sum;
  }
}

/** What an engine says of its backend and of what it keeps. */
export function infoOf({ backend, reason, relaxed, wide, verdicts }: Choice, programs: ProgramCache): EngineInfo {
  const { count, bytes } = programs;
  const lanes = backend.name !== "wasm" ? 1 : wide.enabled ? 8 : 4;
  return {
    ...{ backend: backend.name, reason, lanes, threads: backend.threads, relaxed },
    ...{ wide: { ...wide, verdicts: Object.fromEntries(verdicts) } },
    ...(backend.graphics && { webgpu: backend.graphics }),
    ...{ bytes: backend.bytes(), programs: { count, bytes } },
  };
}
