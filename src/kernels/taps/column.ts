// Generates column passes: several output rows at once, so that each input row is loaded and converted once for all of
// them. Every result still sums its taps from top to bottom.
import type { TapsSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
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
  whileLoop,
} from "../../wasm/assembler.ts";
import type { CodeMode, StepBuffers } from "../kernel.ts";
import { lanesOf, loadTap, loadVectors, multiplyAdd, scaled } from "../lanes.ts";
import { finisher } from "./finish.ts";
import { finishKind, tapsLayout, tapsRows } from "./layout.ts";

/** How many output rows at once; 0 where the taps are not a dense column of at least two, or a sum is continued. */
export function columnRows({ taps, strides, arithmetic }: TapsSpec, { reads }: StepBuffers): number {
  const dense = taps.every(({ dy, dx }, k) => dx === 0 && dy === k);
  return dense && arithmetic !== "fixed" && !strides && reads.length === 1 && taps.length > 1
    ? Math.min(tapsRows, taps.length >= 4 ? 4 : 2)
    : 0;
}

export function emitColumn(
  module: ModuleBuilder,
  name: string,
  spec: TapsSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const { arithmetic } = spec;
  const [input, output] = [buffers.reads[0]!.dtype, buffers.write.dtype];
  const height = columnRows(spec, buffers);
  // Sums of all rows must fit the registers: 16 of 128 bits, or of 256 in wide mode. Bytes need four vectors of 32 bits.
  const vectors = mode.wide || lanesOf[arithmetic] === 8 || output === "u8" ? 4 : 2;
  module.define(name, ["i32", "i32", "i32", "i32"], (f) => {
    const [rows, params, source, target] = f.params as [Local, Local, Local, Local];
    const { end, i, tap, tapEnd, table, from } = f.locals("i32", "end", "i", "tap", "tapEnd", "table", "from");
    const { weight, spare } = f.locals("v128", "weight", "spare");
    const values = Array.from({ length: vectors }, () => f.local("v128"));
    const sums = Array.from({ length: height }, () => Array.from({ length: vectors }, () => f.local("v128")));
    const finish = finisher(f, params, arithmetic, finishKind(spec.finish, arithmetic), output, {
      ...mode,
      wide: false,
    });

    const loadRow = [
      set(from, op("i32.add", load("i32.load", get(table)), scaled(get(i), bytesOf[input]))),
      ...loadVectors(input, arithmetic, get(from), values, spare),
      bump(table, 4),
    ];
    /** Adds the loaded row to row r's sums, under the tap that stands `back` taps before the current one. */
    const add = (r: number, back: number): Code[] => [
      set(weight, loadTap(arithmetic, get(tap), tapsLayout.taps + tapsLayout.tap + back * tapsLayout.tapBytes)),
      ...values.map((x, v) => set(sums[r]![v]!, multiplyAdd(arithmetic, mode, get(weight), get(x), get(sums[r]![v]!)))),
    ];
    const all = Array.from({ length: height }, (_, r) => r);
    // The first input rows belong to the first output rows only, the last to the last: `tap` points height − 1 taps back.
    const ahead = all
      .slice(0, -1)
      .flatMap((k) => [...loadRow, ...all.filter((r) => r <= k).flatMap((r) => add(r, k - r))]);
    const middle = doWhile(
      op("i32.lt_u", get(tap), get(tapEnd)),
      ...loadRow,
      ...all.flatMap((r) => add(r, height - 1 - r)),
      bump(tap, tapsLayout.tapBytes),
    );
    const after = all
      .slice(0, -1)
      .flatMap((j) => [...loadRow, ...all.filter((r) => r > j).flatMap((r) => add(r, height - 1 + j - r))]);
    const block = [
      set(table, get(source)),
      set(tap, get(params)),
      ...sums.flat().map((sum) => set(sum, finish.initial)),
      ...ahead,
      middle,
      ...after,
      ...sums.flatMap((row, r) => [
        set(from, op("i32.add", load("i32.load", get(target), 4 * r), scaled(get(i), bytesOf[output]))),
        ...finish.store(row, get(from)),
      ]),
      bump(i, vectors * lanesOf[arithmetic]),
    ];
    f.emit(
      ...finish.prelude,
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      // From the first tap's block: `tap` walks all but the last height − 1 taps.
      set(
        tapEnd,
        op(
          "i32.add",
          get(params),
          op(
            "i32.sub",
            load("i32.load", get(params), tapsLayout.end),
            i32(tapsLayout.taps + (height - 1) * tapsLayout.tapBytes),
          ),
        ),
      ),
      whileLoop(
        op("i32.gt_s", get(rows), i32(0)),
        set(i, i32(0)),
        doWhile(op("i32.lt_u", get(i), get(end)), ...block),
        bump(source, 4 * height),
        bump(target, 4 * height),
        bump(rows, -height),
      ),
    );
  });
}
