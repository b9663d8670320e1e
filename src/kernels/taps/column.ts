// Generates column passes: several output rows at once, so that each input row is loaded and converted once for all of
// them. Every result still sums its taps from top to bottom. In fixed point rows are taken two by two (pairs.ts).

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
} from "../../codegen/assembler.ts";
import type { TapsSpec } from "../../plan/types.ts";
import { bytesOf } from "../../tensor.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { lanesOf, loadTap, loadVectors, multiplyAdd, scaled } from "../lanes.ts";
import { finisher } from "./finish.ts";
import { finishKind, pairsRows, tapsLayout, tapsRows, unrolledTaps } from "./layout.ts";
import { meanAddress, nearest } from "./mean.ts";
import { joinRow, loadPairs } from "./pairs.ts";
import { addendOf } from "./reference.ts";

/**
 * How many output rows at once; 0 where the taps are not a dense column of at least two, a sum is continued, or sums of 64
 * bits are so many to a vector of results that they would not fit the registers.
 */
export function columnRows(spec: TapsSpec, { reads, write }: StepBuffers, { wide }: CodeMode): number {
  const { taps, strides } = spec;
  if (pairsRows(spec, reads[0]!)) return wide ? 4 : 2;
  if (spec.arithmetic === "f64" && bytesOf[write.dtype] < 4) return 0;
  const dense = taps.every(({ dy, dx }, k) => dx === 0 && dy === k) && spec.arithmetic !== "fixed";
  return dense && !strides && !addendOf(spec, reads) && taps.length > 1
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
  const [input, output] = [buffers.reads[0]!, buffers.write.dtype];
  const height = columnRows(spec, buffers, mode);
  const unrolled = unrolledTaps(spec, input);
  /** Input rows that are loaded together, and output rows whose taps stand at the same place. */
  const depth = pairsRows(spec, input) ? 2 : 1;
  // Sums of all rows must fit the registers: 16 of 128 bits, or of 256 in wide mode. Bytes need four vectors of 32 bits.
  const vectors = mode.wide || lanesOf[arithmetic] === 8 || output === "u8" || depth === 2 ? 4 : 2;
  defineKernel(module, name, (f, { rows, params, sources, target }) => {
    const [source] = sources;
    const meanTable = sources[buffers.reads.length - 1]!;
    const { end, i, tap, tapEnd, table, at } = f.locals("i32", "end", "i", "tap", "tapEnd", "table", "at");
    const { begin, first, second } = f.locals("v128", "begin", "first", "second");
    const values = f.array("v128", vectors);
    const sums = Array.from({ length: height }, () => f.array("v128", vectors));
    const finish = finisher(f, params, arithmetic, finishKind(spec.finish, arithmetic), output, {
      ...mode,
      wide: false,
    });

    const rowAt = (pointer: Local, row: number, bytes: number): Code =>
      op("i32.add", load("i32.load", get(pointer), 4 * row), scaled(get(i), bytes));
    const loadRows = (k: number): Code[] =>
      depth === 2
        ? loadPairs(rowAt(table, 2 * k, 1), rowAt(table, 2 * k + 1, 1), values, first, second)
        : [
            set(at, rowAt(table, k, bytesOf[input.dtype])),
            ...loadVectors(input.dtype, arithmetic, get(at), values, first),
          ];
    const weights = new Map<number, Local>();
    /** Loads the `k`-th rows from the table on and adds them to output rows: each `depth` are a tap behind. */
    const step = (k: number, from: number, stop: number): Code[] => [
      ...loadRows(k),
      ...sums.flatMap((row, r) => {
        const back = k - Math.floor(r / depth);
        if (r < from * depth || r >= stop * depth) return [];
        const offset = tapsLayout.taps + tapsLayout.tap + back * tapsLayout.tapBytes + (r % depth) * 4;
        const known = unrolled ? weights.get(offset) : undefined;
        const weight = known ?? f.local("v128");
        weights.set(offset, weight);
        return [
          ...(known ? [] : [set(weight, loadTap(arithmetic, get(tap), offset))]),
          ...values.map((x, v) => set(row[v]!, multiplyAdd(arithmetic, mode, get(weight), get(x), get(row[v]!)))),
        ];
      }),
    ];
    const inMean = (row: Local[], r: number): Code[] => [
      ...meanAddress(params, meanTable, at, buffers, i, r),
      ...loadVectors(buffers.reads.at(-1)!.dtype, arithmetic, get(at), values, first),
      ...nearest(f, params, row, values),
    ];
    const groups = height / depth;
    const late = Array.from({ length: groups - 1 }, (_, k) => k);
    // The first input rows belong to the first output rows only, the last to the last: `tap` walks all but `late` taps.
    const allSteps = unrolled
      ? Array.from({ length: unrolled + groups - 1 }, (_, k) =>
          step(k, Math.max(0, k - unrolled + 1), Math.min(groups, k + 1)),
        ).flat()
      : [
          ...late.flatMap((k) => step(k, 0, k + 1)),
          doWhile(
            op("i32.lt_u", get(tap), get(tapEnd)),
            ...step(groups - 1, 0, groups),
            bump(tap, tapsLayout.tapBytes),
            bump(table, 4 * depth),
          ),
          ...late.flatMap((k) => step(groups - 1 + k, k + 1, groups)),
        ];
    const block = [
      set(table, get(source)),
      set(tap, get(params)),
      set(begin, finish.initial),
      ...sums.flat().map((sum) => set(sum, get(begin))),
      ...allSteps,
      ...(spec.mean ? sums.flatMap(inMean) : []),
      ...sums.flatMap((row, r) => [set(at, rowAt(target, r, bytesOf[output])), ...finish.store(row, get(at))]),
      bump(i, vectors * lanesOf[arithmetic]),
    ];
    const tapsBefore = tapsLayout.taps + late.length * tapsLayout.tapBytes;
    f.emit(
      ...finish.prelude,
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      set(
        tapEnd,
        op("i32.add", get(params), op("i32.sub", load("i32.load", get(params), tapsLayout.end), i32(tapsBefore))),
      ),
      whileLoop(
        op("i32.gt_s", get(rows), i32(0)),
        set(i, i32(0)),
        doWhile(op("i32.lt_u", get(i), get(end)), ...block),
        ...(depth === 2 ? sums.flatMap((_, r) => joinRow(f, params, target, r, end)) : []),
        bump(source, 4 * height),
        ...(spec.mean ? [bump(meanTable, 4 * height)] : []),
        bump(target, 4 * height),
        bump(rows, -height),
      ),
    );
  });
}
