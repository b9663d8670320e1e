// Generates the winograd family: sums and differences of four neighbours along both axes, a few channels at a time.

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
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { WinogradSpec } from "../../plan/types.ts";
import { activateLanes, activationNumbers } from "../activation.ts";
import { numbersAfter } from "../functions.ts";
import { type CodeMode, defineKernel, pixelsOf, type StepBuffers } from "../kernel.ts";
import { withNumbers, wordsOf } from "../words.ts";

const words = wordsOf(
  ...(["tiles", "inStep", "inOffset", "inPixel", "outStep", "outOffset", "outPixel"] as const),
  ...(["channels", "addStep", "addOffset", "addPixel"] as const),
);

export function winogradParams(spec: WinogradSpec, { reads, write }: StepBuffers): Uint8Array {
  const [x, added] = [reads[0]!, reads[1] ?? write];
  const isInput = spec.part === "input";
  const pixels = pixelsOf(write);
  const [from, to, more] = [x.channels * 4, write.channels * 4, added.channels * 4];
  const block = words.pack({
    tiles: isInput ? pixels : pixels / 2,
    // Tiles of the input overlap by two pixels; what is transformed is a pixel a tile.
    ...{ inStep: isInput ? 2 * from : from, inPixel: isInput ? from : from / 16 },
    inOffset: isInput ? ((x.left ?? 0) - spec.pads[1]) * from : 0,
    ...{ outStep: isInput ? to : 2 * to, outPixel: isInput ? to / 16 : to, outOffset: (write.left ?? 0) * to },
    channels: isInput ? from : to,
    ...{ addStep: 2 * more, addPixel: more, addOffset: (added.left ?? 0) * more },
  });
  return withNumbers(block, activationNumbers(spec.activation));
}

/** Which of four neighbours a sum takes, and with which sign. */
type Line = readonly (readonly (readonly [index: number, sign: 1 | -1])[])[];
const inputLine: Line = [
  [
    [0, 1],
    [2, -1],
  ],
  [
    [1, 1],
    [2, 1],
  ],
  [
    [2, 1],
    [1, -1],
  ],
  [
    [1, 1],
    [3, -1],
  ],
];
const outputLine: Line = [
  [
    [0, 1],
    [1, 1],
    [2, 1],
  ],
  [
    [1, 1],
    [2, -1],
    [3, -1],
  ],
];

