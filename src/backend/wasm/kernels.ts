// The generated kernels of a backend: compiled once by name, put into the table of functions, sent to the workers. In wide
// mode each is checked once against its 128-bit twin.
import { ModuleBuilder } from "../../codegen/assembler.ts";
import { type CodeMode, kernelArity, type StepBuffers } from "../../kernels/kernel.ts";
import { kernelOf } from "../../kernels/table.ts";
import type { KernelSpec } from "../../plan/types.ts";
import type { Verdict } from "../backend.ts";
import type { WorkerPool } from "./pool.ts";
import { compileOptimised } from "./wide.ts";

/** A use of a kernel. */
export interface KernelUse {
  spec: KernelSpec;
  buffers: StepBuffers;
}

export type Entry = (...args: number[]) => void;

/** Generated code of one kernel, and its place in the table of functions. */
export interface Code {
  index: number;
  run: Entry;
}

/** A kernel as it runs. In wide mode, its 128-bit twin stays until both were seen to agree: a verdict under `key`. */
export interface LoadedKernel {
  code: Code;
  twin?: Code;
  key: string;
  unit: Unit;
}

/** Kernels that were compiled together: their code goes when none of them is used. */
interface Unit {
  names: string[];
  indices: number[];
  modules: WebAssembly.Module[];
  /** Programs that use some of them. */
  users: number;
}

/** Units that no program uses and that stay all the same: what comes next may want them again. */
const mostIdle = 64;

export const nameOf = ({ spec, buffers }: KernelUse, mode: CodeMode): string =>
  kernelOf(spec).entry(spec, buffers, mode);

/** The generated functions of kernels, each once; of a module of their own, or added to `builder`. */
export function kernelCode(uses: readonly KernelUse[], mode: CodeMode, builder = new ModuleBuilder()): ModuleBuilder {
  for (const use of uses) {
    const name = nameOf(use, mode);
    if (!builder.has(name)) kernelOf(use.spec).emit(builder, name, use.spec, use.buffers, mode);
  }
  return builder;
}

interface StoreOptions {
  memory: WebAssembly.Memory;
  shared: boolean;
  maximum: number;
  mode: CodeMode;
  verdicts?: Iterable<[string, Verdict]>;
  workers?: Pick<WorkerPool, "announce" | "forget">;
}

export class KernelStore {
  readonly table = new WebAssembly.Table({ element: "anyfunc", initial: 0 });
  /** Of wide kernels, by the name and a hash of their code; those that are known from elsewhere need no twin. */
  readonly verdicts: Map<string, Verdict>;
  /** Milliseconds spent on generating and compiling. */
  milliseconds = 0;
  private readonly options: StoreOptions;
  private readonly loaded = new Map<string, LoadedKernel>();
  /** The least recently used first. */
  private readonly idle = new Set<Unit>();
  /** Places in the table of functions whose code has gone. */
  private readonly free: number[] = [];

  constructor(options: StoreOptions) {
    this.options = options;
    this.verdicts = new Map(options.verdicts);
  }

  /** Makes kernels ready, until they are released: one new module for all that are missing. */
  load(uses: readonly KernelUse[]): LoadedKernel[] {
    const { mode } = this.options;
    const names = uses.map((use) => nameOf(use, mode));
    // Many steps use few kernels: one use stands for all of the same.
    const missing = new Map(uses.map((use, i) => [names[i]!, use]));
    for (const name of this.loaded.keys()) missing.delete(name);
    if (missing.size > 0) {
      const start = performance.now();
      if (mode.wide) this.addWide([...missing.values()]);
      else this.add([...missing.values()]);
      this.milliseconds += performance.now() - start;
    }
    const kernels = names.map((name) => this.loaded.get(name)!);
    for (const unit of unitsOf(kernels)) {
      unit.users++;
      this.idle.delete(unit);
    }
    return kernels;
  }

