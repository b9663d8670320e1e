// The list of pointers that a strip of a convolution works by: tile after tile, of each row of the window, of the output, of what
// is added. Tiles within a row are written four pointers at a time, since neighbouring pixels are equally far apart; what that writes
// beyond a line is written over by the next.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  ifElse,
  type Local,
  lane,
  load,
  type ModuleBuilder,
  op,
  set,
  splat,
  store,
  sum,
  when,
} from "../../codegen/assembler.ts";
import { convWords } from "./layout.ts";

interface ListArguments {
  rows: Local;
  params: Local;
  source: Local;
  list: Local;
  target: Local;
  added: Local | undefined;
}

/**
 * Defines the function that writes such a list, unless the module has it, and gives a call of it, whose result is the number of tiles;
 * the last of them repeats the last pixel. `flat`: windows of one row. It stands apart so that kernels are short: into long ones V8 puts
 * the loops of their panels, where these have too few registers.
 */
export function listFor(module: ModuleBuilder, tile: number, flat: boolean): (names: ListArguments) => Code {
  return ({ rows, params, source, list, target, added }) => {
    const name = `list of ${tile}${flat ? " flat" : ""}${added ? " add" : ""}`;
    const given = [rows, params, source, list, target, ...(added ? [added] : [])];
    if (!module.has(name)) {
      module.define(name, Array(given.length).fill("i32"), (f) => f.emit(...writeList(f, tile, flat)), ["i32"]);
    }
    return module.call(name, ...given.map(get));
  };
}

function writeList(f: FunctionBuilder, tile: number, flat: boolean): Code[] {
  const [rows, params, source, list, target, added] = f.params as [Local, Local, Local, Local, Local, Local?];
  const p = convWords.reader(params);
  const { at, slot, x, left, tiles } = f.locals("i32", "at", "slot", "x", "left", "tiles");
  const { ky, table, entry } = f.locals("i32", "ky", "table", "entry");
  const base = f.local("v128");
  const line = tile * 4;
  /** Offsets within a row: of the next pixel, of four from there on, and of a whole tile, four by four. */
  const along = (step: Code, offset: Code) => {
    const fours = f.array("v128", Math.ceil(tile / 4));
    return { step, offset, next: f.local("i32"), ramp: f.local("v128"), fours };
  };
  const input = along(p("inStep"), p("inOffset"));
  const others = [
    { ...along(p("outStep"), p("outOffset")), rows: target },
    ...(added ? [{ ...along(p("addStep"), p("addOffset")), rows: added }] : []),
  ];
  const all = [input, ...others];
  /** The lines of a tile one after the other, of which `put` writes what it does from `entry` on: for rows at an address. */
  const lines = (put: (one: ReturnType<typeof along>, row: Code) => Code[]): Code[] => {
    const first = [...put(input, load("i32.load", get(table))), bump(entry, line)];
    return [
      set(table, get(source)),
      ...(flat ? first : [set(ky, p("kh")), doWhile(get(ky), ...first, bump(table, p("tableStep")), bump(ky, -1))]),
      ...others.flatMap((one, i) => [
        ...put(one, load("i32.load", get(one.rows))),
        ...(i < others.length - 1 ? [bump(entry, line)] : []),
      ]),
    ];
  };
  const advance = (pixels: number): Code[] => [
    ...all.map(({ next, step }) => bump(next, op("i32.mul", step, i32(pixels)))),
    bump(x, -pixels),
    bump(left, -pixels),
  ];
  const nextTile = [set(at, sum(get(entry), i32(line))), set(slot, i32(0)), bump(tiles, 1)];
  const wholeTile = [
    ...all.flatMap(({ fours, ramp, next, step }) => [
      set(fours[0]!, op("i32x4.add", get(ramp), op("i32x4.splat", get(next)))),
      ...fours
        .slice(1)
        .map((four, i) => set(four, op("i32x4.add", get(fours[i]!), op("i32x4.splat", op("i32.shl", step, i32(2)))))),
    ]),
    set(entry, get(at)),
    ...lines(({ fours }, row) => [
      set(base, op("i32x4.splat", row)),
      ...fours.map((four, i) => store("v128.store", get(entry), op("i32x4.add", get(four), get(base)), 16 * i)),
    ]),
    ...nextTile,
    ...advance(tile),
  ];
  const pixel = [
    set(entry, sum(get(at), get(slot))),
    ...lines(({ next }, row) => [store("i32.store", get(entry), sum(row, get(next)))]),
    bump(slot, 4),
  ];
  const onePixel = [
    ...pixel,
    when(op("i32.eq", get(slot), i32(line)), bump(entry, 4 - line), ...nextTile),
    ...advance(1),
  ];
  const startRow = [set(x, p("width")), ...all.map(({ next, offset }) => set(next, offset))];
  const nextRow = [
    bump(source, p("rowStep")),
    bump(target, p("targetStep")),
    ...(added ? [bump(added, 4)] : []),
    ...startRow,
  ];
  const isWhole = op("i32.and", op("i32.eqz", get(slot)), op("i32.ge_s", get(x), i32(tile)));
  return [
    set(at, get(list)),
    ...all.map(({ ramp, step }) => set(ramp, op("i32x4.mul", op("i32x4.splat", step), zeroToThree))),
    ...startRow,
    set(left, op("i32.mul", get(rows), p("width"))),
    doWhile(get(left), ifElse(isWhole, wholeTile, onePixel), when(get(left), when(op("i32.eqz", get(x)), ...nextRow))),
    when(
      get(slot),
      ...all.map(({ next, step }) => set(next, op("i32.sub", get(next), step))),
      doWhile(op("i32.ne", get(slot), i32(line)), ...pixel),
      bump(tiles, 1),
    ),
    get(tiles),
  ];
}

const zeroToThree: Code = [1, 2, 3].reduce<Code>(
  (vector, n) => lane("i32x4.replace_lane", n, vector, i32(n)),
  splat("i32x4", 0),
);
