// Generates any list of taps over neighbouring results of one row: row passes and direct filters. The last block of a row
// runs past its end into slack that every buffer has, so there are no tails and each result is summed in one order.

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
import { bytesOf, type ViewDType } from "../../tensor.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { lanesOf, loadTap, loadVectors, multiplyAdd, scaled, shapeOf } from "../lanes.ts";
import { finisher, settle } from "./finish.ts";
import { finishKind, stepOf, tapsLayout, unrolledTaps } from "./layout.ts";
import { meanAddress, nearest } from "./mean.ts";
import { addendOf } from "./reference.ts";

/** Taps of one row at even steps, which no table of rows is asked for. */
export const isRow = ({ taps }: TapsSpec): boolean => stepOf(taps) !== undefined;

/** Vectors of sums at a time: eight registers, or eight pairs that become registers of 256 bits. */
const vectorsFor = (arithmetic: TapsSpec["arithmetic"], { wide }: CodeMode): number =>
  wide && lanesOf[arithmetic] === 4 ? 16 : 8;

export function emitList(
  module: ModuleBuilder,
  name: string,
  spec: TapsSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const { arithmetic } = spec;
  const input = buffers.reads[0]!;
  const addend = addendOf(spec, buffers.reads);
  const output = buffers.write.dtype;
  defineKernel(module, name, (f, { rows, params, sources, target }) => {
    const [source, sumTable] = sources;
    const meanTable = sources[buffers.reads.length - 1]!;
    const { end, i, tap, tapEnd, from } = f.locals("i32", "end", "i", "tap", "tapEnd", "from");
    const { weight, spare } = f.locals("v128", "weight", "spare");
    const count = vectorsFor(arithmetic, mode);
    const sums = f.array("v128", count);
    const values = f.array("v128", 2);
    const finish = finisher(f, params, arithmetic, finishKind(spec.finish, arithmetic), output, mode);

    const address = (table: Local, dtype: ViewDType): Code =>
      op("i32.add", load("i32.load", get(table)), scaled(get(i), bytesOf[dtype]));
    const meanBytes = bytesOf[buffers.reads.at(-1)!.dtype] * lanesOf[arithmetic];
    const pairs = sums.flatMap((_, v) => (v % 2 === 0 ? [v] : []));
    /** Added last: the taps of this list are summed among themselves first, which rounds less. */
    const addBefore = addend && [
      set(from, address(sumTable, addend.dtype)),
      ...pairs.flatMap((v) => [
        ...loadVectors(addend.dtype, arithmetic, get(from), values, spare, v * 16),
        ...values.map((x, k) => set(sums[v + k]!, op(`${shapeOf[arithmetic]}.add`, get(sums[v + k]!), get(x)))),
      ]),
    ];
    const inMean = spec.mean && [
      ...meanAddress(params, meanTable, from, buffers, i),
      ...pairs.flatMap((v) => [
        ...loadVectors(buffers.reads.at(-1)!.dtype, arithmetic, get(from), values, spare, v * meanBytes),
        ...nearest(f, params, sums.slice(v, v + 2), values),
      ]),
    ];
    /** Where the taps of a list begin in the current row, and adding one of them. */
    const rowOf = (list: Local, at: number): Code =>
      op(
        "i32.add",
        load("i32.load", op("i32.add", get(source), load("i32.load", get(list), at))),
        load("i32.load", get(list), at + 4),
      );
    const inputBytes = bytesOf[input.dtype] * lanesOf[arithmetic];
    const place = (begin: Code): Code => op("i32.add", begin, scaled(get(i), bytesOf[input.dtype]));
    const addTap = (list: Local, at: number): Code[] => [
      set(weight, loadTap(arithmetic, get(list), at + tapsLayout.tap)),
      ...pairs.flatMap((v) => [
        ...loadVectors(input.dtype, arithmetic, get(from), values, spare, v * inputBytes),
        ...values.map((x, k) =>
          set(sums[v + k]!, multiplyAdd(arithmetic, mode, get(weight), get(x), get(sums[v + k]!))),
        ),
      ]),
    ];
    // Few taps: their rows are found once, and no loop runs over them.
    const begins = f.array("i32", unrolledTaps(spec, input));
    const listed = begins.map((begin, k) => ({ begin, at: tapsLayout.taps + k * tapsLayout.tapBytes }));
    const overTaps = (...body: Code[]): Code[] => [
      set(tap, op("i32.add", get(params), i32(tapsLayout.taps))),
      doWhile(op("i32.lt_u", get(tap), get(tapEnd)), ...body, bump(tap, tapsLayout.tapBytes)),
    ];
    const eachTap =
      listed.length > 0
        ? listed.flatMap(({ begin, at }) => [set(from, place(get(begin))), ...addTap(params, at)])
        : isRow(spec)
          ? [
              set(from, place(rowOf(params, tapsLayout.taps))),
              ...overTaps(...addTap(tap, 0), bump(from, load("i32.load", get(params), tapsLayout.step))),
            ]
          : overTaps(set(from, place(rowOf(tap, 0))), ...addTap(tap, 0));
    f.emit(
      ...finish.prelude,
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      set(tapEnd, op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end))),
      whileLoop(
        get(rows),
        set(i, i32(0)),
        ...listed.map(({ begin, at }) => set(begin, rowOf(params, at))),
        doWhile(
          op("i32.lt_u", get(i), get(end)),
          set(weight, finish.initial),
          ...sums.map((sum) => set(sum, get(weight))),
          ...eachTap,
          ...(addBefore ?? []),
          ...(inMean ?? []),
          set(from, address(target, output)),
          ...finish.store(sums, get(from)),
          bump(i, count * lanesOf[arithmetic]),
        ),
        ...(finish.group
          ? [
              set(tap, load("i32.load", get(target))),
              set(from, op("i32.add", get(tap), scaled(get(end), bytesOf[output]))),
              ...settle(f, finish.group, tap, from),
            ]
          : []),
        bump(source, load("i32.load", get(params), tapsLayout.rowStride)),
        ...[...(addend ? [sumTable] : []), ...(spec.mean ? [meanTable] : []), target].map((table) => bump(table, 4)),
        bump(rows, -1),
      ),
    );
  });
}
