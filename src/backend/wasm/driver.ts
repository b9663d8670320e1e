// Generates the driver: the one interpreter of programs, run by the caller and by workers alike. Whoever is free takes a strip
// of the stage by compare-and-swap, runs all its steps, and takes another; who finishes the last strip of a stage opens the
// next. Every other thread takes from the far end: so each finds most of what it reads in its own cache, where it left it in
// the stage before. A ticket carries the run's number, so that a late thread takes nothing from another run.
import {
  branch,
  branchIf,
  type Code,
  type FunctionBuilder,
  get,
  type Imports,
  i32,
  i64,
  type Local,
  leave,
  load,
  loop,
  ModuleBuilder,
  op,
  select,
  set,
  store,
  sum,
  when,
} from "../../codegen/assembler.ts";
import { kernelArity } from "../../kernels/kernel.ts";
import { limitOf, type Memory, memoryAccess, nextOf, runOf, stageOf, ticketOf } from "./control.ts";
import { ended, header, operandWords, outcome, stageWords, stepBytes, stepWords, ticketBits } from "./script.ts";

/** A worker that sleeps longer goes back to its event loop: so debuggers and collectors of garbage reach it. */
const idleNanoseconds = 5e8;

export interface DriverMode {
  /** Where the control block stands. */
  control: number;
  /** Whether memory is shared; if not, nothing is atomic and nobody sleeps. */
  shared: boolean;
  /** Pages that memory may have. */
  maximum: number;
}

/** What the driver exports. */
export interface Driver {
  /** Opens a run of the program at `script` for so many threads: returns its number. Strips before `limit` may be taken. */
  begin(script: number, threads: number, limit: number): number;
  /** Works on a run until `most` strips are done, a slice of time is over, nothing can be taken, or the run has ended. */
  run(thread: number, run: number, most: number): number;
  /** Lets strips of a run's stage before `limit` be taken. */
  raise(run: number, stage: number, limit: number): void;
  /** Ends a run: nothing more of it is taken. */
  close(run: number): void;
  /** Runs one strip, whatever the ticket says. */
  strip(scratch: number, stage: number, index: number): void;
  /** A worker's life: works on every run, sleeps in between, returns when its mail is not what it has read, or when idle. */
  watch(thread: number, read: number): void;
}

/** The table of kernels. */
export const tableImport = { table: { name: "table", type: { params: Array(kernelArity).fill("i32"), results: [] } } } satisfies Imports; // biome-ignore format: a line

export function driverCode({ control: at, shared, maximum }: DriverMode): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder({ ...tableImport, functions: { due: { params: [], results: ["i32"] } } });
  const memory = memoryAccess(at, shared);
  emitStrip(module);
  emitSignal(module, memory, shared);
  emitRun(module, memory);
  emitControl(module, memory);
  if (shared) emitWatch(module, memory);
  return module.encode({ shared, maximum });
}

const word = (base: Local, offset: number): Code => load("i32.load", get(base), offset);

/** Adds `whole(program)`, which runs all strips of a program in turn, of one thread and without a ticket. */
export function defineWhole(module: ModuleBuilder): void {
  emitStrip(module);
  module.define("whole", ["i32"], (f) => {
    const [program] = f.params as [Local];
    const { number, stage, index } = f.locals("i32", "number", "stage", "index");
    f.emit(
      loop(
        set(stage, stageAt(program, get(number))),
        set(index, i32(0)),
        loop(
          module.call("strip", word(program, header.scratch), get(stage), get(index)),
          set(index, sum(get(index), i32(1))),
          branchIf(0, op("i32.lt_u", get(index), word(stage, stageWords.strips))),
        ),
        set(number, sum(get(number), i32(1))),
        branchIf(0, op("i32.lt_u", get(number), word(program, header.stages))),
      ),
    );
  });
}

