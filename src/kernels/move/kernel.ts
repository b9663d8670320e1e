// The move family: values to other places, by loops over what is read and written. Slices, transposes, reshapes, joins of
// values along any axis, repetition, and pixels from channels or back.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  f32,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { BufferSpec, MoveLoop, MoveSpec, Position } from "../../plan/types.ts";
import { type CodeMode, defineKernel, type Kernel, type Rows, type StepBuffers } from "../kernel.ts";
import { wordsOf } from "../words.ts";

/** Loops of a move along images and rows of what is written, at most, and those within a row. */
export const mostOuter = 3;
export const mostInner = 4;

const isOuter = ({ to: [image, row] }: MoveLoop): boolean => image !== 0 || row !== 0;

/** Rows of the grid of a move. */
export const turnsOf = ({ loops }: Pick<MoveSpec, "loops">): number =>
  loops.filter(isOuter).reduce((product, { count }) => product * count, 1);

/** Whether generated code has enough loops for a move, and the loops stand in the order that it goes through. */
export function isMovable({ loops }: Pick<MoveSpec, "loops">): boolean {
  const outer = loops.filter(isOuter).length;
  const isSorted = loops.slice(0, outer).every(isOuter) && loops.every(({ to }) => to.filter(Boolean).length === 1);
  return isSorted && outer <= mostOuter && loops.length - outer <= mostInner;
}

/** A place as rows of all images, and elements of a row without its left border. */
const rowIn = ([image, row]: Position, { height }: BufferSpec): number => image * height! + row;
const elementIn = ([, , pixel, channel]: Position, { channels }: BufferSpec): number => pixel * channels + channel;

function reference(spec: MoveSpec, [input]: Rows[], write: Rows, rows: number, first: number): void {
  const { loops, from, to, channels } = spec;
  const [x, y] = [input!.spec, write.spec];
  const margin = ({ left = 0, channels }: BufferSpec): number => left * channels;
  const outer = loops.filter(isOuter);
  const inner = loops.slice(outer.length);
  const copy = (depth: number, source: Position, target: Position): void => {
    const loop = inner[depth];
    if (!loop) {
      const value = input!.row(rowIn(source, x))[margin(x) + elementIn(source, x)]!;
      write.row(rowIn(target, y))[margin(y) + elementIn(target, y)] = value;
      return;
    }
    for (let i = 0; i < loop.count; i++) copy(depth + 1, after(source, loop.from, i), after(target, loop.to, i));
  };
  for (let turn = first; turn < first + rows; turn++) {
    let [source, target, rest] = [from, to, turn];
    for (const loop of outer.toReversed()) {
      const index = rest % loop.count;
      rest = (rest - index) / loop.count;
      [source, target] = [after(source, loop.from, index), after(target, loop.to, index)];
    }
    if (channels !== undefined) {
      const row = write.row(rowIn(target, y));
      for (let at = margin(y); at < row.length; at++) if (at % y.channels >= channels) row[at] = 0;
    }
    copy(0, source, target);
  }
}

const after = (place: Position, step: Position, times: number): Position =>
  place.map((value, i) => value + times * step[i]!) as Position;

const loopWords = (name: string, count: number) =>
  Array.from({ length: count }, (_, i) => [
    `${name}Count${i}`,
    `${name}Row${i}`,
    `${name}Byte${i}`,
    `${name}To${i}`,
  ]).flat();
const words = wordsOf(
  ...["fromRow", "fromByte", "toRow", "toByte", "pixels", "pixelBytes", "holeAt", "clearTo"],
  ...loopWords("outer", mostOuter),
  ...loopWords("inner", mostInner),
);

/** A loop as tables of rows and bytes of rows tell it. */
interface ByteLoop {
  count: number;
  /** Entries of the table and bytes of a row that is read; of what is written entries in outer loops, bytes in inner ones. */
  row: number;
  byte: number;
  to: number;
}

/** Entries of a table from row to row of all images: each has rows above and below. */
const entriesOf = ([image, row]: Position, { above, height, below }: BufferSpec): number =>
  image * (above + height! + below) + row;

function byteLoops({ loops }: MoveSpec, { reads: [x], write }: StepBuffers): { outer: ByteLoop[]; inner: ByteLoop[] } {
  const outer = loops.filter(isOuter);
  const loopOf = (loop: MoveLoop, index: number): ByteLoop => ({
    ...{ count: loop.count, row: entriesOf(loop.from, x!), byte: 4 * elementIn(loop.from, x!) },
    to: index < outer.length ? entriesOf(loop.to, write) : 4 * elementIn(loop.to, write),
  });
  const all = loops.map(loopOf);
  return { outer: all.slice(0, outer.length), inner: joined(all.slice(outer.length)) };
}

