// Generates convolutions to up to four outputs: lanes are inputs instead of outputs, of which there are fewer than lanes. Each
// output of each pixel is a vector of sums, whose lanes are added when all inputs are multiplied.
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
  shuffle,
  splat,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { ConvSpec } from "../../plan/types.ts";
import { activateLanes } from "../activation.ts";
import type { CodeMode } from "../kernel.ts";
import { multiplyAdd } from "../lanes.ts";
import { convShape, convWords, dotBytes, dotLanes, dotUnroll } from "./layout.ts";

/** (list, tiles, params, weights, offset of the inputs, offset of the outputs); the sums of a tile stand before the list. */
export function emitDots(
  module: ModuleBuilder,
  { name }: { name: string },
  spec: ConvSpec,
  tile: number,
  mode: CodeMode,
): void {
  const { residual, activation, outputs } = spec;
  const unroll = dotUnroll(convShape(spec));
  const block = outputs * dotLanes * 4;
  module.define(name, Array(6).fill("i32"), (f) => {
    const [list, tiles, params, weights, inOffset, outOffset] = f.params as [Local, Local, Local, Local, Local, Local];
    const p = convWords.reader(params);
    const pointers = f.array("i32", tile);
    const { b, end, ky, run, room } = f.locals("i32", "b", "end", "ky", "run", "room");
    // [pixel][output][half of the lanes]
    const sums = pointers.map(() => Array.from({ length: outputs }, () => f.array("v128", 2)));
    const values = pointers.map(() => f.array("v128", 2));
    const right = Array.from({ length: outputs }, () => f.array("v128", 2));
    const results = f.array("v128", tile);
    const spares = f.array("v128", 2 * Math.max(tile, 4));
    const setPointers = (offset: Local): Code[] =>
      pointers.map((x, i) => set(x, sum(load("i32.load", get(list), i * 4), get(offset))));
    /** Halves of eight inputs: in wide code both at once, which become one vector; else there are too few registers. */
    const products = (u: number, halves: readonly number[]): Code[] => {
      const input = (i: number): Code[] =>
        halves.map((h) => set(values[i]![h]!, load("v128.load", get(pointers[i]!), u * dotLanes * 4 + h * 16)));
      const weight = (o: number): Code[] =>
        halves.map((h) => set(right[o]![h]!, load("v128.load", get(b), u * block + o * dotLanes * 4 + h * 16)));
      const add = (i: number, o: number): Code[] =>
        halves.map((h) => {
          const x = sums[i]![o]![h]!;
          return set(x, multiplyAdd("f32", mode, get(values[i]![h]!), get(right[o]![h]!), get(x)));
        });
      // Those of which there are fewer stay in registers.
      const [pixels, all] = [pointers.map((_, i) => i), right.map((_, o) => o)];
      if (tile < outputs)
        return [...pixels.flatMap(input), ...all.flatMap((o) => [...weight(o), ...pixels.flatMap((i) => add(i, o))])];
      return [...all.flatMap(weight), ...pixels.flatMap((i) => [...input(i), ...all.flatMap((o) => add(i, o))])];
    };
    const eight = (u: number): Code[] => (mode.wide ? products(u, [0, 1]) : [...products(u, [0]), ...products(u, [1])]);
    const at = (pixel: number, output: number): number => (pixel * outputs + output) * dotLanes * 4;
    // Stored and loaded again: V8 joins halves only where neighbours are stored.
    const keep = sums.flatMap((pixel, i) =>
      pixel.flatMap((one, o) => [1, 0].map((h) => store("v128.store", get(room), get(one[h]!), at(i, o) + h * 16))),
    );
    f.emit(
      set(room, op("i32.sub", get(list), i32(dotBytes(spec)))),
      whileLoop(
        get(tiles),
        ...sums.flat(2).map((x) => set(x, splat("f32x4", 0))),
        set(b, sum(get(weights), i32(dotLanes * 4))),
        set(ky, p("kh")),
        doWhile(
          get(ky),
          ...setPointers(inOffset),
          set(run, p("runs")),
          doWhile(
            get(run),
            set(end, sum(get(pointers[0]!), p("runBytes"))),
            doWhile(
              op("i32.lt_u", get(pointers[0]!), get(end)),
              ...Array.from({ length: unroll }, (_, u) => eight(u)).flat(),
              bump(b, unroll * block),
              ...pointers.map((x) => bump(x, unroll * dotLanes * 4)),
            ),
            ...pointers.map((x) => bump(x, p("runBump"))),
            bump(run, -1),
          ),
          bump(list, tile * 4),
          bump(ky, -1),
        ),
        ...keep,
        ...results.flatMap((result, i) => addLanes(result, spares, (o) => at(i, o), outputs, room, weights)),
        ...(residual
          ? [
              bump(list, tile * 4),
              ...setPointers(outOffset),
              ...results.map((x, i) => set(x, op("f32x4.add", get(x), load("v128.load", get(pointers[i]!))))),
              bump(list, -tile * 4),
            ]
          : []),
        ...activateLanes(activation, results, spares, mode),
        ...setPointers(outOffset),
        ...results.map((x, i) => store("v128.store", get(pointers[i]!), get(x))),
        bump(list, tile * 4 * (residual ? 2 : 1)),
        bump(tiles, -1),
      ),
    );
  });
}

/** 32-bit lanes of two vectors, those of the second counted from 4 on. */
const lanes = (x: Local, y: Local, order: readonly number[]): Code =>
  shuffle(
    order.flatMap((lane) => [0, 1, 2, 3].map((byte) => lane * 4 + byte)),
    get(x),
    get(y),
  );

/** The vectors of up to four outputs to the sums of their lanes, one after the other, and the bias. */
function addLanes(
  result: Local,
  spares: readonly Local[],
  at: (output: number) => number,
  outputs: number,
  room: Local,
  weights: Local,
): Code[] {
  const vectors = spares.slice(0, 4);
  const add = (a: Code, b: Code): Code => op("f32x4.add", a, b);
  const whole = vectors.map((x, o) =>
    set(
      x,
      o < outputs
        ? add(load("v128.load", get(room), at(o)), load("v128.load", get(room), at(o) + 16))
        : splat("f32x4", 0),
    ),
  );
  const [a, b, c, d] = vectors as [Local, Local, Local, Local];
  /** The first halves and the last halves of two vectors, lane by lane next to each other, added. */
  const pair = (x: Local, y: Local): Code => add(lanes(x, y, [0, 4, 1, 5]), lanes(x, y, [2, 6, 3, 7]));
  return [
    ...whole,
    set(a, pair(a, b)),
    ...(outputs > 2 ? [set(c, pair(c, d))] : [set(c, splat("f32x4", 0))]),
    set(result, add(add(lanes(a, c, [0, 1, 4, 5]), lanes(a, c, [2, 3, 6, 7])), load("v128.load", get(weights)))),
  ];
}
