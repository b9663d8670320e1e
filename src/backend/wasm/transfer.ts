// Generates the functions that move the caller's data between staging memory and a program's rows: plain rows, planes into
// interleaved channels and back, single channels, and the pixels of a row that stand for those beyond its ends.
import {
  bump,
  type Code,
  copyBytes,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  lane,
  load,
  ModuleBuilder,
  op,
  set,
  shuffle,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";

/** Addresses and steps are in bytes; `to` and `from` name memories: the program's, or staging memory. */
export interface Transfers {
  /** `count` rows of `bytes` bytes into the program's memory, and out of it. */
  rowsIn(to: number, toStep: number, from: number, fromStep: number, bytes: number, count: number): void;
  rowsOut(to: number, toStep: number, from: number, fromStep: number, bytes: number, count: number): void;
  /** Four planes of f32, `plane` apart, of `count` rows of `width` pixels, into four neighbouring channels; and back. */
  planesIn(to: number, toRow: number, toPixel: number, from: number, plane: number, width: number, count: number): void;
  planesOut(
    to: number,
    plane: number,
    from: number,
    fromRow: number,
    fromPixel: number,
    width: number,
    count: number,
  ): void;
  /** One channel of f32: `width` elements of `count` rows. */
  channelOut(
    to: number,
    toRow: number,
    toPixel: number,
    from: number,
    fromRow: number,
    fromPixel: number,
    width: number,
    count: number,
  ): void;
  /** Up to four channels of f32, neighbours in each pixel, with zeros up to the fourth; and back, which writes beyond the last. */
  pixelsIn(to: number, toRow: number, from: number, channels: number, width: number, count: number): void;
  pixelsOut(to: number, from: number, fromRow: number, channels: number, width: number, count: number): void;
  /** Copies `pairs` of elements (where to, where from, within a row) in each of `count` rows. */
  extend1(row: number, step: number, list: number, pairs: number, count: number): void;
  extend2(row: number, step: number, list: number, pairs: number, count: number): void;
  extend4(row: number, step: number, list: number, pairs: number, count: number): void;
  extend8(row: number, step: number, list: number, pairs: number, count: number): void;
}

export interface TransferMode {
  shared: boolean;
  maximum: number;
  /** Staging memory is a memory of its own. */
  apart: boolean;
}

/** A module of one function of addresses and counts, `move`; `emit` is told which memory staging memory is. */
export function moveCode(
  { shared, maximum, apart }: TransferMode,
  params: number,
  emit: (f: FunctionBuilder, staging: number) => void,
): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(apart ? { memories: ["staging"] } : {});
  module.define("move", i32s(params), (f) => emit(f, Number(apart)));
  return module.encode({ shared, maximum });
}

export function transferCode({ shared, maximum, apart }: TransferMode): Uint8Array<ArrayBuffer> {
  const module = new ModuleBuilder(apart ? { memories: ["staging"] } : {});
  defineTransfers(module, Number(apart));
  return module.encode({ shared, maximum });
}

/** Adds all of {@link Transfers}; `staging` is the number of the memory of that name. */
export function defineTransfers(module: ModuleBuilder, staging: number): void {
  emitRows(module, "rowsIn", 0, staging);
  emitRows(module, "rowsOut", staging, 0);
  emitPlanes(module, "planesIn", staging);
  emitPlanes(module, "planesOut", staging);
  emitChannelOut(module, staging);
  emitPixels(module, "pixelsIn", staging);
  emitPixels(module, "pixelsOut", staging);
  for (const bytes of [1, 2, 4, 8] as const) emitExtend(module, bytes);
}

const i32s = (count: number): "i32"[] => Array(count).fill("i32");

/** Repeats statements while a count is left. */
export const times = (count: Local, ...body: Code[]): Code => whileLoop(get(count), ...body, bump(count, -1));

function emitRows(module: ModuleBuilder, name: string, toMemory: number, fromMemory: number): void {
  module.define(name, i32s(6), (f) => {
    const [to, toStep, from, fromStep, bytes, count] = f.params as [Local, Local, Local, Local, Local, Local];
    f.emit(
      times(
        count,
        copyBytes(get(to), get(from), get(bytes), toMemory, fromMemory),
        bump(to, get(toStep)),
        bump(from, get(fromStep)),
      ),
    );
  });
}

function emitChannelOut(module: ModuleBuilder, staging: number): void {
  module.define("channelOut", i32s(8), (f) => {
    const [to, toRow, toPixel, from, fromRow, fromPixel, width, count] = f.params as Local[] as [
      ...[Local, Local, Local, Local, Local, Local, Local, Local],
    ];
    const { a, b, left } = f.locals("i32", "a", "b", "left");
    f.emit(
      times(
        count,
        set(a, get(to)),
        set(b, get(from)),
        set(left, get(width)),
        times(
          left,
          store("i32.store", get(a), load("i32.load", get(b)), 0, staging),
          bump(a, get(toPixel)),
          bump(b, get(fromPixel)),
        ),
        bump(to, get(toRow)),
        bump(from, get(fromRow)),
      ),
    );
  });
}

