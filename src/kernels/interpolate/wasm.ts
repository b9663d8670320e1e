// Generates interpolation: along rows element by element, along columns in vectors with the finish of taps.

import {
  bump,
  type Code,
  doWhile,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { BufferSpec, InterpolateSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { loadTap, multiplyAdd, scaled } from "../lanes.ts";
import { finisher, settle } from "../taps/finish.ts";
import { finishKind, tapsLayout } from "../taps/layout.ts";

/** Rows that a strip of a buffer holds beyond one for each of its units. */
export const extraRows = ({ above, below }: BufferSpec): number => above + below;

export function emitRows(
  module: ModuleBuilder,
  name: string,
  { factor }: InterpolateSpec,
  { write }: StepBuffers,
): void {
  const { channels } = write;
  defineKernel(module, name, (f, { rows, params, sources: [source], target }) => {
    const { end, to, from, channel, tap, k } = f.locals("i32", "end", "to", "from", "channel", "tap", "k");
    const left = f.local("f32");
    const slope = f.local("f32");
    const at = op("f32.mul", get(slope), load("f32.load", get(tap), tapsLayout.taps + tapsLayout.tap));
    const line = [
      set(left, load("f32.load", get(from))),
      set(slope, op("f32.sub", load("f32.load", get(from), channels * 4), get(left))),
      set(tap, get(params)),
      set(k, i32(factor)),
      doWhile(
        get(k),
        store("f32.store", get(to), op("f32.add", get(left), at)),
        bump(tap, tapsLayout.tapBytes),
        bump(to, channels * 4),
        bump(k, -1),
      ),
      bump(from, 4),
      bump(to, 4 - factor * channels * 4),
      bump(channel, -1),
    ];
    f.emit(
      // No rows, nothing to do: the first call only compiles.
      set(rows, op("i32.add", get(rows), op("i32.mul", op("i32.ne", get(rows), i32(0)), i32(extraRows(write))))),
      whileLoop(
        get(rows),
        set(to, load("i32.load", get(target))),
        set(end, op("i32.add", get(to), op("i32.shl", load("i32.load", get(params), tapsLayout.elements), i32(2)))),
        set(from, load("i32.load", get(source))),
        doWhile(
          op("i32.lt_u", get(to), get(end)),
          set(channel, i32(channels)),
          doWhile(get(channel), ...line),
          bump(to, (factor - 1) * channels * 4),
        ),
        bump(source, 4),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

const vectors = 8;

export function emitColumns(
  module: ModuleBuilder,
  name: string,
  { finish: end }: InterpolateSpec,
  { write }: StepBuffers,
  mode: CodeMode,
): void {
  defineKernel(module, name, (f, { rows, params, sources: [source], target }) => {
    const { i, n, tap, tapEnd, upper, lower, at, stop } = f.locals(
      ...(["i32", "i", "n", "tap", "tapEnd", "upper", "lower", "at", "stop"] as const),
    );
    const weight = f.local("v128");
    const sums = f.array("v128", vectors);
    const kind = finishKind(end, "f32");
    const finish = finisher(f, params, "f32", kind, write.dtype, mode);
    const element = (row: Local, v: number): Code => load("v128.load", get(row), v * 16);
    const rowAt = (table: Local, offset: number, bytes: number): Code =>
      op("i32.add", load("i32.load", get(table), offset), scaled(get(i), bytes));
    const eachRow = [
      set(weight, loadTap("f32", get(tap), tapsLayout.tap)),
      set(i, i32(0)),
      doWhile(
        op("i32.lt_u", get(i), get(n)),
        set(upper, rowAt(source, 0, 4)),
        set(lower, rowAt(source, 4, 4)),
        ...sums.map((sum, v) =>
          set(
            sum,
            multiplyAdd(
              "f32",
              mode,
              op("f32x4.sub", element(lower, v), element(upper, v)),
              get(weight),
              element(upper, v),
            ),
          ),
        ),
        set(at, rowAt(target, 0, bytesOf[write.dtype])),
        ...finish.store(sums, get(at)),
        bump(i, vectors * 4),
      ),
      ...(finish.group
        ? [
            set(at, load("i32.load", get(target))),
            set(stop, op("i32.add", get(at), scaled(get(n), bytesOf[write.dtype]))),
            ...settle(f, finish.group, at, stop),
          ]
        : []),
      bump(target, 4),
      bump(tap, tapsLayout.tapBytes),
    ];
    f.emit(
      ...finish.prelude,
      set(n, load("i32.load", get(params), tapsLayout.elements)),
      set(tapEnd, op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end))),
      whileLoop(
        get(rows),
        set(tap, op("i32.add", get(params), i32(tapsLayout.taps))),
        doWhile(op("i32.lt_u", get(tap), get(tapEnd)), ...eachRow),
        bump(source, 4),
        bump(rows, -1),
      ),
    );
  });
}
