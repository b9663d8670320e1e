// The list of pointers that a strip of a convolution works by: tile after tile, of each row of the window, of the output, of what
// is added.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  op,
  set,
  store,
  sum,
  when,
} from "../../codegen/assembler.ts";
import { convWords } from "./layout.ts";

interface ListLocals {
  rows: Local;
  params: Local;
  source: Local;
  list: Local;
  target: Local;
  added: Local | undefined;
  tiles: Local;
}

/** Pointers of tile after tile; the last tile repeats the last pixel. Leaves the number of tiles. */
export function buildList(f: FunctionBuilder, tile: number, names: ListLocals): Code[] {
  const { rows, params, source, list, target, added, tiles } = names;
  const p = convWords.reader(params);
  const { at, slot, x, inAt, outAt, addAt, ky, table, entry, kh, left } = f.locals(
    "i32",
    ...(["at", "slot", "x", "inAt", "outAt", "addAt", "ky", "table", "entry", "kh", "left"] as const),
  );
  const line = tile * 4;
  const { outRow, addRow } = f.locals("i32", "outRow", "addRow");
  const pixel = [
    set(entry, sum(get(at), get(slot))),
    set(table, get(source)),
    set(ky, get(kh)),
    doWhile(
      get(ky),
      store("i32.store", get(entry), sum(load("i32.load", get(table)), get(inAt))),
      bump(entry, line),
      bump(table, p("tableStep")),
      bump(ky, -1),
    ),
    store("i32.store", get(entry), sum(get(outRow), get(outAt))),
    ...(added ? [store("i32.store", get(entry), sum(get(addRow), get(addAt)), line)] : []),
    bump(slot, 4),
    when(
      op("i32.eq", get(slot), i32(line)),
      set(slot, i32(0)),
      set(at, sum(get(entry), i32(added ? line + 4 : 4))),
      bump(tiles, 1),
    ),
  ];
  const startRow = [
    set(x, p("width")),
    set(inAt, p("inOffset")),
    set(outAt, p("outOffset")),
    set(outRow, load("i32.load", get(target))),
    ...(added ? [set(addAt, p("addOffset")), set(addRow, load("i32.load", get(added)))] : []),
  ];
  const nextRow = [
    bump(source, p("rowStep")),
    bump(target, p("targetStep")),
    ...(added ? [bump(added, 4)] : []),
    ...startRow,
  ];
  const advance = [
    bump(x, -1),
    bump(inAt, p("inStep")),
    bump(outAt, p("outStep")),
    ...(added ? [bump(addAt, p("addStep"))] : []),
    when(op("i32.eqz", get(x)), ...nextRow),
  ];
  return [
    set(at, get(list)),
    set(kh, p("kh")),
    ...startRow,
    set(left, op("i32.mul", get(rows), p("width"))),
    doWhile(
      op("i32.or", get(left), get(slot)),
      ...pixel,
      when(op("i32.gt_s", get(left), i32(1)), ...advance),
      set(left, op("i32.sub", get(left), op("i32.ne", get(left), i32(0)))),
    ),
  ];
}

/** The same where the window is one row: the pointers of neighbouring pixels follow from each other. */
export function listOfRows(f: FunctionBuilder, tile: number, names: ListLocals): Code[] {
  const { rows, params, source, list, target, added, tiles } = names;
  const p = convWords.reader(params);
  const { at, end, left, x, inAt, outAt, addAt } = f.locals(
    ...(["i32", "at", "end", "left", "x", "inAt", "outAt", "addAt"] as const),
  );
  const line = tile * 4;
  const pixel = [
    store("i32.store", get(at), get(inAt)),
    store("i32.store", get(at), get(outAt), line),
    ...(added ? [store("i32.store", get(at), get(addAt), 2 * line)] : []),
    bump(at, 4),
  ];
  const startRow = [
    set(x, p("width")),
    set(inAt, sum(load("i32.load", get(source)), p("inOffset"))),
    set(outAt, sum(load("i32.load", get(target)), p("outOffset"))),
    ...(added ? [set(addAt, sum(load("i32.load", get(added)), p("addOffset")))] : []),
  ];
  const nextRow = [
    bump(source, p("rowStep")),
    bump(target, p("targetStep")),
    ...(added ? [bump(added, 4)] : []),
    ...startRow,
  ];
  const advance = [
    bump(x, -1),
    bump(inAt, p("inStep")),
    bump(outAt, p("outStep")),
    ...(added ? [bump(addAt, p("addStep"))] : []),
    when(op("i32.eqz", get(x)), ...nextRow),
  ];
  const isFull = op("i32.eq", get(at), get(end));
  return [
    set(at, get(list)),
    set(end, sum(get(list), i32(line))),
    ...startRow,
    set(left, op("i32.mul", get(rows), p("width"))),
    doWhile(
      get(left),
      ...pixel,
      when(isFull, bump(at, line * (added ? 2 : 1)), set(end, sum(get(at), i32(line))), bump(tiles, 1)),
      bump(left, -1),
      when(get(left), ...advance),
    ),
    when(
      op("i32.ne", sum(get(at), i32(line)), get(end)),
      bump(tiles, 1),
      doWhile(op("i32.ne", get(at), get(end)), ...pixel),
    ),
  ];
}
