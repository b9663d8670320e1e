// What flows through a run: which rows of the caller's arrays are in, which strips may therefore begin, and which results are
// out. Values larger than a ring of rows go through it; others are moved while the first strips run.
import { reachOf, windowOf } from "../../plan/strips.ts";
import type { Ends } from "./bind.ts";
import type { Layout, Place, StageLayout, StepLayout } from "./layout.ts";
import type { MemoryViews } from "./memory.ts";
import type { Mover } from "./movers.ts";

/** Strips of a stage before `limit` may be taken. */
export interface Gate {
  stage: number;
  limit: number;
  /** What the driver knows. */
  raised: number;
}

/** Rows of one array on their way. */
interface Flow {
  mover: Mover;
  place: Place;
  /** Rows that were moved. */
  moved: number;
  isRing: boolean;
  /** Of what is moved in: who of the first stage reads it, as which operand; and whether a later stage does. */
  readers: { step: StepLayout; which: number }[];
  isReadLater: boolean;
  /** A reader wants all of it. */
  isReadWhole: boolean;
  /** Of what is moved out: rows of an image, and rows that its step writes for each row of the grid. */
  perImage: number;
  perGridRow: number;
}

/** Its loops go by index: iterators would be garbage of every strip. */
export class Stream {
  readonly gates: Gate[];
  /** Stages whose finished strips have to be flagged. */
  readonly flagged = new Set<number>();
  private readonly layout: Layout;
  private readonly views: MemoryViews;
  private readonly base: number;
  private readonly ins: Flow[];
  private readonly outs: Flow[];
  /** What no stage waits for. */
  private readonly firsts: Mover[];
  private readonly rings: Flow[];
  /** Of flagged stages: strips before this one are done. */
  private readonly done = new Map<number, number>();

  constructor(layout: Layout, { ins, outs }: Ends, views: MemoryViews, base: number) {
    this.layout = layout;
    this.views = views;
    this.base = base;
    const last = layout.stages.length - 1;
    const [first, ...later] = layout.stages;
    const flows = ins.map((end) =>
      flowOf(
        end,
        readersOf(first!, end.id),
        later.some((stage) => readersOf(stage, end.id).length > 0),
      ),
    );
    this.ins = flows.filter(({ readers }) => readers.length > 0);
    this.firsts = flows.filter(({ readers }) => readers.length === 0).map(({ mover }) => mover);
    this.outs = outs.map((end) => leavingFlow(end, layout.stages[last]!));
    this.rings = this.outs.filter(({ isRing }) => isRing);
    if (this.ins.some(({ isRing }) => isRing)) this.flagged.add(0);
    if (this.outs.length > 0) this.flagged.add(last);
    this.gates = [...new Set([0, last])].map((stage) => ({ stage, limit: 0, raised: 0 }));
    this.begin();
  }

  /** Makes it ready for a run. */
  begin(): void {
    for (let i = 0; i < this.firsts.length; i++) this.firsts[i]!.move(0, this.firsts[i]!.rows);
    for (let i = 0; i < this.ins.length; i++) this.ins[i]!.moved = 0;
    for (let i = 0; i < this.outs.length; i++) this.outs[i]!.moved = 0;
    const last = this.layout.stages.length - 1;
    if (this.flagged.has(0)) this.done.set(0, 0);
    if (this.flagged.has(last)) this.done.set(last, 0);
    for (let i = 0; i < this.gates.length; i++) this.gates[i]!.limit = 0;
    this.openGates();
    for (let i = 0; i < this.gates.length; i++) this.gates[i]!.raised = this.gates[i]!.limit;
  }

  /** Whether something is still to be moved. */
  get isBusy(): boolean {
    return this.ins.some(isFlowing) || this.outs.some(isFlowing);
  }

  get isDone(): boolean {
    return !this.outs.some(isFlowing);
  }

  /** The share of the results that are out. */
  get share(): number | undefined {
    const [out] = this.outs;
    return out && out.moved / out.mover.rows;
  }

  /** Moves some rows in, if strips lack them and there is room. */
  feed(threads: number): boolean {
    for (let i = 0; i < this.ins.length; i++) {
      const flow = this.ins[i]!;
      const { mover, moved, isRing } = flow;
      if (!isFlowing(flow)) continue;
      let end = moved + mover.chunk;
      if (this.flagged.has(0)) {
        // No further ahead than threads can work: what comes in is then read while it is in the cache.
        const done = this.doneOf(0);
        const { limit } = this.gates[0]!;
        if (limit - done >= (threads > 1 ? 2 * threads : 1)) continue;
        end = Math.min(end, this.needOf(flow, limit));
        if (isRing) end = Math.min(end, this.roomOf(flow, done));
      }
      end = Math.min(end, mover.rows);
      if (end <= moved) continue;
      mover.move(moved, end);
      flow.moved = end;
      this.openGates();
      return true;
    }
    return false;
  }

  /** Moves finished rows out, if there are any. */
  empty(): boolean {
    for (let i = 0; i < this.outs.length; i++) {
      const flow = this.outs[i]!;
      const { mover, moved, isRing } = flow;
      if (!isFlowing(flow)) continue;
      const ready = this.readyOf(flow);
      if (ready <= moved || (!isRing && ready - moved < mover.chunk && ready < mover.rows)) continue;
      const end = Math.min(ready, moved + mover.chunk);
      mover.move(moved, end);
      flow.moved = end;
      this.openGates();
      return true;
    }
    return false;
  }

  /** Whether strips that were finished meanwhile make room, or are to be moved out. */
  canMove(): boolean {
    for (let i = 0; i < this.outs.length; i++) {
      const flow = this.outs[i]!;
      if (isFlowing(flow) && this.readyOf(flow) > flow.moved) return true;
    }
    const before = this.done.get(0);
    return before !== undefined && this.doneOf(0) > before;
  }

