// Generates the code of moves: loops around an innermost one that copies vectors or elements, or turns tiles of four by four.
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
  select,
  set,
  shuffle,
  store,
  sum,
  when,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { MoveSpec } from "../../plan/types.ts";
import { defineKernel, type StepBuffers } from "../kernel.ts";
import { hasHoles, layoutOf, mostInner, mostOuter, type Run, words } from "./layout.ts";

const times = (a: Code, b: Code): Code => op("i32.mul", a, b);
const lower = (a: Code, b: Code): Code => select(op("i32.lt_u", a, b), a, b);
const entry = (table: Code, index: Code): Code => load("i32.load", sum(table, op("i32.shl", index, i32(2))));

const [last, around] = [mostInner - 1, mostInner - 2];

export function emit(module: ModuleBuilder, name: string, spec: MoveSpec, buffers: StepBuffers): void {
  const { run } = layoutOf(spec, buffers);
  const [tilesOfRows, tilesWithin] = [run.tiles === "outer", run.tiles === "inner"];
  defineKernel(module, name, (f, { rows, params, first, sources: [table], target }) => {
    const p = words.reader(params);
    const names = ["rest", "index", "out", "row", "byte", "to", "pixel", "at", "turns", "entryAt"] as const;
    const { rest, index, out, row, byte, to, pixel, at, turns, entryAt } = f.locals("i32", ...names);
    /** Of a tile: the four rows of results, from where `to` counts. */
    const bases = tilesOfRows ? f.array("i32", 4) : [];
    const outerTurn = (i: number): Code[] => [
      set(index, op("i32.rem_u", get(rest), p(`outerCount${i}`))),
      ...(tilesOfRows && i === mostOuter - 1
        ? [set(turns, lower(lower(op("i32.sub", p(`outerCount${i}`), get(index)), get(rows)), i32(4)))]
        : []),
      set(rest, op("i32.div_u", get(rest), p(`outerCount${i}`))),
      bump(row, times(get(index), p(`outerRow${i}`))),
      bump(byte, times(get(index), p(`outerByte${i}`))),
      bump(entryAt, times(get(index), p(`outerTo${i}`))),
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
    const locals: RunLocals = { p, row, byte, to, table };
    const within = (i: number): Code[] => {
      if (tilesWithin && i === around) return emitTiles(f, run, locals);
      if (i < last) return level(i, within(i + 1));
      return tilesOfRows
        ? emitTile(
            f,
            run,
            locals,
            bases.map((base) => sum(get(base), get(to))),
          )
        : emitRun(f, run, locals);
    };
    const rowAt = (k: number): Code =>
      entry(
        get(target),
        sum(get(entryAt), times(lower(i32(k), sum(get(turns), i32(-1))), p(`outerTo${mostOuter - 1}`))),
      );
    f.emit(
      whileLoop(
        get(rows),
        set(rest, get(first)),
        set(row, p("fromRow")),
        set(byte, p("fromByte")),
        set(entryAt, p("toRow")),
        set(turns, i32(1)),
        ...Array.from({ length: mostOuter }, (_, i) => outerTurn(mostOuter - 1 - i)).flat(),
        ...(tilesOfRows
          ? [
              ...bases.map((base, k) => set(base, rowAt(k))),
              ...(hasHoles(spec, buffers) ? bases.flatMap((base) => [set(out, get(base)), ...clear]) : []),
              set(to, p("toByte")),
            ]
          : [
              set(out, entry(get(target), get(entryAt))),
              ...(hasHoles(spec, buffers) ? clear : []),
              set(to, sum(get(out), p("toByte"))),
            ]),
        ...within(0),
        bump(first, get(turns)),
        set(rows, op("i32.sub", get(rows), get(turns))),
      ),
    );
  });
}

interface RunLocals {
  p: (word: string) => Code;
  row: Local;
  byte: Local;
  to: Local;
  table: Local;
}

/** The innermost loop, from where `row` and `byte` say to `to`; it leaves all as they were. */
function emitRun(f: FunctionBuilder, { reads }: Run, { p, row, byte, to, table }: RunLocals): Code[] {
  const names = ["from", "at", "left", "rowStep", "byteStep", "toStep", "offset"] as const;
  const { from, at, left, rowStep, byteStep, toStep, offset } = f.locals("i32", ...names);
  const start = [
    ...[set(at, get(to)), set(left, p(`innerCount${last}`))],
    ...[set(byteStep, p(`innerByte${last}`)), set(toStep, p(`innerTo${last}`))],
  ];
  const each = (read: Code, ...next: Code[]): Code =>
    whileLoop(get(left), store("f32.store", get(at), read), ...next, bump(at, get(toStep)), bump(left, -1));
  if (reads === "rows") {
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
  const vector = store("v128.store", get(at), load("v128.load", get(from)));
  /** Bytes back to where the last vector begins: it writes some elements again. */
  const back = (local: Local): Code => bump(local, op("i32.shl", op("i32.sub", get(left), i32(4)), i32(2)));
  const four = when(
    op("i32.ge_u", get(left), i32(4)),
    doWhile(op("i32.ge_u", get(left), i32(4)), vector, ...[bump(from, 16), bump(at, 16), bump(left, -4)]),
    when(get(left), back(from), back(at), vector, set(left, i32(0))),
  );
  const one = each(load("f32.load", get(from)), bump(from, get(byteStep)));
  return [
    ...start,
    set(from, sum(entry(get(table), get(row)), get(byte))),
    ...(reads === "neighbours" ? [four] : []),
    one,
  ];
}

/** Tiles along a loop that reads neighbours, around the innermost one. */
function emitTiles(f: FunctionBuilder, run: Run, locals: RunLocals): Code[] {
  const { p, byte, to } = locals;
  const { left, step, before, start } = f.locals("i32", "left", "step", "before", "start");
  const outs = f.array("i32", 4);
  return [
    ...[set(left, p(`innerCount${around}`)), set(step, p(`innerTo${around}`))],
    ...[set(before, get(byte)), set(start, get(to))],
    doWhile(
      op("i32.gt_s", get(left), i32(0)),
      ...outs.map((out, k) => set(out, sum(get(to), times(get(step), lower(i32(k), sum(get(left), i32(-1))))))),
      ...emitTile(f, run, locals, outs.map(get)),
      ...[bump(byte, 16), bump(to, op("i32.shl", get(step), i32(2))), bump(left, -4)],
    ),
    ...[set(byte, get(before)), set(to, get(start))],
  ];
}

/**
 * The innermost loop of four results side by side: four neighbours of what is read become one of each. Where there are fewer
 * results the last stands for those that are missing, and is written last.
 */
function emitTile(
  f: FunctionBuilder,
  { reads }: Run,
  { p, row, byte, table }: RunLocals,
  outs: readonly Code[],
): Code[] {
  const names = ["from", "offset", "at", "left", "back"] as const;
  const { from, offset, at, left, back } = f.locals("i32", ...names);
  const [rowSteps, byteSteps, targets] = [f.array("i32", 3), f.array("i32", 3), f.array("i32", 4)];
  const [x, y] = [f.array("v128", 4), f.array("v128", 4)];
  const stepsOf = (locals: readonly Local[], one: Code): Code[] =>
    locals.map((local, k) => set(local, times(one, i32(k + 1))));
  const source = (k: number): Code => {
    const beyond = (base: Local, steps: readonly Local[]): Code =>
      k === 0 ? get(base) : sum(get(base), get(steps[k - 1]!));
    if (reads === "strided") return sum(get(from), beyond(offset, byteSteps));
    return sum(load("i32.load", beyond(from, rowSteps)), beyond(offset, byteSteps));
  };
  /** By so many elements along the innermost loop. */
  const move = (count: Code): Code[] => [
    ...(reads === "rows" ? [bump(from, times(get(rowSteps[0]!), count))] : []),
    bump(offset, times(get(byteSteps[0]!), count)),
    bump(at, op("i32.shl", count, i32(2))),
  ];
  const [low, high] = [0, 8].map((half) => (a: Local, b: Local) => {
    const words = [0, 1].flatMap((i) => [half + 4 * i, 16 + half + 4 * i]);
    return shuffle(words.flatMap((start) => [0, 1, 2, 3].map((i) => start + i)), get(a), get(b)); // biome-ignore format: a line
  }) as [(a: Local, b: Local) => Code, (a: Local, b: Local) => Code];
  return [
    ...stepsOf(rowSteps, op("i32.shl", p(`innerRow${last}`), i32(2))),
    ...stepsOf(byteSteps, p(`innerByte${last}`)),
    ...targets.map((local, k) => set(local, outs[k]!)),
    set(from, reads === "rows" ? sum(get(table), op("i32.shl", get(row), i32(2))) : entry(get(table), get(row))),
    ...[set(offset, get(byte)), set(at, i32(0)), set(left, p(`innerCount${last}`))],
    doWhile(
      get(left),
      when(
        op("i32.lt_u", get(left), i32(4)),
        set(back, op("i32.sub", get(left), i32(4))),
        ...move(get(back)),
        set(left, i32(4)),
      ),
      ...x.map((local, k) => set(local, load("v128.load", source(k)))),
      // Pairs, then pairs of pairs: elements k of all four stand in vector k.
      ...[set(y[0]!, low(x[0]!, x[2]!)), set(y[1]!, low(x[1]!, x[3]!))],
      ...[set(y[2]!, high(x[0]!, x[2]!)), set(y[3]!, high(x[1]!, x[3]!))],
      ...[set(x[0]!, low(y[0]!, y[1]!)), set(x[1]!, high(y[0]!, y[1]!))],
      ...[set(x[2]!, low(y[2]!, y[3]!)), set(x[3]!, high(y[2]!, y[3]!))],
      ...[3, 2, 1, 0].map((k) => store("v128.store", sum(get(targets[k]!), get(at)), get(x[k]!))),
      ...move(i32(4)),
      bump(left, -4),
    ),
  ];
}
