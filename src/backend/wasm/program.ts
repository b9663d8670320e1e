// A plan as a program in the engine's memory: laid out, written, packed, checked, and run by the driver on all its threads
// while the caller's thread moves arrays in and out.
import { Rank1Error } from "../../errors.ts";
import { kernelOf } from "../../kernels/table.ts";
import { type Elements, type TypedArray, viewOf } from "../../tensor.ts";
import {
  type BackendPlan,
  type Bindings,
  type CompileOptions,
  ended,
  type Program,
  type ProgramRunOptions,
  type Rooms,
  type Weights,
} from "../backend.ts";
import { buffersOf } from "../margins.ts";
import { turn as nextTurn, Slices, type Steps, stopwatch } from "../slices.ts";
import { type Bound, bindAll, type Ends, rebind, unbind } from "./bind.ts";
import { writeImage, writeRoom } from "./image.ts";
import type { LoadedKernel } from "./kernels.ts";
import { type Layout, layoutOf, moveRoom } from "./layout.ts";
import type { Allocator, Block } from "./memory.ts";
import type { WorkerPool } from "./pool.ts";
import { control, outcome, stageWords } from "./script.ts";
import type { PackedWeights, SharedRoom } from "./shared.ts";
import type { Staging } from "./staging.ts";
import { Stream } from "./stream.ts";
import { Trial, type TrialHost } from "./trial.ts";
import { turn } from "./turn.ts";
import { areWeights } from "./weights.ts";

/** What programs need of their backend. */
export interface ProgramHost extends TrialHost {
  /** What the last run of each program was bound to. */
  readonly flowing: WeakMap<object, Flowing>;
  /** It has given all its memory back. */
  readonly isDisposed: boolean;
  readonly allocator: Allocator;
  /** What programs of networks share. */
  readonly packed: PackedWeights;
  readonly room: SharedRoom;
  readonly staging: Staging;
  readonly pool: WorkerPool | undefined;
  /** The address of the control block. */
  readonly control: number;
  /** Rows of a strip in place of what is best, for tests: results must not depend on it. */
  readonly stripRows?: number;
  threadsFor(nanoseconds: number): number;
}

interface Flowing {
  ends: Ends;
  stream: Stream;
}

/** A run on its way. */
interface Run {
  number: number;
  ends: Ends;
  stream: Stream;
  threads: number;
  options: ProgramRunOptions;
  slices: Slices;
  /** The stage that was announced last. */
  stage: number;
  /** The signal before the last look at what is done. */
  seen: number;
}

type Outcome = "ended" | "due" | "waiting";

