// Generates the conv family: a matrix product whose left side is gathered by pointers, so that strides, dilations and
// borders cost nothing and no patch is ever copied (after the indirect convolution of Dukhan, 2019). A strip first writes
// the pointers of its pixels, tile after tile: of each row of the window, of the output, of what is added.

import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  sum,
  when,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { ConvSpec } from "../../plan/types.ts";
import { activateLanes, activationName } from "../activation.ts";
import { numbersAfter } from "../functions.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";
import { multiplyAdd } from "../lanes.ts";
import { emitDots } from "./dots.ts";
import {
  type ConvShape,
  convShape,
  convTile,
  convWords,
  dotBytes,
  dotTile,
  dotUnroll,
  mostStraight,
  panelOutputs,
} from "./layout.ts";
import { listFor } from "./list.ts";

/** One function that sums `vectors` neighbouring vectors of outputs for a tile of pixels, from panels of `side` outputs. */
export interface Panel {
  name: string;
  vectors: number;
  side: number;
}

const tileOf = (spec: ConvSpec, { write }: StepBuffers, { wide }: CodeMode): number =>
  convShape(spec).dots ? dotTile(spec.outputs, wide) : convTile(spec, write, wide);

/**
 * How a row of the window is multiplied: `whole`, so many elements at once; else in a loop over stretches: of blocks of four (of few
 * channels: of a pixel's), if there are any, and what is left over.
 */
function stretchOf({ few, run, runs, inputs }: ConvShape): { whole?: number; loops: boolean; rest: number } {
  if (few) return { whole: few.isRow ? few.pixels * inputs : undefined, loops: true, rest: 0 };
  if (run <= mostStraight) return { whole: runs === 1 ? run : undefined, loops: false, rest: run };
  return { loops: true, rest: run % 4 };
}

/** What the code of a convolution depends on besides its panels. */
export function convVariant(spec: ConvSpec, buffers: StepBuffers, mode: CodeMode): string {
  const { activation, residual, outputs } = spec;
  const shape = convShape(spec);
  const { few, dots, inputs } = shape;
  const { whole, loops, rest } = stretchOf(shape);
  const blocks = rest > 0 && `${loops ? "rest" : "only"} ${rest}`;
  const stretch = few ? `${few.isRow ? "row" : "pixel"} ${few.pixels}x${inputs}` : whole ? `all ${whole}` : blocks;
  return [
    ...[
      "conv f32",
      tileOf(spec, buffers, mode),
      dots ? `dots ${outputs}x${dotUnroll(shape)}` : stretch,
      activationName(activation),
    ],
    ...[residual && "add", mode.relaxed && "relaxed", mode.wide && "wide"],
  ]
    .filter(Boolean)
    .join(" ");
}

/** The panels that a convolution has: a wide engine sums 16 outputs at once, others 8; what is left over, 8 or 4. */
function panelsOf(spec: ConvSpec, variant: string, { wide }: CodeMode): { whole?: Panel; tail?: Panel } {
  const { panels, tail } = convShape(spec);
  const panel = (vectors: number, side: number): Panel => ({ name: `${variant} ${vectors}x${side}`, vectors, side });
  return {
    ...(panels > 0 && { whole: panel(wide ? 4 : 2, panelOutputs) }),
    ...(tail > 0 && { tail: panel(tail / 4, tail) }),
  };
}

export function emitConv(
  module: ModuleBuilder,
  name: string,
  spec: ConvSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const { whole, tail } = panelsOf(spec, convVariant(spec, buffers, mode), mode);
  const tile = tileOf(spec, buffers, mode);
  const emit = convShape(spec).dots ? emitDots : emitPanel;
  for (const panel of [whole, tail]) {
    if (panel && !module.has(panel.name)) emit(module, panel, spec, tile, mode);
  }
  emitStrip(module, name, spec, tile, { whole, tail });
}

/** The pointers of the strip's pixels, then panel after panel. */
function emitStrip(
  module: ModuleBuilder,
  name: string,
  spec: ConvSpec,
  tile: number,
  { whole, tail }: { whole?: Panel; tail?: Panel },
): void {
  const pointers = listFor(module, tile, spec.size[0] === 1);
  defineKernel(module, name, (f, { rows, params, scratch: list, target, sources: [source, constants, third] }) => {
    const p = convWords.reader(params);
    const added = spec.residual ? third : undefined;
    const { tiles, weights, group, inOffset, outOffset, panel } = f.locals(
      "i32",
      ...(["tiles", "weights", "group", "inOffset", "outOffset", "panel"] as const),
    );
    const sums = (panel: Panel | undefined): Code[] => {
      if (!panel) return [];
      const { name, vectors, side } = panel;
      const call = (first: number): Code =>
        module.call(
          name,
          ...[get(list), get(tiles), get(params)],
          sum(get(weights), i32(first * 4)),
          ...[get(inOffset), sum(get(outOffset), i32(first * 4))],
        );
      return Array.from({ length: side / 4 / vectors }, (_, i) => call(i * vectors * 4));
    };
    const products = [
      set(tiles, pointers({ rows, params, source, list, target, added })),
      set(weights, load("i32.load", get(constants))),
      set(group, p("groups")),
      doWhile(
        get(group),
        ...(whole
          ? [
              set(panel, p("panels")),
              whileLoop(
                get(panel),
                ...sums(whole),
                bump(weights, p("panelBytes")),
                bump(outOffset, panelOutputs * 4),
                bump(panel, -1),
              ),
            ]
          : []),
        // A part of the outputs may end before the tail.
        ...(tail ? [when(p("tailBytes"), ...sums(tail)), bump(weights, p("tailBytes"))] : []),
        bump(inOffset, p("groupIn")),
        set(outOffset, sum(get(outOffset), p("groupOut"), op("i32.mul", p("panels"), i32(-panelOutputs * 4)))),
        bump(group, -1),
      ),
    ];
    f.emit(
      ...(dotBytes(spec) > 0 ? [bump(list, dotBytes(spec))] : []),
      // With no rows, everything is called once: so it is compiled.
      when(op("i32.eqz", get(rows)), ...sums(whole), ...sums(tail), [0x0f]),
      ...(spec.packed === "rows" ? eachRow(f, rows, products) : products),
    );
    /** Weights of their own for each row. */
    function eachRow(f: FunctionBuilder, rows: Local, products: Code[]): Code[] {
      const left = f.local("i32");
      return [
        set(left, get(rows)),
        set(rows, i32(1)),
        doWhile(
          get(left),
          ...[inOffset, outOffset].map((local) => set(local, i32(0))),
          ...products,
          ...[bump(source, p("rowStep")), bump(target, p("targetStep")), bump(constants, p("targetStep"))],
          ...(added ? [bump(added, 4)] : []),
          bump(left, -1),
        ),
      ];
    }
  });
}

