// A plan as a program in the engine's memory: laid out, written, packed, checked, and run by the driver on all its threads
// while the caller's thread moves arrays in and out.
import { Rank1Error } from "../../errors.ts";
import { kernelOf } from "../../kernels/table.ts";
import { rowBytes, stripRows } from "../../plan/cost.ts";
import type { BufferSpec } from "../../plan/types.ts";
import { bytesOf, type Elements, viewOf } from "../../tensor.ts";
import type { BackendPlan, Bindings, CompileOptions, Program, ProgramRunOptions, Rooms, Weights } from "../backend.ts";
import { buffersOf } from "../margins.ts";
import { Slices } from "../slices.ts";
import { type Bound, bindAll } from "./bind.ts";
import type { Driver } from "./driver.ts";
import { writeImage, writeRoom } from "./image.ts";
import type { Entry, KernelStore, LoadedKernel } from "./kernels.ts";
import { type Layout, layoutOf, moveRoom, type Place } from "./layout.ts";
import type { Allocator, Block, MemoryViews } from "./memory.ts";
import type { WorkerPool } from "./pool.ts";
import { control, outcome, stageWords, stepBytes, stepWords } from "./script.ts";
import type { PackedWeights, SharedRoom } from "./shared.ts";
import type { Staging } from "./staging.ts";
import { Stream } from "./stream.ts";

/** What programs need of their backend. */
export interface ProgramHost {
  readonly views: MemoryViews;
  readonly allocator: Allocator;
  /** What programs of networks share. */
  readonly packed: PackedWeights;
  readonly room: SharedRoom;
  readonly staging: Staging;
  readonly kernels: KernelStore;
  readonly driver: Driver;
  readonly pool: WorkerPool | undefined;
  /** The address of the control block. */
  readonly control: number;
  /** Rows of a strip in place of what is best, for tests: results must not depend on it. */
  readonly stripRows?: number;
  threadsFor(nanoseconds: number): number;
  /** Puts a kernel that calls `use` into the table of functions, for a while: its index. */
  probe(use: Entry): number;
}

export class WasmProgram implements Program {
  readonly layout: Layout;
  readonly base: number;
  readonly phases: Record<string, number> = {};
  private readonly host: ProgramHost;
  private readonly block: Block;
  private readonly kernels: readonly (readonly LoadedKernel[])[];
  private readonly bound = new Map<string, Bound>();
  private readonly packed: ReturnType<PackedWeights["take"]>[] = [];
  private disposed = false;

  private constructor(host: ProgramHost, layout: Layout, block: Block, kernels: readonly (readonly LoadedKernel[])[]) {
    this.host = host;
    this.layout = layout;
    this.block = block;
    this.base = block.offset;
    this.kernels = kernels;
  }

  static compile(
    host: ProgramHost,
    plan: BackendPlan,
    weights: Weights,
    { shares = false }: CompileOptions = {},
  ): WasmProgram {
    const watch = stopwatch();
    const layout = layoutOf(plan, host.threadsFor(plan.cost.time), { rows: host.stripRows, apart: shares });
    const laidOut = watch();
    const uses = layout.stages.map(({ steps }) =>
      steps.map(({ step }) => ({ spec: step.kernel, buffers: buffersOf(step, layout.specs) })),
    );
    const all = host.kernels.load(uses.flat());
    const code = watch();
    const kernels = uses.map((stage) => all.splice(0, stage.length));
    const program = new WasmProgram(host, layout, host.allocator.allocate(layout.bytes), kernels);
    try {
      if (!shares) program.write();
      const written = watch();
      program.pack(weights);
      const packed = watch();
      if (layout.room) host.room.join(program, layout.room.bytes);
      program.enter();
      Object.assign(program.phases, { layout: laidOut + written + watch(), code, weights: packed });
      if (kernels.flat().some(({ twin }) => twin)) program.verify();
      program.phases.check = watch();
      return program;
    } catch (error) {
      program.dispose();
      throw error;
    }
  }