/** (scratch, stage, index) */
function emitStrip(module: ModuleBuilder): void {
  module.define("strip", ["i32", "i32", "i32"], (f) => {
    const [scratch, stage, index] = f.params as [Local, Local, Local];
    const { part, image, first, last, step, end, from, rows } = f.locals(
      ...(["i32", "part", "image", "first", "last", "step", "end", "from", "rows"] as const),
    );
    const larger = (a: Code, b: Code): Code => select(op("i32.gt_s", a, b), a, b);
    const smaller = (a: Code, b: Code): Code => select(op("i32.lt_s", a, b), a, b);
    const operand = (which: number): Code => {
      const at = (name: keyof typeof operandWords): Code =>
        word(step, stepWords.bytes + which * operandWords.bytes + operandWords[name]);
      return sum(
        ...[at("base"), op("i32.and", get(scratch), at("local")), at("offset")],
        ...[op("i32.mul", get(image), at("perImage")), op("i32.mul", get(part), at("perPart"))],
        ...[op("i32.mul", get(from), at("scale")), load("i32.load", sum(get(scratch), at("shift")))],
      );
    };
    const own = (name: keyof typeof stepWords): Code => word(step, stepWords[name]);
    const of = (name: keyof typeof stageWords): Code => word(stage, stageWords[name]);
    /** The first row that a step writes. */
    const row = op("i32.mul", get(from), own("rowsOut"));
    f.emit(
      set(part, op("i32.rem_u", get(index), of("parts"))),
      set(image, op("i32.div_u", get(index), of("parts"))),
      set(first, op("i32.mul", op("i32.rem_u", get(image), of("perImage")), of("grain"))),
      set(image, op("i32.div_u", get(image), of("perImage"))),
      set(last, op("i32.sub", smaller(of("extent"), sum(get(first), of("grain"))), i32(1))),
      set(step, sum(get(stage), i32(stageWords.bytes))),
      set(end, sum(get(step), op("i32.mul", of("steps"), i32(stepBytes)))),
      loop(
        set(from, larger(i32(0), op("i32.sub", op("i32.mul", get(first), own("scale")), own("before")))),
        set(rows, smaller(own("last"), sum(op("i32.mul", get(last), own("scale")), own("after")))),
        set(rows, op("i32.sub", sum(get(rows), i32(1)), get(from))),
        // A strip's rows stand at its end where rows after the value's last are asked for, so that zeros follow.
        when(
          own("held"),
          store(
            "i32.store",
            sum(get(scratch), own("held")),
            op("i32.shl", op("i32.sub", larger(i32(0), sum(row, own("slack"))), row), i32(2)),
          ),
        ),
        when(
          op("i32.gt_s", get(rows), i32(0)),
          module.callTable(
            own("kernel"),
            ...[get(rows), sum(own("params"), op("i32.mul", get(part), own("partParams"))), get(from)],
            sum(get(scratch), own("scratch")),
            ...[operand(0), operand(1), operand(2), operand(3)],
          ),
        ),
        set(step, sum(get(step), i32(stepBytes))),
        branchIf(0, op("i32.lt_u", get(step), get(end))),
      ),
    );
  });
}

/** Wakes whoever sleeps, if others may work on the run. */
function emitSignal(module: ModuleBuilder, memory: Memory, shared: boolean): void {
  module.define("signal", [], (f) => {
    const { old, count } = f.locals("i32", "old", "count");
    if (!shared) return;
    f.emit(
      when(
        op("i32.gt_s", memory.load("threads"), i32(1)),
        memory.add("signal", 1, old),
        set(count, op("i32.sub", memory.load("sleepers"), memory.load("spare"))),
        when(op("i32.gt_s", get(count), i32(0)), memory.notify(get(count))),
      ),
    );
  });
}

/** Whether something of run `run` can be taken by a ticket. */
const isOpen = (ticket: Local, run: Local): Code =>
  op(
    "i32.and",
    op("i32.and", op("i32.eq", runOf(ticket), get(run)), op("i32.ne", stageOf(ticket), i32(ended))),
    op("i32.lt_u", nextOf(ticket), limitOf(ticket)),
  );