  /** By what is in and out, which strips may be taken. */
  private openGates(): void {
    for (let i = 0; i < this.gates.length; i++) {
      const gate = this.gates[i]!;
      const { strips } = this.layout.stages[gate.stage]!;
      while (gate.limit < strips && this.mayBegin(gate.stage, gate.limit)) gate.limit++;
    }
  }

  private mayBegin(index: number, strip: number): boolean {
    if (index === 0) {
      for (let i = 0; i < this.ins.length; i++) {
        const flow = this.ins[i]!;
        if (isFlowing(flow) && this.needOf(flow, strip) > flow.moved) return false;
      }
    }
    if (index < this.layout.stages.length - 1) return true;
    const stage = this.layout.stages[index]!;
    for (let i = 0; i < this.rings.length; i++) {
      const { moved, place } = this.rings[i]!;
      if (lastRow(stage, place, strip) >= moved + place.rows) return false;
    }
    return true;
  }

  /** Rows of a flow that must be in before a strip of the first stage may begin. */
  private needOf({ place, mover, isRing, readers, isReadLater, isReadWhole }: Flow, strip: number): number {
    const stage = this.layout.stages[0]!;
    // The next stage begins when the last strip is done: what that reads must be in by then.
    if (strip >= stage.strips || (isReadLater && strip === stage.strips - 1)) return mover.rows;
    const last = lastOf(stage, strip);
    const { stride, above, below } = place.spec;
    if (isRing) return Math.min(mover.rows, last * stride + above + below + 1);
    if (isReadWhole) return mover.rows;
    let row = -1;
    for (let i = 0; i < readers.length; i++) row = Math.max(row, readTo(readers[i]!.step, readers[i]!.which, last));
    return imageOf(stage, strip) * place.rows + Math.min(place.rows, row + 1);
  }

  /** Rows that a ring has room for, in all: those of strips that are not done stay. */
  private roomOf({ place }: Flow, done: number): number {
    const stage = this.layout.stages[0]!;
    if (done >= stage.strips) return Infinity;
    return firstOf(stage, done) * place.spec.stride + place.rows;
  }

  /** Rows of the result before which all are done. */
  private readyOf({ mover, perImage, perGridRow }: Flow): number {
    const index = this.layout.stages.length - 1;
    const stage = this.layout.stages[index]!;
    const done = this.doneOf(index);
    if (done >= stage.strips) return mover.rows;
    // A strip of rows is done when all parts of its channels are.
    const whole = done - (done % stage.parts);
    return imageOf(stage, whole) * perImage + Math.min(perImage, firstOf(stage, whole) * perGridRow);
  }

  /** Strips of a flagged stage before which all are done. */
  private doneOf(index: number): number {
    const { flags, strips } = this.layout.stages[index]!;
    const { bytes } = this.views;
    let done = this.done.get(index)!;
    while (done < strips && Atomics.load(bytes, this.base + flags + done) === 1) done++;
    this.done.set(index, done);
    return done;
  }
}

const isFlowing = ({ moved, mover }: Flow): boolean => moved < mover.rows;

const flowOf = ({ mover, place }: Ends["ins"][number], readers: Flow["readers"], isReadLater: boolean): Flow => ({
  ...{ mover, place, moved: 0, isRing: place.spec.scope !== "arena", readers, isReadLater, perImage: 0, perGridRow: 0 },
  isReadWhole: readers.some(({ step: { step } }) => windowOf(step.kernel)?.whole),
});

const leavingFlow = (end: Ends["outs"][number], stage: StageLayout): Flow => ({
  ...flowOf(end, [], false),
  perImage: end.mover.rows / (stage.stage.grid.images || 1),
  perGridRow: rowsPerGridRow(stage, end.place),
});

const readersOf = ({ steps }: StageLayout, id: string): Flow["readers"] =>
  steps.flatMap((step) => step.step.reads.flatMap((read, which) => (read === id ? [{ step, which }] : [])));

const perImageOf = ({ stage: { grid }, grain }: StageLayout): number => Math.ceil(grid.extent / grain);

/** The image that a strip is of, and its first and last row of the grid. */
const imageOf = (stage: StageLayout, strip: number): number =>
  Math.floor(Math.floor(strip / stage.parts) / perImageOf(stage));

const firstOf = (stage: StageLayout, strip: number): number =>
  (Math.floor(strip / stage.parts) % perImageOf(stage)) * stage.grain;

const lastOf = (stage: StageLayout, strip: number): number =>
  Math.min(stage.stage.grid.extent, firstOf(stage, strip) + stage.grain) - 1;

/** The last row of a picture that a strip writes. */
const lastRow = (stage: StageLayout, { spec }: Place, strip: number): number =>
  (lastOf(stage, strip) + 1) * spec.stride - 1;

/** Rows of a value that its step writes for each row of the grid. */
function rowsPerGridRow({ steps }: StageLayout, { spec }: Place): number {
  const window = windowOf(steps.find(({ step }) => step.writes === spec.id)!.step.kernel);
  // Which rows it has written a kernel knows that finds its own: until all are done, none.
  return window?.whole ? 0 : (window?.rowsOut ?? spec.stride);
}

/** The last row of its `which`-th operand that a step reads for rows of the grid up to `last`. */
function readTo({ step, rows }: StepLayout, which: number, last: number): number {
  const window = windowOf(step.kernel);
  const to = Math.min(rows.last, last * rows.scale + rows.after);
  if (!window) return to;
  const { strides, pads, rowsOut = 1, rowStart = 0 } = window;
  return which === 0 ? to * strides[0] - pads[0] + reachOf(window) : to * rowsOut + rowStart + rowsOut - 1;
}
