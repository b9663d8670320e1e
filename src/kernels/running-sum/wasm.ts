// Generates running sums. Along columns, a row of sums follows from the row above in vectors; along rows, each channel
// is one scalar chain.

import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  ifElse,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  splat,
  store,
  whileLoop,
} from "../../codegen/assembler.ts";
import { bytesOf, type ViewDType } from "../../tensor.ts";
import { defineKernel, type StepBuffers } from "../kernel.ts";
import { integerLanes, scaled } from "../lanes.ts";

/** Byte offsets in the parameter block. `span` is the window's length, in bytes of row table or of row. */
export const runningSumLayout = { elements: 0, span: 4, bytes: 8 };

const vectors = 4;

export function emitColumn(module: ModuleBuilder, name: string, { reads }: StepBuffers): void {
  const dtype = reads[0]!.dtype;
  defineKernel(module, name, (f, { rows, params, sources: [source], target }) => {
    const [n, span, i, k, oldest, newest, above] = f.array("i32", 7) as Local[] as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const sums = f.array("v128", vectors);
    const first = f.local("i32");

    const row = (table: Code, bytes: number): Code => op("i32.add", load("i32.load", table), scaled(get(i), bytes));
    const writeRow = [
      set(newest, row(get(target), 4)),
      ...sums.map((sum, v) => store("v128.store", get(newest), get(sum), v * 16)),
      bump(i, vectors * 4),
    ];
    const sumWindow = [
      ...sums.map((sum) => set(sum, splat("i32x4", 0))),
      set(k, i32(0)),
      doWhile(
        op("i32.lt_u", get(k), get(span)),
        set(newest, row(op("i32.add", get(source), get(k)), bytesOf[dtype])),
        ...sums.map((sum, v) => set(sum, op("i32x4.add", get(sum), integerLanes(dtype, get(newest), v)))),
        bump(k, 4),
      ),
    ];
    const slide = [
      set(above, row(op("i32.sub", get(target), i32(4)), 4)),
      set(oldest, row(op("i32.sub", get(source), i32(4)), bytesOf[dtype])),
      set(newest, row(op("i32.add", op("i32.sub", get(source), i32(4)), get(span)), bytesOf[dtype])),
      ...sums.map((sum, v) => {
        const change = op("i32x4.sub", integerLanes(dtype, get(newest), v), integerLanes(dtype, get(oldest), v));
        return set(sum, op("i32x4.add", load("v128.load", get(above), v * 16), change));
      }),
    ];
    const eachBlock = (...body: Code[]): Code => [
      ...set(i, i32(0)),
      ...doWhile(op("i32.lt_u", get(i), get(n)), ...body, ...writeRow),
    ];
    f.emit(
      set(n, load("i32.load", get(params), runningSumLayout.elements)),
      set(span, load("i32.load", get(params), runningSumLayout.span)),
      set(first, i32(1)),
      whileLoop(
        get(rows),
        ifElse(get(first), eachBlock(...sumWindow), eachBlock(...slide)),
        set(first, i32(0)),
        bump(source, 4),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

export function emitRow(module: ModuleBuilder, name: string, { reads, write }: StepBuffers): void {
  const dtype = reads[0]!.dtype;
  const [inBytes, outBytes] = [write.channels * bytesOf[dtype], write.channels * 4];
  defineKernel(module, name, (f, { rows, params, sources: [source], target }) => {
    const [span, channel, from, to, oldest, end, sum] = f.array("i32", 7) as Local[] as [
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
      Local,
    ];
    const eachChannel = [
      set(oldest, op("i32.add", load("i32.load", get(source)), scaled(get(channel), bytesOf[dtype]))),
      set(from, get(oldest)),
      set(end, op("i32.add", get(from), get(span))),
      set(sum, i32(0)),
      doWhile(
        op("i32.lt_u", get(from), get(end)),
        set(sum, op("i32.add", get(sum), scalar(dtype, get(from)))),
        bump(from, inBytes),
      ),
      set(to, op("i32.add", load("i32.load", get(target)), scaled(get(channel), 4))),
      set(
        end,
        op(
          "i32.add",
          load("i32.load", get(target)),
          scaled(load("i32.load", get(params), runningSumLayout.elements), 4),
        ),
      ),
      doWhile(
        op("i32.lt_u", get(to), get(end)),
        store("i32.store", get(to), get(sum)),
        set(sum, op("i32.add", get(sum), op("i32.sub", scalar(dtype, get(from)), scalar(dtype, get(oldest))))),
        bump(from, inBytes),
        bump(oldest, inBytes),
        bump(to, outBytes),
      ),
      bump(channel, 1),
    ];
    f.emit(
      set(span, load("i32.load", get(params), runningSumLayout.span)),
      whileLoop(
        get(rows),
        set(channel, i32(0)),
        doWhile(op("i32.lt_u", get(channel), i32(write.channels)), ...eachChannel),
        bump(source, 4),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

function scalar(dtype: ViewDType, address: Code): Code {
  const loads: Partial<Record<ViewDType, string>> = { u8: "i32.load8_u", u16: "i32.load16_u", i16: "i32.load16_s" };
  return load(loads[dtype] ?? "i32.load", address);
}