/** (thread, run, most) */
function emitRun(module: ModuleBuilder, memory: Memory): void {
  module.define(
    "run",
    ["i32", "i32", "i32"],
    (f) => {
      const [thread, run, most] = f.params as [Local, Local, Local];
      const ticket = f.local("i64");
      const { spins, taken, script, stage, index, far } = f.locals(
        ...(["i32", "spins", "taken", "script", "stage", "index", "far"] as const),
      );
      const isOver = op("i32.or", op("i32.ne", runOf(ticket), get(run)), op("i32.eq", stageOf(ticket), i32(ended)));
      f.emit(
        loop(
          set(ticket, memory.load("ticket", "i64")),
          when(isOver, i32(outcome.ended), leave),
          when(
            op("i32.ge_u", nextOf(ticket), limitOf(ticket)),
            set(spins, select(get(thread), memory.spins(), memory.load("spinCount"))),
            loop(
              // Two blocks out: the outer loop goes on.
              branchIf(2, op("i64.ne", memory.load("ticket", "i64"), get(ticket))),
              set(spins, op("i32.sub", get(spins), i32(1))),
              branchIf(0, op("i32.gt_s", get(spins), i32(0))),
            ),
            i32(outcome.waiting),
            leave,
          ),
          // Said before the ticket is read for good: a run's memory is free once nobody says so.
          memory.hold(thread, true),
          set(ticket, memory.load("ticket", "i64")),
          set(taken, i32(0)),
          when(
            isOpen(ticket, run),
            set(script, memory.load("script")),
            set(stage, stageAt(script, stageOf(ticket))),
            set(far, op("i32.and", get(thread), word(stage, stageWords.bothEnds))),
            set(index, select(get(far), op("i32.sub", limitOf(ticket), i32(1)), nextOf(ticket))),
            memory.swapTicket(
              get(ticket),
              op("i64.add", get(ticket), select(get(far), i64(-1), i64(2 ** ticketBits.next))),
              taken,
            ),
            when(get(taken), work(f, module, memory, { thread, ticket, script, stage, index })),
          ),
          memory.hold(thread, false),
          branchIf(0, op("i32.eqz", get(taken))),
          set(most, op("i32.sub", get(most), i32(1))),
          branchIf(0, op("i32.and", op("i32.gt_s", get(most), i32(0)), op("i32.eqz", module.call("due")))),
        ),
        i32(outcome.worked),
      );
    },
    ["i32"],
  );
}

/** The address of a stage. */
const stageAt = (script: Local, index: Code): Code =>
  load("i32.load", sum(get(script), op("i32.shl", index, i32(2))), header.bytes);

/** Runs the strip that was taken by a ticket; after the last of a stage, opens the next stage. */
function work(
  f: FunctionBuilder,
  module: ModuleBuilder,
  memory: Memory,
  { thread, ticket, script, stage, index }: Record<"thread" | "ticket" | "script" | "stage" | "index", Local>,
): Code {
  const exhausted = f.local("i64");
  const { next, flags, done, swapped } = f.locals("i32", "next", "flags", "done", "swapped");
  const isLast = op("i32.ge_u", get(next), word(script, header.stages));
  const isSame = op(
    "i32.and",
    op("i32.eq", runOf(exhausted), runOf(ticket)),
    op("i32.eq", stageOf(exhausted), stageOf(ticket)),
  );
  return [
    module.call(
      "strip",
      sum(word(script, header.scratch), op("i32.mul", get(thread), word(script, header.scratchBytes))),
      ...[get(stage), get(index)],
    ),
    set(flags, word(stage, stageWords.flags)),
    when(get(flags), store("i32.store8", sum(get(flags), get(index)), i32(1))),
    memory.add("done", 1, done),
    when(
      op("i32.eq", sum(get(done), i32(1)), word(stage, stageWords.strips)),
      memory.store("done", i32(0)),
      set(next, sum(stageOf(ticket), i32(1))),
      set(exhausted, memory.load("ticket", "i64")),
      // A closed run stays closed: the ticket is then no longer what was loaded.
      when(
        isSame,
        when(isLast, memory.swapTicket(get(exhausted), ticketOf(runOf(ticket), i32(ended), i32(0), i32(0)), swapped)),
        when(
          op("i32.eqz", isLast),
          memory.swapTicket(
            get(exhausted),
            ticketOf(
              runOf(ticket),
              get(next),
              i32(0),
              load("i32.load", stageAt(script, get(next)), stageWords.opening),
            ),
            swapped,
          ),
        ),
      ),
      module.call("signal"),
      set(flags, i32(0)),
    ),
    when(get(flags), module.call("signal")),
  ];
}