/** Loops that go on where the one inside ends are one; those of one turn are none. */
function joined(loops: readonly ByteLoop[]): ByteLoop[] {
  const found: ByteLoop[] = [];
  for (const loop of loops.filter(({ count }) => count > 1).toReversed()) {
    const inside = found[0];
    const goesOn =
      inside &&
      loop.row === inside.row * inside.count &&
      loop.byte === inside.byte * inside.count &&
      loop.to === inside.to * inside.count;
    if (goesOn) found[0] = { ...inside, count: inside.count * loop.count };
    else found.unshift(loop);
  }
  return found.length > 0 ? found : [{ count: 1, row: 0, byte: 4, to: 4 }];
}

type Run = "neighbours" | "strided" | "rows";

/** How the innermost loop reads: as it writes, at a stride, or a row each. */
function runOf(spec: MoveSpec, buffers: StepBuffers): Run {
  const { row, byte, to } = byteLoops(spec, buffers).inner.at(-1)!;
  if (row !== 0) return "rows";
  return byte === 4 && to === 4 ? "neighbours" : "strided";
}

function params(spec: MoveSpec, buffers: StepBuffers): Uint8Array {
  const { from, to, channels } = spec;
  const {
    reads: [x],
    write,
  } = buffers;
  const { outer, inner } = byteLoops(spec, buffers);
  const { left = 0, width, right = 0 } = write;
  const values: Record<string, number> = {
    ...{
      fromRow: entriesOf(from, x!) + x!.above,
      fromByte: 4 * elementIn(from, x!) + 4 * (x!.left ?? 0) * x!.channels,
    },
    ...{ toRow: entriesOf(to, write) + write.above, toByte: 4 * elementIn(to, write) + 4 * left * write.channels },
    ...{ pixels: width - left - right, pixelBytes: 4 * write.channels },
    ...{ holeAt: 4 * (left * write.channels + (channels ?? 0)), clearTo: 4 * (write.channels - (channels ?? 0)) },
  };
  const pad = (loops: readonly ByteLoop[], most: number): ByteLoop[] => [
    ...Array<ByteLoop>(most - loops.length).fill({ count: 1, row: 0, byte: 0, to: 0 }),
    ...loops,
  ];
  for (const [name, loops] of [
    ["outer", pad(outer, mostOuter)],
    ["inner", pad(inner, mostInner)],
  ] as const)
    for (const [i, { count, row, byte, to }] of loops.entries())
      Object.assign(values, {
        [`${name}Count${i}`]: count,
        [`${name}Row${i}`]: row,
        [`${name}Byte${i}`]: byte,
        [`${name}To${i}`]: to,
      });
  return words.pack(values);
}

const hasHoles = ({ channels }: MoveSpec, { write }: StepBuffers): boolean =>
  channels !== undefined && channels < write.channels;

