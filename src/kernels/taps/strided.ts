// Generates taps along rows with a step of more than one pixel from result to result: f32 only, one result at a time.
// Such rows are short, since they are decimated.

import {
  bump,
  doWhile,
  get,
  i32,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { TapsSpec } from "../../plan/types.ts";
import { defineKernel, type StepBuffers } from "../kernel.ts";
import { tapsLayout } from "./layout.ts";

export function emitStrided(module: ModuleBuilder, name: string, { strides }: TapsSpec, { write }: StepBuffers): void {
  const { channels } = write;
  defineKernel(module, name, (f, { rows, params, sources: [source], target }) => {
    const { end, to, from, channel, tap, tapEnd } = f.locals("i32", "end", "to", "from", "channel", "tap", "tapEnd");
    const sum = f.local("f32");
    const eachTap = doWhile(
      op("i32.lt_u", get(tap), get(tapEnd)),
      set(
        sum,
        op(
          "f32.add",
          get(sum),
          op(
            "f32.mul",
            load("f32.load", get(tap), tapsLayout.tap),
            load("f32.load", op("i32.add", get(from), load("i32.load", get(tap), 4))),
          ),
        ),
      ),
      bump(tap, tapsLayout.tapBytes),
    );
    f.emit(
      set(tapEnd, op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end))),
      whileLoop(
        get(rows),
        set(to, load("i32.load", get(target))),
        set(end, op("i32.add", get(to), op("i32.shl", load("i32.load", get(params), tapsLayout.elements), i32(2)))),
        set(from, load("i32.load", get(source))),
        doWhile(
          op("i32.lt_u", get(to), get(end)),
          set(channel, i32(channels)),
          doWhile(
            get(channel),
            set(sum, [0x43, 0, 0, 0, 0]),
            set(tap, op("i32.add", get(params), i32(tapsLayout.taps))),
            eachTap,
            store("f32.store", get(to), get(sum)),
            bump(to, 4),
            bump(from, 4),
            bump(channel, -1),
          ),
          bump(from, (strides![1] - 1) * channels * 4),
        ),
        bump(source, load("i32.load", get(params), tapsLayout.rowStride)),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}
