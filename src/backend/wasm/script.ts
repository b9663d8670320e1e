// The words by which a program tells the driver what to do, and the control block through which threads agree. The layout
// writes them, the driver reads them; all are 32-bit integers unless said.

/** Names of words, in order, as byte offsets. */
function offsets<const Name extends string>(...names: readonly Name[]): Readonly<Record<Name | "bytes", number>> {
  const found = Object.fromEntries(names.map((name, i) => [name, 4 * i]));
  return { ...found, bytes: 4 * names.length } as Record<Name | "bytes", number>;
}

/** At the start of a program; then the address of each stage. */
export const header = offsets("stages", "scratch", "scratchBytes", "unused");

export const stageWords = offsets(
  ...(["strips", "perImage", "parts", "grain", "extent", "steps"] as const),
  // Strips that may be taken when the stage begins; where to flag strips that are done, or 0.
  ...(["opening", "flags"] as const),
  // 1 where every other thread may take strips from the far end: where none has to wait for rows of the caller's.
  ...(["bothEnds", "unused"] as const),
);

/** Rows of a step: from max(0, first · scale − before) to min(last, end · scale + after). */
export const stepWords = offsets(
  ...(["kernel", "params", "partParams", "scale", "before", "after", "last", "scratch"] as const),
  // Of a step that writes a strip: where its shift is kept, rows held less rows of the value, and rows written for each row.
  ...(["held", "slack", "rowsOut"] as const),
);

/**
 * An operand, the address of a table of row pointers: base (within a thread's scratch where local is −1) + image · perImage +
 * part · perPart + from · scale + offset + the word of shifts at `shift`. Four of a step: what it writes, then what it reads.
 */
export const operandWords = offsets("base", "local", "perImage", "perPart", "scale", "offset", "shift");

export const operands = 4;
export const stepBytes = stepWords.bytes + operands * operandWords.bytes;

/** Threads of an engine, and the bytes of a cache line. */
export const mostThreads = 64;
export const lineBytes = 64;

/** Byte offsets in the control block. */
export const control = {
  /** 64 bits: the run's number, the stage, the strip that is next, and the strip before which all may be taken. */
  ticket: 0,
  /** Strips of the stage that are done. */
  done: 8,
  /** Threads for which there is no core: so many sleep while others look for work. */
  spare: 12,
  /** Counts what sleepers wait for, and how many sleep. */
  signal: 16,
  sleepers: 20,
  script: 24,
  /** Threads that may work on the run. */
  threads: 28,
  /** How often a thread looks before it sleeps. */
  spinCount: 32,
  /** Messages posted to each worker; then two bytes of each, set when it has started, and while it waits for a message. */
  mail: 64,
  started: 64 + 4 * mostThreads,
  parked: 64 + 5 * mostThreads,
  /** A word of each thread in a cache line of its own: 1 while it may hold a strip. A run's memory is free when none does. */
  held: 64 + 6 * mostThreads,
  bytes: 64 + 6 * mostThreads + lineBytes * mostThreads,
} as const;

/** Fields of the ticket: their lowest bit and their width. */
export const ticketBits = { run: 52, stage: 40, next: 20 } as const;
export const mostStages = 4094;
export const ended = 4095;
export const mostStrips = (1 << 20) - 1;

/** What the driver's `run` returns. */
export const outcome = { ended: 0, worked: 1, waiting: 2 } as const;
