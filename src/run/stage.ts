// One stage of a plan on a machine. Strips of rows are staged into slots, run through all steps of the stage by whoever
// is free, and copied out; the caller's thread feeds, empties, and works in between.
import { stripRows } from "../plan/cost.ts";
import type { Alpha, BufferSpec, Stage } from "../plan/types.ts";
import { bytesOf, viewOf } from "../tensor.ts";
import type { Block } from "../wasm/memory.ts";
import { find, layoutStage, rebase, type StageLayout } from "./layout.ts";
import { type Call, type Machine, type PreparedCalls, type Run, slotState, slotWords } from "./machine.ts";
import { type Edge, RowEmitter, RowStager, type Source, type Target } from "./rows.ts";
import { type Abortable, Slices } from "./slices.ts";
import { Strips } from "./strips.ts";

/** Rows of output on which unverified code is tried: more than any kernel handles at once, and not a multiple. */
const trialRows = 7;

export interface RunOptions {
  signal?: Abortable;
  /** Called now and then with the share that is done, from 0 to 1. */
  onProgress?: (done: number) => void;
}

/** What stands at both ends of a stage. */
export interface StageEnds {
  source: Source;
  edge: Edge;
  target: Target;
  /** Rows of one image of the target. */
  height: number;
  /** The caller's picture, and what to do with its alpha where rows come in and where they go out. */
  original: Source;
  alphaIn: Alpha;
  alphaOut: Alpha;
}

/** A stage that is ready to run on one machine: kernels compiled, memory reserved, weights in place. */
export class StageProgram {
  private readonly machine: Machine;
  private readonly block: Block;
  readonly layout: StageLayout;
  private readonly stage: Stage;
  readonly calls: Call[];
  private readonly prepared: PreparedCalls;

  private constructor(
    stage: Stage,
    machine: Machine,
    block: Block,
    layout: StageLayout,
    calls: Call[],
    prepared: PreparedCalls,
  ) {
    this.machine = machine;
    this.block = block;
    this.layout = layout;
    this.stage = stage;
    this.calls = calls;
    this.prepared = prepared;
  }

  /** `constants` holds the packed weights by buffer; `nanoseconds` is the predicted time of the whole plan. */
  static async create(
    stage: Stage,
    buffers: readonly BufferSpec[],
    machine: Machine,
    nanoseconds: number,
    constants: ReadonlyMap<string, Float32Array>,
  ): Promise<StageProgram> {
    const relative = layoutStage(stage, buffers, machine, machine.threadsFor(nanoseconds));
    const block = machine.allocate(relative.bytes);
    try {
      const layout = rebase(relative, block.offset);
      const calls = callsOf(stage, layout);
      const prepared = await machine.prepare(calls);
      const program = new StageProgram(stage, machine, block, layout, calls, prepared);
      program.initialise(constants);
      if (prepared.unverified) program.verify();
      return program;
    } catch (error) {
      machine.release(block);
      throw error;
    }
  }

  get bytes(): number {
    return this.block.bytes;
  }

  dispose(): void {
    this.machine.release(this.block);
  }

  /** Parameter blocks, weights, and the tables of rows that never move. */
  private initialise(constants: ReadonlyMap<string, Float32Array>): void {
    const { layout } = this;
    const buffer = this.machine.buffer();
    for (const { offset, bytes } of layout.params) new Uint8Array(buffer, offset, bytes.length).set(bytes);
    for (const [id, { spec, base, table, data, pitch, rows }] of layout.buffers) {
      if (spec.scope === "input") continue;
      const bases = base === "absolute" ? [0] : base === "slot" ? layout.slots : layout.scratch;
      for (const start of bases) {
        const pointers = new Uint32Array(buffer, start + table, rows);
        for (let row = 0; row < rows; row++) pointers[row] = start + data + row * pitch;
        if (spec.scope !== "constant") continue;
        const weights = constants.get(id);
        if (weights) new Float32Array(buffer, start + data, weights.length).set(weights);
      }
    }
    const words = new Int32Array(buffer);
    for (const slot of layout.slots) words[slot / 4 + slotWords.state] = slotState.empty;
  }

  /** Lets the machine try its code on a few rows of pseudo-random data. */
  private verify(): void {
    const { layout } = this;
    this.fill(Math.min(layout.grain, trialRows));
    this.prepared.verify(layout.slots[0]!, layout.scratch[0]!);
  }

  /** Stages a strip of pseudo-random data into the first slot. */
  fill(count: number): void {
    const { layout, machine } = this;
    const buffer = machine.buffer();
    const { spec, table, rows } = this.rowsOf("input");
    const { ring } = layout;
    const held = stripRows(spec, count);
    let state = 1;
    for (let row = 0; row < held; row++) {
      const data = viewOf(spec.dtype, buffer, ring.offset + row * ring.pitch, ring.pitch / bytesOf[spec.dtype]);
      for (let i = 0; i < data.length; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) | 0;
        data[i] = spec.dtype === "f32" ? state / 2 ** 31 : state >>> 16;
      }
    }
    const words = new Int32Array(buffer);
    const slot = layout.slots[0]!;
    for (let row = 0; row < rows; row++)
      words[(slot + table) / 4 + row] = ring.offset + Math.min(row, held - 1) * ring.pitch;
    words[slot / 4 + slotWords.rows] = count;
  }

  async run(ends: StageEnds, options: RunOptions): Promise<void> {
    const { machine, layout, stage } = this;
    const { source, edge, target, height, original, alphaIn, alphaOut } = ends;
    options.signal?.throwIfAborted();
    const [input, output] = [this.rowsOf("input"), this.rowsOf("output")];
    const job = { calls: this.calls, slots: layout.slots, scratch: layout.scratch };
    const buffer = machine.buffer();
    const strips = new Strips(stage, layout, buffer, {
      stager: new RowStager(source, edge, input, alphaIn, buffer),
      emitter: new RowEmitter(original, target, output, alphaOut, buffer),
      ...{ input, output, height },
    });
    const run = await this.prepared.start(job);
    try {
      await drive(strips, run, options);
    } finally {
      strips.abandon();
      await run.end();
    }
  }

  private rowsOf(scope: "input" | "output") {
    return [...this.layout.buffers.values()].find(({ spec }) => spec.scope === scope)!;
  }
}

function callsOf(stage: Stage, layout: StageLayout): Call[] {
  const specs = [...layout.buffers.values()].map(({ spec }) => spec);
  return stage.steps.map((step, index) => ({
    spec: step.kernel,
    arity: step.reads.length + 2,
    buffers: { reads: step.reads.map((id) => find(specs, id)), write: find(specs, step.writes) },
    params: layout.params[index]!.offset,
    operands: [...step.reads, step.writes].map((id) => {
      const { base, table } = layout.buffers.get(id)!;
      return { base, offset: table };
    }),
  }));
}

/** Feeds, works and empties until every strip is out. */
async function drive(strips: Strips, run: Run, { signal, onProgress }: RunOptions): Promise<void> {
  const slices = new Slices(signal);
  for (;;) {
    const finished = run.finished();
    strips.empty();
    if (strips.done) break;
    const fed = strips.feed();
    if (fed) run.wake();
    // Others may be waiting for input: fill every free slot before working here.
    if (!fed || !strips.canFeed()) {
      const slot = strips.claim();
      if (slot !== undefined) {
        run.execute(slot);
        strips.finish(slot);
      } else if (!fed) {
        await run.waitForOthers(finished);
      }
    }
    if (slices.due()) {
      onProgress?.(strips.share);
      await slices.next();
    }
  }
  onProgress?.(1);
}