/** Stored channels are multiples of 4, or of 8 where there are more. */
export function emitWinograd(module: ModuleBuilder, name: string, spec: WinogradSpec, mode: CodeMode): void {
  const isInput = spec.part === "input";
  defineKernel(module, name, (f, { rows, params, sources: [source, second], target }) => {
    const added = spec.residual ? second : undefined;
    const { tiles, inAt, outAt, addAt, channel, end, step } = f.locals(
      "i32",
      ...(["tiles", "inAt", "outAt", "addAt", "channel", "end", "step"] as const),
    );
    const vectors = mode.wide ? 2 : 1;
    const p = words.reader(params);
    const line = isInput ? inputLine : outputLine;
    const count = line.length;
    // Of the input, four rows; of the products, four lines of four groups: 16 addresses in both cases.
    const ins = f.array("i32", 4);
    const pixels = f.array("i32", 4);
    const outs = f.array("i32", isInput ? 16 : 4);
    const adds = f.array("i32", added ? 4 : 0);
    const between = Array.from({ length: 4 }, () => f.array("v128", vectors));
    const results = Array.from({ length: count }, () => f.array("v128", vectors));
    const spares = f.array("v128", 2 * count * vectors);
    const rowAt = (table: Local, row: number): Code => load("i32.load", get(table), row * 4);
    const plus = (a: Code, b: Code, sign: 1 | -1): Code => op(sign > 0 ? "f32x4.add" : "f32x4.sub", a, b);
    const at = (i: number, j: number): Code => sum(get(ins[i]!), get(pixels[j]!));
    const combine = (terms: Line[number], value: (index: number) => Code): Code =>
      terms.slice(1).reduce((all, [index, sign]) => plus(all, value(index), sign), value(terms[0]![0]));

    // V8 joins only loads and stores that it sees to be neighbours: at one address in a local.
    const addresses = f.array("i32", 3);
    const termOf = (terms: Line[number], row: number): number => terms.findIndex(([index]) => index === row);

    const sumLine = (i: number): Code[] => [
      ...between.flatMap((column, j) => [
        ...line[i]!.map(([row], k) => set(addresses[k]!, at(row, j))),
        ...column.map((x, v) =>
          set(
            x,
            combine(line[i]!, (row) => load("v128.load", get(addresses[termOf(line[i]!, row)]!), v * 16)),
          ),
        ),
      ]),
      ...results.flatMap((result, j) =>
        result.map((x, v) =>
          set(
            x,
            combine(line[j]!, (index) => get(between[index]![v]!)),
          ),
        ),
      ),
      ...(added
        ? results.flatMap((result, j) => [
            set(addresses[0]!, sum(get(adds[i * 2 + j]!), get(channel))),
            ...result.map((x, v) => set(x, op("f32x4.add", get(x), load("v128.load", get(addresses[0]!), v * 16)))),
          ])
        : []),
      ...activateLanes(spec.activation, results.flat(), spares, {
        ...mode,
        numbers: numbersAfter(params, words.bytes),
      }),
      ...results.flatMap((result, j) => [
        set(addresses[0]!, sum(get(outs[i * count + j]!), get(channel))),
        ...result.map((x, v) => store("v128.store", get(addresses[0]!), get(x), v * 16)).reverse(),
      ]),
    ];
    const offsets = isInput ? [0, 1, 2, 3].map((j) => op("i32.mul", p("inPixel"), i32(j))) : undefined;
    const setAddresses = [
      ...ins.map((x, i) =>
        set(
          x,
          isInput
            ? sum(rowAt(source, i), get(inAt))
            : sum(rowAt(source, 0), get(inAt), op("i32.mul", p("inPixel"), i32(4 * i))),
        ),
      ),
      ...pixels.map((x, j) => set(x, offsets ? offsets[j]! : op("i32.mul", p("inPixel"), i32(j)))),
      ...outs.map((x, k) =>
        set(
          x,
          isInput
            ? sum(rowAt(target, 0), get(outAt), op("i32.mul", p("outPixel"), i32(k)))
            : sum(rowAt(target, k >> 1), get(outAt), op("i32.mul", p("outPixel"), i32(k & 1))),
        ),
      ),
      ...adds.map((x, k) => set(x, sum(rowAt(added!, k >> 1), get(addAt), op("i32.mul", p("addPixel"), i32(k & 1))))),
    ];
    f.emit(
      set(step, i32(vectors * 16)),
      whileLoop(
        get(rows),
        set(tiles, p("tiles")),
        set(inAt, p("inOffset")),
        set(outAt, p("outOffset")),
        ...(added ? [set(addAt, p("addOffset"))] : []),
        doWhile(
          get(tiles),
          ...setAddresses,
          set(channel, i32(0)),
          set(end, p("channels")),
          doWhile(
            op("i32.lt_u", get(channel), get(end)),
            ...Array.from({ length: count }, (_, i) => sumLine(i)).flat(),
            ...ins.map((x) => bump(x, vectors * 16)),
            bump(channel, get(step)),
          ),
          bump(inAt, p("inStep")),
          bump(outAt, p("outStep")),
          ...(added ? [bump(addAt, p("addStep"))] : []),
          bump(tiles, -1),
        ),
        bump(source, isInput ? 8 : 4),
        bump(target, isInput ? 4 : 8),
        ...(added ? [bump(added, 8)] : []),
        bump(rows, -1),
      ),
    );
  });
}
