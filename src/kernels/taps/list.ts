// Generates any list of taps over neighbouring results of one row: row passes and direct filters. The last block of a row
// runs past its end into slack that every buffer has, so there are no tails and each result is summed in one order.
import type { TapsSpec } from "../../plan/types.ts";
import { bytesOf, type ViewDType } from "../../tensor.ts";
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
  splat,
  whileLoop,
} from "../../wasm/assembler.ts";
import type { CodeMode, StepBuffers } from "../kernel.ts";
import { lanesOf, loadTap, loadVectors, multiplyAdd, scaled, shapeOf } from "../lanes.ts";
import { finisher, settle } from "./finish.ts";
import { finishKind, tapsLayout } from "./layout.ts";

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
  const [input, addend] = buffers.reads as [StepBuffers["write"], StepBuffers["write"] | undefined];
  const output = buffers.write.dtype;
  module.define(name, [...buffers.reads.map(() => "i32" as const), "i32", "i32", "i32"], (f) => {
    const [rows, params, source] = f.params as [Local, Local, Local];
    const [sumTable, target] = [f.params[3]!, f.params.at(-1)!];
    const { end, i, tap, tapEnd, from } = f.locals("i32", "end", "i", "tap", "tapEnd", "from");
    const { weight, spare } = f.locals("v128", "weight", "spare");
    const count = vectorsFor(arithmetic, mode);
    const sums = Array.from({ length: count }, () => f.local("v128"));
    const values = Array.from({ length: 2 }, () => f.local("v128"));
    const finish = finisher(f, params, arithmetic, finishKind(spec.finish, arithmetic), output, mode);

    const address = (table: Local, dtype: ViewDType): Code =>
      op("i32.add", load("i32.load", get(table)), scaled(get(i), bytesOf[dtype]));
    const pairs = sums.flatMap((_, v) => (v % 2 === 0 ? [v] : []));
    /** Added last: the taps of this list are summed among themselves first, which rounds less. */
    const addBefore = addend && [
      set(from, address(sumTable, addend.dtype)),
      ...pairs.flatMap((v) => [
        ...loadVectors(addend.dtype, arithmetic, get(from), values, spare, v * 16),
        ...values.map((x, k) => set(sums[v + k]!, op(`${shapeOf[arithmetic]}.add`, get(sums[v + k]!), get(x)))),
      ]),
    ];
    const row = load("i32.load", op("i32.add", get(source), load("i32.load", get(tap))));
    const inputBytes = bytesOf[input.dtype] * lanesOf[arithmetic];
    const eachTap = doWhile(
      op("i32.lt_u", get(tap), get(tapEnd)),
      set(from, op("i32.add", op("i32.add", row, load("i32.load", get(tap), 4)), scaled(get(i), bytesOf[input.dtype]))),
      set(weight, loadTap(arithmetic, get(tap), tapsLayout.tap)),
      ...pairs.flatMap((v) => [
        ...loadVectors(input.dtype, arithmetic, get(from), values, spare, v * inputBytes),
        ...values.map((x, k) =>
          set(sums[v + k]!, multiplyAdd(arithmetic, mode, get(weight), get(x), get(sums[v + k]!))),
        ),
      ]),
      bump(tap, tapsLayout.tapBytes),
    );
    f.emit(
      ...finish.prelude,
      set(end, load("i32.load", get(params), tapsLayout.elements)),
      set(tapEnd, op("i32.add", get(params), load("i32.load", get(params), tapsLayout.end))),
      whileLoop(
        get(rows),
        set(i, i32(0)),
        doWhile(
          op("i32.lt_u", get(i), get(end)),
          ...sums.map((sum) => set(sum, splat("i32x4", 0))),
          set(tap, op("i32.add", get(params), i32(tapsLayout.taps))),
          eachTap,
          ...(addBefore ?? []),
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
        ...[...(addend ? [sumTable] : []), target].map((table) => bump(table, 4)),
        bump(rows, -1),
      ),
    );
  });
}