/** (list, tiles, params, weights, offset of the inputs, offset of the outputs) */
function emitPanel(
  module: ModuleBuilder,
  { name, vectors, side }: Panel,
  spec: ConvSpec,
  tile: number,
  mode: CodeMode,
): void {
  const { residual, activation } = spec;
  module.define(name, Array(6).fill("i32"), (f) => {
    const [list, tiles, params, weights, inOffset, outOffset] = f.params as [Local, Local, Local, Local, Local, Local];
    const p = convWords.reader(params);
    const pointers = f.array("i32", tile);
    const { b, end, ky, run } = f.locals("i32", "b", "end", "ky", "run");
    const sums = Array.from({ length: tile }, () => f.array("v128", vectors));
    const [right, spares] = [f.array("v128", vectors), f.array("v128", 2 * vectors * tile)];
    const leftSide = f.local("v128");
    const shape = convShape(spec);
    const { few, inputs } = shape;
    const { whole, loops, rest } = stretchOf(shape);
    const setPointers = (offset: Local): Code[] =>
      pointers.map((x, i) => set(x, sum(load("i32.load", get(list), i * 4), get(offset))));
    /** Products by the u-th weights from b on, of the elements that stand so many bytes after the pointers. */
    const element = (u: number, bytes: number): Code[] => [
      ...right.map((x, v) => set(x, load("v128.load", get(b), (u * side + v * 4) * 4))),
      ...pointers.flatMap((pointer, i) => [
        set(leftSide, load("v128.load32_splat", get(pointer), bytes)),
        ...sums[i]!.map((x, v) => set(x, multiplyAdd("f32", mode, get(leftSide), get(right[v]!), get(x)))),
      ]),
    ];
    const unroll = few ? few.pixels * inputs : 4;
    const bytesOf = (u: number): number => (few ? Math.floor(u / inputs) * 16 + (u % inputs) * 4 : u * 4);
    const elements = (count: number): Code[] => [
      ...Array.from({ length: count }, (_, u) => element(u, bytesOf(u))).flat(),
      bump(b, count * side * 4),
    ];
    const blocks = [
      set(end, sum(get(pointers[0]!), p("runBytes"))),
      doWhile(
        op("i32.lt_u", get(pointers[0]!), get(end)),
        ...elements(unroll),
        ...pointers.map((x) => bump(x, few ? few.pixels * 16 : unroll * 4)),
      ),
    ];
    const row = whole
      ? elements(whole)
      : [
          set(run, p("runs")),
          doWhile(
            get(run),
            ...(loops ? blocks : []),
            ...(rest > 0 ? elements(rest) : []),
            ...pointers.map((x) => bump(x, p("runBump"))),
            bump(run, -1),
          ),
        ];
    // The +16 store first, as the joining pass of V8 wants it.
    const storeAll = pointers.flatMap((pointer, i) =>
      sums[i]!.map((x, v) => store("v128.store", get(pointer), get(x), v * 16)).reverse(),
    );
    const add = pointers.flatMap((pointer, i) =>
      sums[i]!.map((x, v) => set(x, op("f32x4.add", get(x), load("v128.load", get(pointer), v * 16)))),
    );
    f.emit(
      whileLoop(
        get(tiles),
        ...sums.flatMap((row) => row.map((x, v) => set(x, load("v128.load", get(weights), v * 16)))),
        set(b, sum(get(weights), i32(side * 4))),
        set(ky, p("kh")),
        doWhile(get(ky), ...setPointers(inOffset), ...row, bump(list, tile * 4), bump(ky, -1)),
        ...(residual ? [bump(list, tile * 4), ...setPointers(outOffset), ...add, bump(list, -tile * 4)] : []),
        ...activateLanes(activation, sums.flat(), spares, { ...mode, numbers: numbersAfter(params, convWords.bytes) }),
        ...setPointers(outOffset),
        ...storeAll,
        bump(list, tile * 4 * (residual ? 2 : 1)),
        bump(tiles, -1),
      ),
    );
  });
}
