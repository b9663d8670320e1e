// The strips of one run: the caller's thread stages input rows into slots, takes slots to work on, and copies results out.
import { stripRows } from "../plan/cost.ts";
import type { BufferSpec, Stage } from "../plan/types.ts";
import type { StageLayout } from "./layout.ts";
import { slotState, slotWords } from "./machine.ts";
import type { RowEmitter, RowStager } from "./rows.ts";

export interface Ends {
  stager: RowStager;
  emitter: RowEmitter;
  input: { table: number; rows: number };
  output: { spec: BufferSpec; data: number; pitch: number };
  /** Rows of one image of the output. */
  height: number;
}

/** The strips of one run, in order: which are staged, in flight, and out. */
export class Strips {
  private next = 0;
  private out = 0;
  /** Input rows below this one (of the current image) are staged. */
  private staged = { image: -1, row: 0 };
  private readonly count: number;
  private readonly perImage: number;
  private readonly inSlot: (number | undefined)[];
  private readonly words: Int32Array;
  private readonly spec;
  private readonly stage: Stage;
  private readonly layout: StageLayout;
  private readonly ends: Ends;

  constructor(stage: Stage, layout: StageLayout, buffer: ArrayBufferLike, ends: Ends) {
    this.stage = stage;
    this.layout = layout;
    this.ends = ends;
    this.perImage = Math.ceil(stage.grid.extent / layout.grain);
    this.count = this.perImage * stage.grid.images;
    this.inSlot = layout.slots.map(() => undefined);
    this.words = new Int32Array(buffer);
    this.spec = [...layout.buffers.values()].find(({ spec }) => spec.scope === "input")!.spec;
  }

  get done(): boolean {
    return this.out === this.count;
  }

  get share(): number {
    return this.out / this.count;
  }

  canFeed(): boolean {
    const index = this.next % this.layout.slots.length;
    if (this.next >= this.count || this.inSlot[index] !== undefined) return false;
    // A new image restarts the ring, so the strips of the one before must be out.
    return this.next % this.perImage > 0 || this.out === this.next;
  }

  /** Stages the next strip into its slot, if that is free. */
  feed(): boolean {
    if (!this.canFeed()) return false;
    const index = this.next % this.layout.slots.length;
    const slot = this.layout.slots[index]!;
    const { image, first, rows } = this.strip(this.next);
    const { stride, above, below } = this.spec;
    const from = first * stride - above;
    const to = (first + rows - 1) * stride + below + 1;
    const start = this.staged.image === image ? Math.max(from, this.staged.row) : from;
    for (let row = start; row < to; row++) this.ends.stager.stage(image, row, this.place(row));
    this.staged.image = image;
    this.staged.row = to;
    const table = (slot + this.ends.input.table) / 4;
    for (let row = from; row < to; row++) this.words[table + row - from] = this.place(row);
    // Kernels that handle several rows at once may look past the last: at anything that can be read.
    this.words.fill(this.place(to - 1), table + to - from, table + this.ends.input.rows);
    this.words[slot / 4 + slotWords.rows] = rows;
    this.inSlot[index] = this.next++;
    Atomics.store(this.words, slot / 4 + slotWords.state, slotState.filled);
    return true;
  }

  /** Where an input row stands in the ring. */
  private place(row: number): number {
    const { ring } = this.layout;
    return ring.offset + ((row + this.spec.above) % ring.rows) * ring.pitch;
  }

  /** Takes a filled slot for this thread, the oldest first: slots are filled in turn, from the one that is next. */
  claim(): number | undefined {
    const { slots } = this.layout;
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[(this.next + i) % slots.length]!;
      const { filled, running } = slotState;
      if (Atomics.compareExchange(this.words, slot / 4 + slotWords.state, filled, running) === filled) return slot;
    }
    return undefined;
  }

  finish(slot: number): void {
    Atomics.store(this.words, slot / 4 + slotWords.state, slotState.done);
  }

  /** Copies out every finished strip and frees its slot. */
  empty(): void {
    const { slots } = this.layout;
    for (let index = 0; index < slots.length; index++) {
      const [slot, strip] = [slots[index]!, this.inSlot[index]];
      if (strip === undefined || Atomics.load(this.words, slot / 4 + slotWords.state) !== slotState.done) continue;
      const { image, first, rows } = this.strip(strip);
      const { output, emitter, height } = this.ends;
      const { stride, above } = output.spec;
      const start = first * stride - above;
      const count = Math.min(stripRows(output.spec, rows), height - start);
      for (let row = 0; row < count; row++) {
        emitter.emit(slot + output.data + row * output.pitch, image * height + start + row);
      }
      this.inSlot[index] = undefined;
      this.out++;
      Atomics.store(this.words, slot / 4 + slotWords.state, slotState.empty);
    }
  }

  /** Takes back what no thread has begun, so that an aborted run ends soon. */
  abandon(): void {
    const { filled, empty } = slotState;
    for (const slot of this.layout.slots)
      Atomics.compareExchange(this.words, slot / 4 + slotWords.state, filled, empty);
  }

  private strip(index: number): { image: number; first: number; rows: number } {
    const first = (index % this.perImage) * this.layout.grain;
    const rows = Math.min(this.layout.grain, this.stage.grid.extent - first);
    return { image: Math.floor(index / this.perImage), first, rows };
  }
}