function emitPixels(module: ModuleBuilder, name: "pixelsIn" | "pixelsOut", staging: number): void {
  module.define(name, i32s(6), (f) => {
    const isIn = name === "pixelsIn";
    const [p0, p1, p2, channels, width, count] = f.params as [Local, Local, Local, Local, Local, Local];
    const [to, from, rowed, row] = isIn ? [p0, p2, p0, p1] : [p0, p1, p1, p2];
    const { a, b, step, left } = f.locals("i32", "a", "b", "step", "left");
    const mask = f.local("v128");
    const masked = [0, 1, 2, 3].map((at) =>
      set(
        mask,
        lane("i32x4.replace_lane", at, get(mask), op("i32.sub", i32(0), op("i32.lt_s", i32(at), get(channels)))),
      ),
    );
    const pixel = load("v128.load", get(b), 0, isIn ? staging : 0);
    f.emit(
      set(step, op("i32.shl", get(channels), i32(2))),
      ...(isIn ? masked : []),
      ...(isIn ? [set(b, get(from))] : [set(a, get(to))]),
      times(
        count,
        isIn ? set(a, get(rowed)) : set(b, get(rowed)),
        set(left, get(width)),
        times(
          left,
          store("v128.store", get(a), isIn ? op("v128.and", pixel, get(mask)) : pixel, 0, isIn ? 0 : staging),
          bump(a, isIn ? i32(16) : get(step)),
          bump(b, isIn ? get(step) : i32(16)),
        ),
        bump(rowed, get(row)),
      ),
    );
  });
}

/** Four vectors of four elements, turned. */
function transpose(v: readonly Local[], t: readonly Local[]): Code[] {
  const zip = (half: number): number[] =>
    Array.from({ length: 16 }, (_, i) => half + (i & 3) + 4 * (i >> 3) + 16 * ((i >> 2) & 1));
  const mix = (to: Local, half: number, a: Local, b: Local): Code => set(to, shuffle(zip(half), get(a), get(b)));
  return [
    ...[
      mix(t[0]!, 0, v[0]!, v[2]!),
      mix(t[1]!, 8, v[0]!, v[2]!),
      mix(t[2]!, 0, v[1]!, v[3]!),
      mix(t[3]!, 8, v[1]!, v[3]!),
    ],
    ...[
      mix(v[0]!, 0, t[0]!, t[2]!),
      mix(v[1]!, 8, t[0]!, t[2]!),
      mix(v[2]!, 0, t[1]!, t[3]!),
      mix(v[3]!, 8, t[1]!, t[3]!),
    ],
  ];
}

/** Offsets of four neighbours that are `step` apart. */
function steps(f: FunctionBuilder, step: Local): { at: (base: Local, k: number) => Code; prelude: Code[] } {
  const [two, three] = f.array("i32", 2) as [Local, Local];
  const offsets = [undefined, step, two, three];
  return {
    at: (base, k) => (offsets[k] ? sum(get(base), get(offsets[k]!)) : get(base)),
    prelude: [set(two, op("i32.shl", get(step), i32(1))), set(three, sum(get(two), get(step)))],
  };
}

/** Four planes, which stand in staging memory, and four neighbouring channels of pixels: from one to the other. */
function emitPlanes(module: ModuleBuilder, name: "planesIn" | "planesOut", staging: number): void {
  module.define(name, i32s(7), (f) => {
    const isIn = name === "planesIn";
    const [p0, p1, p2, p3, p4, width, count] = f.params as [Local, Local, Local, Local, Local, Local, Local];
    const [planes, plane, pixels, row, pixel] = isIn ? [p3, p4, p0, p1, p2] : [p0, p1, p2, p3, p4];
    const { at, left } = f.locals("i32", "at", "left");
    const [v, t] = [f.array("v128", 4), f.array("v128", 4)];
    const [byPlane, byPixel] = [steps(f, plane), steps(f, pixel)];
    const inPlane = (k: number): Code => byPlane.at(planes, k);
    const four = (x: Local, k: number, isLoad: boolean): Code => {
      const [address, memory] = isLoad === isIn ? [inPlane(k), staging] : [byPixel.at(at, k), 0];
      return isLoad ? set(x, load("v128.load", address, 0, memory)) : store("v128.store", address, get(x), 0, memory);
    };
    const one = (k: number): Code =>
      isIn
        ? store("i32.store", get(at), load("i32.load", inPlane(k), 0, staging), 4 * k)
        : store("i32.store", inPlane(k), load("i32.load", get(at), 4 * k), 0, staging);
    f.emit(
      ...[...byPlane.prelude, ...byPixel.prelude],
      times(
        count,
        set(at, get(pixels)),
        set(left, get(width)),
        whileLoop(
          op("i32.gt_s", get(left), i32(3)),
          ...v.map((x, k) => four(x, k, true)),
          ...transpose(v, t),
          ...v.map((x, k) => four(x, k, false)),
          bump(at, op("i32.shl", get(pixel), i32(2))),
          bump(planes, 16),
          bump(left, -4),
        ),
        times(left, ...v.map((_, k) => one(k)), bump(at, get(pixel)), bump(planes, 4)),
        bump(pixels, get(row)),
      ),
    );
  });
}

function emitExtend(module: ModuleBuilder, bytes: 1 | 2 | 4 | 8): void {
  const [loads, stores] = {
    1: ["i32.load8_u", "i32.store8"],
    2: ["i32.load16_u", "i32.store16"],
    4: ["i32.load", "i32.store"],
    8: ["i64.load", "i64.store"],
  }[bytes] as [string, string];
  module.define(`extend${bytes}`, i32s(5), (f) => {
    const [row, step, list, pairs, count] = f.params as [Local, Local, Local, Local, Local];
    const { at, end } = f.locals("i32", "at", "end");
    f.emit(
      set(end, sum(get(list), op("i32.shl", get(pairs), i32(3)))),
      times(
        count,
        set(at, get(list)),
        doWhile(
          op("i32.lt_u", get(at), get(end)),
          store(
            stores,
            sum(get(row), load("i32.load", get(at))),
            load(loads, sum(get(row), load("i32.load", get(at), 4))),
          ),
          bump(at, 8),
        ),
        bump(row, get(step)),
      ),
    );
  });
}