  /** Of what a program has loaded, once it is disposed of. */
  release(kernels: readonly LoadedKernel[]): void {
    for (const unit of unitsOf(kernels)) if (--unit.users === 0) this.idle.add(unit);
    for (const unit of this.idle) {
      if (this.idle.size <= mostIdle) break;
      this.idle.delete(unit);
      for (const name of unit.names) this.loaded.delete(name);
      for (const index of unit.indices) this.table.set(index, null);
      this.free.push(...unit.indices);
      this.options.workers?.forget(unit.modules, unit.indices);
    }
  }

  private add(uses: readonly KernelUse[]): void {
    const unit = emptyUnit();
    for (const [name, code] of this.compile(kernelCode(uses, this.options.mode), uses, this.options.mode, unit)) {
      unit.names.push(name);
      this.loaded.set(name, { code, key: "", unit });
    }
  }

  private addWide(uses: readonly KernelUse[]): void {
    const { mode } = this.options;
    const narrow = { ...mode, wide: false };
    const builder = kernelCode(uses, mode);
    // By the code itself, so that no verdict outlives a change of it.
    const keyOf = (use: KernelUse): string => `${nameOf(use, mode)} ${hash(builder.codeOf(nameOf(use, mode)))}`;
    const known = new Map(uses.map((use) => [use, this.verdicts.get(keyOf(use))]));
    // The twins come first: V8 would share the native code of equal modules.
    const twins = uses.filter((use) => known.get(use) !== "wide");
    const unit = emptyUnit();
    const narrows = this.compile(kernelCode(twins, narrow), twins, narrow, unit);
    const wanted = uses.filter((use) => known.get(use) !== "narrow: results differ");
    const compiled = this.compile(builder, wanted, mode, unit);
    for (const use of uses) {
      const [wide, twin] = [compiled.get(nameOf(use, mode)), narrows.get(nameOf(use, narrow))];
      const kernel = wide ? { code: wide, twin } : { code: twin! };
      unit.names.push(nameOf(use, mode));
      this.loaded.set(nameOf(use, mode), { ...kernel, key: keyOf(use), unit });
    }
  }

  /** Compiles a module and puts what these uses want of it into the table. */
  private compile(builder: ModuleBuilder, uses: readonly KernelUse[], mode: CodeMode, unit: Unit): Map<string, Code> {
    if (uses.length === 0) return new Map();
    const { shared, maximum, memory, workers } = this.options;
    const bytes = builder.encode({ shared, maximum }, mode.wide ? "wide" : undefined);
    const names = [...new Set(uses.map((use) => nameOf(use, mode)))];
    const instantiate = (module: WebAssembly.Module): [WebAssembly.Module, WebAssembly.Exports] => {
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      // Compiled at its first call: with no rows it does nothing else.
      for (const name of names) (exports[name] as Entry)(...Array<number>(kernelArity).fill(0));
      return [module, exports];
    };
    const [module, exports] = this.options.mode.wide
      ? compileOptimised(mode.wide, () => instantiate(new WebAssembly.Module(bytes)))
      : instantiate(new WebAssembly.Module(bytes));
    const entries = names.map((name): [string, number] => [name, this.free.pop() ?? this.table.grow(1)]);
    for (const [name, index] of entries) this.table.set(index, exports[name]);
    workers?.announce({ module, entries });
    unit.modules.push(module);
    for (const [, index] of entries) unit.indices.push(index);
    return new Map(entries.map(([name, index]) => [name, { index, run: exports[name] as Entry }]));
  }

  /** Notes whether a wide kernel gave its twin's bits, and keeps the twin where it did not. */
  settle(kernel: LoadedKernel, equal: boolean): void {
    if (!equal) kernel.code = kernel.twin!;
    kernel.twin = undefined;
    this.verdicts.set(kernel.key, equal ? "wide" : "narrow: results differ");
  }
}

const emptyUnit = (): Unit => ({ names: [], indices: [], modules: [], users: 0 });

const unitsOf = (kernels: readonly LoadedKernel[]): Set<Unit> => new Set(kernels.map(({ unit }) => unit));

/** FNV-1a, 32 bits. */
function hash(bytes: Uint8Array): string {
  const value = bytes.reduce((state, byte) => Math.imul(state ^ byte, 0x01000193), 0x811c9dc5);
  return (value >>> 0).toString(16).padStart(8, "0");
}