  get bytes(): number {
    return this.block.bytes;
  }

  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    const { host } = this;
    host.allocator.release(this.block);
    if (this.layout.room) host.room.leave(this);
    for (const packed of this.packed) host.packed.release(packed);
  }

  /** Makes the shared room this program's: where it has moved, the tables that point into it are written anew. */
  private enter(): void {
    const { layout, base, host } = this;
    if (!layout.room) return;
    const { address, changed } = host.room.enter(this);
    if (layout.room.offset !== address - base) {
      moveRoom(layout, address - base);
      this.bound.clear();
      this.write();
    }
    if (changed) writeRoom(layout, host.views, base);
  }

  async run(inputs: Bindings, outputs: Bindings, options: ProgramRunOptions = {}): Promise<void> {
    if (this.disposed) {
      const [expected, received] = ["one in use", "a disposed one"];
      throw new Rank1Error("DISPOSED", { parameter: "layer", expected, received });
    }
    options.signal?.throwIfAborted();
    this.enter();
    const { host, layout, base } = this;
    const { driver, pool } = host;
    const ends = bindAll(this.site(), layout, this.bound, inputs, outputs);
    const stream = new Stream(layout, ends, host.views, base);
    const threads = options.onStage ? 1 : layout.threads;
    if (threads > 1) pool!.wake();
    this.openStages(stream);
    for (const gate of stream.gates) gate.raised = gate.limit;
    const run = driver.begin(base, threads, stream.gates[0]!.limit);
    try {
      if (threads > 1) pool!.call();
      await this.drive(run, stream, threads, options);
      for (const mover of ends.late) mover.move(0, mover.rows);
      for (const finish of ends.after) finish();
      options.onProgress?.(1);
    } finally {
      driver.close(run);
      if (threads > 1) {
        await pool!.settle();
        pool!.rest();
      }
    }
  }

  runSync(inputs: Rooms, outputs: Rooms): void {
    const { driver, pool, views, control: at } = this.host;
    const { threads, stages } = this.layout;
    for (const [id, use] of inputs) use(this.room(id));
    if (threads > 1) pool!.wake();
    const run = driver.begin(this.base, threads, stages[0]!.strips);
    try {
      if (threads > 1) pool!.call();
      for (;;) {
        const seen = Atomics.load(views.words, (at + control.signal) / 4);
        const state = driver.run(0, run, 0x7fffffff);
        if (state === outcome.ended) break;
        if (state === outcome.waiting) pool!.waitSync(seen);
      }
    } finally {
      driver.close(run);
      if (threads > 1) pool!.settleSync();
    }
    for (const [id, use] of outputs) use(this.room(id));
  }

  private room(id: string): Elements {
    const { spec, data } = this.layout.places.get(id)!;
    return viewOf(spec.dtype, this.host.views.words.buffer, this.base + data, spec.width * spec.channels);
  }

  /** Feeds, works and empties until the last strip is out. */
  private async drive(run: number, stream: Stream, threads: number, options: ProgramRunOptions): Promise<void> {
    const { driver, views, control: at } = this.host;
    const slices = new Slices(options.signal);
    let stage = -1;
    for (;;) {
      const seen = Atomics.load(views.words, (at + control.signal) / 4);
      // Others may wait for rows: they come first, as far as there is room.
      let moved = false;
      while (stream.feed(threads)) moved = true;
      if (moved) this.raise(run, stream);
      if (options.onStage && this.stageNow() !== stage) {
        stage = this.stageNow();
        options.onStage();
      }
      const state = driver.run(0, run, stream.isBusy || options.onStage ? 1 : 0x7fffffff);
      if (stream.empty()) {
        while (stream.empty());
        this.raise(run, stream);
      } else if (state === outcome.ended && stream.isDone) break;
      else if (state === outcome.waiting && !stream.canMove()) await this.wait(seen);
      if (slices.due()) {
        options.onProgress?.(this.share(stream));
        await slices.next();
        if (threads > 1) this.host.pool!.check();
      }
    }
  }

  /** Opens gates further. Never again one that is open: what was taken from its far end must not come back. */
  private raise(run: number, { gates }: Stream): void {
    for (let i = 0; i < gates.length; i++) {
      const gate = gates[i]!;
      if (gate.limit > gate.raised) this.host.driver.raise(run, gate.stage, gate.limit);
      gate.raised = gate.limit;
    }
  }

  private async wait(seen: number): Promise<void> {
    const { pool } = this.host;
    if (!pool) throw new Error("program: nothing can be done, and nobody else works");
    await pool.wait(seen);
  }

  /** The stage of the ticket; all of them once the run has ended. */
  private stageNow(): number {
    const upper = Atomics.load(this.host.views.words, (this.host.control + control.ticket) / 4 + 1);
    return Math.min((upper >>> 8) & 0xfff, this.layout.stages.length);
  }

  private share(stream: Stream): number {
    const { words } = this.host.views;
    const at = (this.host.control + control.ticket) / 4;
    const [lower, upper] = [Atomics.load(words, at), Atomics.load(words, at + 1)];
    const stage = this.stageNow();
    const next = ((upper & 0xff) << 12) | (lower >>> 20);
    const strips = this.layout.stages[stage]?.strips ?? 1;
    const count = this.layout.stages.length;
    if (count === 1 && stream.share !== undefined) return stream.share;
    return Math.min(1, (stage + (stage < count ? next / strips : 0)) / count);
  }

  private site() {
    const { staging, views } = this.host;
    return { staging, views, base: this.base };
  }

  /** Has finished strips flagged of the stages that the stream asks for, and says which may be taken when one begins. */
  private openStages({ flagged, gates }: Stream): void {
    const { words, bytes } = this.host.views;
    this.layout.stages.forEach(({ offset, flags, strips }, index) => {
      if (flags === 0) return;
      const at = (this.base + offset) / 4;
      const wanted = flagged.has(index);
      words[at + stageWords.flags / 4] = wanted ? this.base + flags : 0;
      const opening = gates.find(({ stage }) => stage === index)?.limit ?? strips;
      words[at + stageWords.opening / 4] = opening;
      words[at + stageWords.bothEnds / 4] = Number(!wanted && opening === strips);
      if (wanted) bytes.fill(0, this.base + flags, this.base + flags + strips);
    });
  }

  private write(): void {
    const kernels = this.kernels.map((stage) => stage.map(({ code }) => code.index));
    writeImage(this.layout, { buffer: this.host.views.words.buffer, base: this.base, kernels });
  }

  /** Into the engine's memory at once: fresh memory between would take longer than the packing. */
  private pack(weights: Weights): void {
    const { layout, base, host } = this;
    const done = new Set<string>();
    for (const { step } of layout.stages.flatMap(({ steps }) => steps)) {
      const { reads } = buffersOf(step, layout.specs);
      for (const { id, scope } of reads) {
        if (scope !== "constant" || done.has(id)) continue;
        done.add(id);
        const given = weights.get(id);
        if (!given) throw new Error(`program: no weights for ${id}`);
        const place = layout.places.get(id)!;
        const { spec, pitch } = place;
        const pack = (address: number, fresh = false): void => {
          const { views } = host;
          if (!fresh) views.bytes.fill(0, address, address + pitch);
          const room = viewOf(spec.dtype, views.words.buffer, address, spec.width * spec.channels);
          kernelOf(step.kernel).pack!(step.kernel, reads[0]!, given, room);
        };
        if (!layout.room) {
          pack(base + place.data, true);
          continue;
        }
        const packed = host.packed.take(step.kernel, reads[0]!, given, pitch, pack);
        this.packed.push(packed);
        place.data = packed.block.offset - base;
      }
    }
  }

  /** Runs the first strip of each stage on pseudo-random inputs, each kernel that is not yet known as both twins. */
  private verify(): void {
    const { layout, kernels } = this;
    const { views } = this.host;
    this.fillInputs();
    layout.stages.forEach(({ offset, steps }, index) => {
      this.trace(index, (i, args) => {
        const { step } = steps[i]!;
        this.tryKernel(kernels[index]![i]!, args, buffersOf(step, layout.specs).write, step.kernel);
      });
      steps.forEach((_, i) => {
        views.words[this.kernelWord(offset, i)] = kernels[index]![i]!.code.index;
      });
    });
  }

  /** Goes through the first strip of a stage as the driver does, and calls `use` in place of each step's kernel. */
  trace(index: number, use: (step: number, args: number[]) => void): void {
    const { layout, base, host } = this;
    const { offset, steps } = layout.stages[index]!;
    const { words } = host.views;
    const byParams = new Map(steps.map((laid, i) => [base + laid.params.offset, i]));
    const before = steps.map((_, i) => words[this.kernelWord(offset, i)]!);
    const probe = host.probe((...args) => use(byParams.get(args[1]!)!, args));
    steps.forEach((_, i) => {
      words[this.kernelWord(offset, i)] = probe;
    });
    host.driver.strip(base + layout.scratch.offset, base + offset, 0);
    steps.forEach((_, i) => {
      words[this.kernelWord(offset, i)] = before[i]!;
    });
  }

  /** The index of a step's kernel in the table of functions. */
  kernelOf(stage: number, step: number): number {
    return this.host.views.words[this.kernelWord(this.layout.stages[stage]!.offset, step)]!;
  }

  private kernelWord(stage: number, step: number): number {
    return (this.base + stage + stageWords.bytes + step * stepBytes + stepWords.kernel) / 4;
  }

  /** Runs a kernel as wide code and as its twin: they agree where no bit differs. */
  private tryKernel(kernel: LoadedKernel, args: number[], write: BufferSpec, spec: object): void {
    const { code, twin } = kernel;
    if (!twin) {
      code.run(...args);
      return;
    }
    const { words, bytes } = this.host.views;
    const table = (args[4]! >>> 0) / 4;
    const rows = [...words.subarray(table, table + rowsWritten(spec, write, args[0]!))];
    const read = (): Uint8Array[] => rows.map((at) => bytes.slice(at >>> 0, (at >>> 0) + rowBytes(write)));
    // A sum that goes on reads the rows that it writes: both runs start from the same.
    const before = read();
    const run = (one: typeof code): Uint8Array[] => {
      rows.forEach((at, i) => {
        bytes.set(before[i]!, at >>> 0);
      });
      one.run(...args);
      return read();
    };
    const result = run(code);
    const equal = run(twin).every((row, i) => row.every((byte, j) => byte === result[i]![j]));
    this.host.kernels.settle(kernel, equal);
  }

  /** Pseudo-random numbers into all values and rings that no step writes. */
  fillInputs(): void {
    const written = new Set(this.layout.stages.flatMap(({ steps }) => steps.map(({ step }) => step.writes)));
    let state = 1;
    for (const place of this.layout.places.values()) {
      const { spec } = place;
      if (written.has(spec.id) || spec.picture || (spec.scope !== "arena" && spec.scope !== "input")) continue;
      for (const [start, count] of rowsOfPlace(place)) {
        const values = viewOf(spec.dtype, this.host.views.words.buffer, this.base + start, count);
        for (let i = 0; i < values.length; i++) {
          state = (Math.imul(state, 1664525) + 1013904223) | 0;
          values[i] = spec.dtype === "f32" || spec.dtype === "f64" ? state / 2 ** 31 : state >>> 16;
        }
      }
    }
  }
}

/** Tells the milliseconds since it was last asked, or made. */
export function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const [before, now] = [last, performance.now()];
    last = now;
    return now - before;
  };
}

/** Where the pixels of each row stand, and how many elements they are: of a ring with its margins. */
function rowsOfPlace({ spec, data, pitch, rows }: Place): [start: number, count: number][] {
  const { images = 1, channels, width } = spec;
  const [left, right] = spec.scope === "arena" ? [spec.left ?? 0, spec.right ?? 0] : [0, 0];
  const margin = left * channels * bytesOf[spec.dtype];
  return Array.from({ length: images * rows }, (_, row) => [
    data + row * pitch + margin,
    (width - left - right) * channels,
  ]);
}

/** From the first to the last row that a call writes for so many rows of the grid. */
function rowsWritten(spec: object, write: BufferSpec, rows: number): number {
  const { rowsOut = 1, phase, pads } = spec as { rowsOut?: number; phase?: object; pads?: object };
  if (!pads) return stripRows(write, rows);
  return (rows - 1) * rowsOut + (phase ? 1 : rowsOut);
}