function emitControl(module: ModuleBuilder, memory: Memory): void {
  module.define(
    "begin",
    ["i32", "i32", "i32"],
    (f) => {
      const [script, threads, limit] = f.params as [Local, Local, Local];
      const ticket = f.local("i64");
      const run = f.local("i32");
      f.emit(
        memory.store("done", i32(0)),
        memory.store("script", get(script)),
        memory.store("threads", get(threads)),
        set(ticket, memory.load("ticket", "i64")),
        set(run, op("i32.and", sum(runOf(ticket), i32(1)), i32(4095))),
        memory.store("ticket", ticketOf(get(run), i32(0), i32(0), get(limit)), "i64"),
        module.call("signal"),
        get(run),
      );
    },
    ["i32"],
  );
  /** Replaces the ticket for as long as `holds` says of it; again where another thread was faster. */
  const replace = (f: FunctionBuilder, holds: (ticket: Local) => Code, wanted: (ticket: Local) => Code): void => {
    const ticket = f.local("i64");
    const flag = f.local("i32");
    f.emit(
      loop(
        set(ticket, memory.load("ticket", "i64")),
        when(
          holds(ticket),
          memory.swapTicket(get(ticket), wanted(ticket), flag),
          branchIf(1, op("i32.eqz", get(flag))),
          module.call("signal"),
        ),
      ),
    );
  };
  module.define("raise", ["i32", "i32", "i32"], (f) => {
    const [run, stage, limit] = f.params as [Local, Local, Local];
    replace(
      f,
      (ticket) =>
        [
          op("i32.eq", runOf(ticket), get(run)),
          op("i32.eq", stageOf(ticket), get(stage)),
          op("i32.lt_u", limitOf(ticket), get(limit)),
        ].reduce((a, b) => op("i32.and", a, b)),
      (ticket) => ticketOf(get(run), get(stage), nextOf(ticket), get(limit)),
    );
  });
  module.define("close", ["i32"], (f) => {
    const [run] = f.params as [Local];
    replace(
      f,
      (ticket) => op("i32.and", op("i32.eq", runOf(ticket), get(run)), op("i32.ne", stageOf(ticket), i32(ended))),
      () => ticketOf(get(run), i32(ended), i32(0), i32(0)),
    );
  });
}

/** (thread, read) */
function emitWatch(module: ModuleBuilder, memory: Memory): void {
  module.define("watch", ["i32", "i32"], (f) => {
    const [thread, read] = f.params as [Local, Local];
    const ticket = f.local("i64");
    const { seen, spins, old, late } = f.locals("i32", "seen", "spins", "old", "late");
    const isMine = op(
      "i32.and",
      op("i32.ne", stageOf(ticket), i32(ended)),
      op("i32.lt_s", get(thread), memory.load("threads")),
    );
    f.emit(
      loop(
        set(seen, memory.load("signal")),
        set(ticket, memory.load("ticket", "i64")),
        // After the ticket: what a run needs is posted before it begins.
        when(op("i32.ne", memory.mail(thread), get(read)), leave),
        when(
          isMine,
          // Goes on at once where the run has ended: the next may have begun.
          branchIf(
            1,
            op("i32.ne", module.call("run", get(thread), runOf(ticket), i32(0x7fffffff)), i32(outcome.waiting)),
          ),
        ),
        set(spins, memory.spins()),
        loop(
          branchIf(1, op("i32.ne", memory.load("signal"), get(seen))),
          set(spins, op("i32.sub", get(spins), i32(1))),
          branchIf(0, op("i32.gt_s", get(spins), i32(0))),
        ),
        memory.add("sleepers", 1, old),
        memory.sleep(seen, idleNanoseconds, late),
        memory.add("sleepers", -1, old),
        branchIf(0, op("i32.eqz", get(late))),
        // Nothing for long: waits for a message, unless a run has begun meanwhile, whose caller may not have seen it parked.
        memory.park(thread, true),
        when(op("i32.eq", memory.load("signal"), get(seen)), leave),
        memory.park(thread, false),
        branch(0),
      ),
    );
  });
}