function emit(module: ModuleBuilder, name: string, spec: MoveSpec, buffers: StepBuffers): void {
  const run = runOf(spec, buffers);
  const times = (a: Code, b: Code): Code => op("i32.mul", a, b);
  defineKernel(module, name, (f, { rows, params, first, sources: [table], target }) => {
    const p = words.reader(params);
    const { rest, index, out, row, byte, to, pixel, at } = f.locals(
      "i32",
      ...(["rest", "index", "out", "row", "byte", "to", "pixel", "at"] as const),
    );
    const outerTurn = (i: number): Code[] => [
      set(index, op("i32.rem_u", get(rest), p(`outerCount${i}`))),
      set(rest, op("i32.div_u", get(rest), p(`outerCount${i}`))),
      bump(row, times(get(index), p(`outerRow${i}`))),
      bump(byte, times(get(index), p(`outerByte${i}`))),
      bump(out, times(get(index), p(`outerTo${i}`))),
    ];
    const clear = [
      set(pixel, p("pixels")),
      set(at, sum(get(out), p("holeAt"))),
      whileLoop(
        get(pixel),
        set(index, op("i32.sub", p("clearTo"), i32(4))),
        doWhile(
          op("i32.ge_s", get(index), i32(0)),
          store("f32.store", sum(get(at), get(index)), f32(0)),
          bump(index, -4),
        ),
        bump(at, p("pixelBytes")),
        bump(pixel, -1),
      ),
    ];
    const source: Code = sum(load("i32.load", sum(get(table), op("i32.shl", get(row), i32(2)))), get(byte));
    /** The loops around the innermost: their counters, and what they add. */
    const level = (i: number, body: Code[]): Code[] => {
      const left = f.local("i32");
      return [
        set(left, p(`innerCount${i}`)),
        doWhile(
          get(left),
          ...body,
          bump(row, p(`innerRow${i}`)),
          bump(byte, p(`innerByte${i}`)),
          bump(to, p(`innerTo${i}`)),
          bump(left, -1),
        ),
        // Back to where the loop began: the one around it goes on from there.
        ...(
          [
            [row, "Row"],
            [byte, "Byte"],
            [to, "To"],
          ] as const
        ).map(([local, word]) =>
          set(local, op("i32.sub", get(local), times(p(`innerCount${i}`), p(`inner${word}${i}`)))),
        ),
      ];
    };
    const last = mostInner - 1;
    const around = (i: number): Code[] =>
      i === last ? emitRun(f, run, { p, row, byte, to, source, table }) : level(i, around(i + 1));
    f.emit(
      set(rest, get(first)),
      whileLoop(
        get(rows),
        set(rest, get(first)),
        set(row, p("fromRow")),
        set(byte, p("fromByte")),
        set(out, p("toRow")),
        ...Array.from({ length: mostOuter }, (_, i) => outerTurn(mostOuter - 1 - i)).flat(),
        set(out, load("i32.load", sum(get(target), op("i32.shl", get(out), i32(2))))),
        ...(hasHoles(spec, buffers) ? clear : []),
        set(to, sum(get(out), p("toByte"))),
        ...around(0),
        bump(first, 1),
        bump(rows, -1),
      ),
    );
  });
}

interface RunLocals {
  p: (word: string) => Code;
  row: Local;
  byte: Local;
  to: Local;
  /** The address that is read. */
  source: Code;
  table: Local;
}

/** The innermost loop, from `source` to `to`; it leaves both as they were. */
function emitRun(f: FunctionBuilder, run: Run, { p, row, byte, to, source, table }: RunLocals): Code[] {
  const { from, at, left, rowStep, byteStep, toStep, offset } = f.locals(
    "i32",
    ...(["from", "at", "left", "rowStep", "byteStep", "toStep", "offset"] as const),
  );
  const last = mostInner - 1;
  const start = [
    ...[set(at, get(to)), set(left, p(`innerCount${last}`))],
    ...[set(byteStep, p(`innerByte${last}`)), set(toStep, p(`innerTo${last}`))],
  ];
  const each = (read: Code, ...next: Code[]): Code =>
    whileLoop(get(left), store("f32.store", get(at), read), ...next, bump(at, get(toStep)), bump(left, -1));
  if (run === "rows") {
    return [
      ...start,
      ...[set(rowStep, op("i32.shl", p(`innerRow${last}`), i32(2))), set(offset, get(byte))],
      set(from, sum(get(table), op("i32.shl", get(row), i32(2)))),
      each(
        load("f32.load", sum(load("i32.load", get(from)), get(offset))),
        ...[bump(from, get(rowStep)), bump(offset, get(byteStep))],
      ),
    ];
  }
  const four = whileLoop(
    op("i32.ge_s", get(left), i32(4)),
    store("v128.store", get(at), load("v128.load", get(from))),
    ...[bump(from, 16), bump(at, 16), bump(left, -4)],
  );
  const one = each(load("f32.load", get(from)), bump(from, get(byteStep)));
  return [...start, set(from, source), ...(run === "neighbours" ? [four] : []), one];
}

const elementsOf = ({ loops }: MoveSpec): number => loops.reduce((product, { count }) => product * count, 1);

export const move: Kernel<MoveSpec> = {
  family: "move",
  describe: ({ loops }) => `${loops.map(({ count }) => count).join(" x ")} elements`,
  reference,
  entry: (spec, buffers, _mode: CodeMode) =>
    ["move", runOf(spec, buffers), hasHoles(spec, buffers) && "and clear"].filter(Boolean).join(" "),
  emit: (module, name, spec, buffers) => emit(module, name, spec, buffers),
  work: (spec, buffers) => ({
    ...{ arithmetic: "depthwise", multiplications: 0, serialAdditions: 0 },
    // What is not copied in vectors takes some four times as long.
    additions: (elementsOf(spec) / turnsOf(spec)) * (runOf(spec, buffers) === "neighbours" ? 1 : 4),
  }),
  params,
  overrun: { elements: 0, rows: 0 },
};