export class WasmProgram implements Program {
  readonly layout: Layout;
  readonly base: number;
  readonly phases: Record<string, number> = {};
  /** Runs its kernels one by one. */
  readonly trial: Trial;
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
    this.trial = new Trial(host, layout, this.base);
  }

  /** Makes a program, in parts; between them nothing else may be compiled or run. */
  static *compiling(
    host: ProgramHost,
    plan: BackendPlan,
    weights: Weights,
    { shares = false }: CompileOptions = {},
  ): Steps<WasmProgram> {
    const watch = stopwatch();
    const layout = layoutOf(plan, host.threadsFor(plan.cost.time), { rows: host.stripRows, apart: shares });
    yield;
    const laidOut = watch();
    const uses = layout.stages.map(({ steps }) =>
      steps.map(({ step }) => ({ spec: step.kernel, buffers: buffersOf(step, layout.specs) })),
    );
    const all = host.kernels.load(uses.flat());
    const code = watch();
    const kernels = uses.map((stage) => all.splice(0, stage.length));
    const program = new WasmProgram(host, layout, roomFor(host, layout, kernels.flat()), kernels);
    try {
      yield;
      if (!shares) program.write();
      const written = watch();
      yield* program.pack(weights);
      const packed = watch();
      if (layout.room) host.room.join(program, layout.room.bytes);
      program.enter();
      Object.assign(program.phases, { layout: laidOut + written + watch(), code, weights: packed });
      if (kernels.flat().some(({ twin }) => twin)) program.trial.verify(kernels);
      program.phases.check = watch();
      return program;
    } catch (error) {
      program.dispose();
      throw error;
    }
  }

  get bytes(): number {
    return this.block.bytes + this.shared;
  }

  get shared(): number {
    const room = this.layout.room?.bytes ?? 0;
    return this.packed.reduce((sum, { block }) => sum + block.bytes, room);
  }

  dispose(): void {
    const { host, disposed } = this;
    this.disposed = true;
    if (disposed || host.isDisposed) return;
    host.kernels.release(this.kernels.flat());
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
      host.flowing.delete(this);
      this.write();
    }
    if (changed) writeRoom(layout, host.views, base);
  }

  run(inputs: Bindings, outputs: Bindings, options: ProgramRunOptions = {}): Promise<void> {
    try {
      const state = this.begin(inputs, outputs, options);
      if (state.threads > 1) return this.goOn(state);
      try {
        const outcome = this.drive(state);
        if (outcome !== "ended") return this.goOn(state, outcome);
        this.complete(state);
      } catch (error) {
        this.close(state);
        throw error;
      }
      this.close(state);
      return ended;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  private begin(inputs: Bindings, outputs: Bindings, options: ProgramRunOptions): Run {
    if (this.disposed) {
      const [expected, received] = ["one in use", "a disposed one"];
      throw new Rank1Error("DISPOSED", { parameter: "layer", expected, received });
    }
    options.signal?.throwIfAborted();
    this.enter();
    const { host, layout, base } = this;
    const { ends, stream } = this.bind(inputs, outputs);
    const threads = options.onStage ? 1 : layout.threads;
    if (threads > 1) host.pool!.wake();
    this.openStages(stream);
    const number = host.driver.begin(base, threads, stream.gates[0]!.limit);
    return { number, ends, stream, threads, options, slices: new Slices(options.signal), stage: -1, seen: 0 };
  }

  /** All that one look does not end; `outcome` of the look before. */
  private async goOn(state: Run, outcome?: Outcome): Promise<void> {
    const { pool } = this.host;
    const { stream, threads, options, slices } = state;
    try {
      if (threads > 1) pool!.call();
      for (let found = outcome ?? this.drive(state); found !== "ended"; found = this.drive(state)) {
        if (found === "waiting") await this.wait(state.seen);
        if (found === "waiting" && !slices.due()) continue;
        options.onProgress?.(this.share(stream));
        await nextTurn();
        slices.begin();
        if (threads > 1) pool!.check();
      }
      this.complete(state);
    } finally {
      this.close(state);
      if (threads > 1) {
        await pool!.settle();
        pool!.rest();
      }
    }
  }

  private complete({ ends, options }: Run): void {
    for (let i = 0; i < ends.late.length; i++) ends.late[i]!.move(0, ends.late[i]!.rows);
    for (let i = 0; i < ends.after.length; i++) ends.after[i]!();
    options.onProgress?.(1);
  }

  private close({ number, ends }: Run): void {
    this.host.driver.close(number);
    unbind(ends);
  }

  /** What moves arrays and in which order: the last run's, where this one differs in the arrays alone. */
  private bind(inputs: Bindings, outputs: Bindings): Flowing {
    const { host, layout, base } = this;
    const known = host.flowing.get(this);
    if (known && rebind(known.ends, inputs, outputs)) {
      known.stream.begin();
      return known;
    }
    const ends = bindAll({ staging: host.staging, views: host.views, base }, layout, this.bound, inputs, outputs);
    const made = { ends, stream: new Stream(layout, ends, host.views, base) };
    host.flowing.set(this, made);
    return made;
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

  areWeights(mask: Float32Array, from: number, to: number): boolean {
    return areWeights(this.host.staging, mask, from, to);
  }

  turn(from: TypedArray, to: TypedArray, sides: [height: number, width: number], bytes: number): boolean {
    return turn(this.host.staging, from, to, sides, bytes);
  }

  private room(id: string): Elements {
    const { spec, data } = this.layout.places.get(id)!;
    return viewOf(spec.dtype, this.host.views.words.buffer, this.base + data, spec.width * spec.channels);
  }

  /** Feeds, works and empties until the last strip is out, or something has to be waited for. */
  private drive(state: Run): Outcome {
    const { driver, views, control: at } = this.host;
    const { number, stream, threads, options, slices } = state;
    for (;;) {
      state.seen = Atomics.load(views.words, (at + control.signal) / 4);
      // Others may wait for rows: they come first, as far as there is room.
      let moved = false;
      while (stream.feed(threads)) moved = true;
      if (moved) this.raise(number, stream);
      if (options.onStage && this.stageNow() !== state.stage) {
        state.stage = this.stageNow();
        options.onStage();
      }
      const result = driver.run(0, number, stream.isBusy || options.onStage ? 1 : 0x7fffffff);
      if (stream.empty()) {
        while (stream.empty());
        this.raise(number, stream);
      } else if (result === outcome.ended && stream.isDone) return "ended";
      else if (result === outcome.waiting && !stream.canMove()) return "waiting";
      if (slices.due()) return "due";
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

  /** Has finished strips flagged of the stages that the stream asks for, and says which may be taken when one begins. */
  private openStages({ flagged, gates }: Stream): void {
    const { words, bytes } = this.host.views;
    const { stages } = this.layout;
    for (let index = 0; index < stages.length; index++) {
      const { offset, flags, strips } = stages[index]!;
      if (flags === 0) continue;
      const at = (this.base + offset) / 4;
      const wanted = flagged.has(index);
      words[at + stageWords.flags / 4] = wanted ? this.base + flags : 0;
      let opening = strips;
      for (let i = 0; i < gates.length; i++) if (gates[i]!.stage === index) opening = gates[i]!.limit;
      words[at + stageWords.opening / 4] = opening;
      words[at + stageWords.bothEnds / 4] = Number(!wanted && opening === strips);
      if (wanted) bytes.fill(0, this.base + flags, this.base + flags + strips);
    }
  }

  private write(): void {
    const kernels = this.kernels.map((stage) => stage.map(({ code }) => code.index));
    writeImage(this.layout, { buffer: this.host.views.words.buffer, base: this.base, kernels });
  }

  /** Into the engine's memory at once: fresh memory between would take longer than the packing. */
  private *pack(weights: Weights): Steps {
    const { layout, base, host } = this;
    const done = new Set<string>();
    for (const { step } of layout.stages.flatMap(({ steps }) => steps)) {
      const { reads } = buffersOf(step, layout.specs);
      for (const { id, scope } of reads) {
        if (scope !== "constant" || done.has(id)) continue;
        done.add(id);
        yield;
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
}

function roomFor({ allocator, kernels }: ProgramHost, { bytes }: Layout, loaded: readonly LoadedKernel[]): Block {
  try {
    return allocator.allocate(bytes);
  } catch (error) {
    kernels.release(loaded);
    throw error;
  }
}
