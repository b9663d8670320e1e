// The resize family: each pixel of the result is a sum of weighted pixels of the input, the same of all rows and of all columns.
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
import type { ResizeSpec } from "../../plan/types.ts";
import { type CodeMode, defineKernel, type Kernel, pixelsOf, type Rows, type StepBuffers } from "../kernel.ts";
import { addWeighted } from "../lanes.ts";

function reference(
  { taps: [down, across], rows: ys, columns: xs }: ResizeSpec,
  [input]: Rows[],
  write: Rows,
  rows: number,
  first: number,
): void {
  const { left = 0, channels } = write.spec;
  const [x, height] = [input!.spec, write.spec.height!];
  for (let grid = first; grid < first + rows; grid++) {
    const [image, y] = [Math.floor(grid / height), grid % height];
    const out = write.row(grid);
    for (let p = 0; p < pixelsOf(write.spec); p++) {
      for (let c = 0; c < channels; c++) {
        let total = 0;
        for (let i = 0; i < down; i++) {
          const row = input!.row(image * x.height! + ys.from[y * down + i]!);
          let along = 0;
          for (let j = 0; j < across; j++)
            along += xs.weights[p * across + j]! * row[((x.left ?? 0) + xs.from[p * across + j]!) * x.channels + c]!;
          total += ys.weights[y * down + i]! * along;
        }
        out[(left + p) * channels + c] = total;
      }
    }
  }
}

// The parameter block: sizes, then entries of the table and weights for each row, offsets and weights for each column.
const at = {
  pixels: 0,
  height: 4,
  perImage: 8,
  toOffset: 12,
  pixelBytes: 16,
  columns: 20,
  toAbove: 24,
  toPerImage: 28,
  rows: 32,
};

function params({ taps: [down, across], rows, columns }: ResizeSpec, { reads: [x], write }: StepBuffers): Uint8Array {
  const bytes = new Uint8Array(at.rows + 8 * (rows.from.length + columns.from.length));
  const [words, floats] = [new Int32Array(bytes.buffer), new Float32Array(bytes.buffer)];
  const { above, height, below, left = 0, channels } = x!;
  words.set([pixelsOf(write), write.height!, above + height! + below, (write.left ?? 0) * write.channels * 4]);
  const columnsAt = at.rows + 8 * rows.from.length;
  words.set([channels * 4, columnsAt, write.above, write.above + write.height! + write.below], 4);
  const put = (start: number, taps: number, from: readonly number[], weights: readonly number[]): void => {
    // Of each result: all places, then all weights.
    for (let i = 0; i < from.length; i++) {
      const group = start / 4 + 2 * (i - (i % taps)) + (i % taps);
      words[group] = from[i]!;
      floats[group + taps] = weights[i]!;
    }
  };
  put(
    at.rows,
    down,
    rows.from.map((row) => 4 * (above + row)),
    rows.weights,
  );
  put(
    columnsAt,
    across,
    columns.from.map((pixel) => 4 * (left + pixel) * channels),
    columns.weights,
  );
  return bytes;
}

/** Vectors of channels at a time: pairs, which can be joined, where all channels are such. */
const vectorsOf = ({ write }: StepBuffers): number => (write.channels % 8 === 0 ? 2 : 1);

function emit(module: ModuleBuilder, name: string, spec: ResizeSpec, buffers: StepBuffers, mode: CodeMode): void {
  const [downTaps, acrossTaps] = spec.taps;
  const vectors = vectorsOf(buffers);
  const [downs, acrosses] = [[...Array(downTaps).keys()], [...Array(acrossTaps).keys()]];
  defineKernel(module, name, (f, { rows, params, first, sources: [table], target }) => {
    const p = (offset: number): Code => load("i32.load", get(params), offset);
    const { image, y, out, pixels, column, index, end, base } = f.locals(
      "i32",
      ...(["image", "y", "out", "pixels", "column", "index", "end", "base"] as const),
    );
    const lines = f.array("i32", downTaps);
    const [down, across] = [f.array("v128", downTaps), f.array("v128", acrossTaps)];
    const [total, along, pixel] = [f.array("v128", vectors), f.array("v128", vectors), f.array("v128", vectors)];
    // In locals: neighbours of the same address are joined.
    const { tap, to } = f.locals("i32", "tap", "to");
    const read = (row: number, j: number, locals: readonly Local[]): Code[] => [
      set(tap, sum(get(lines[row]!), sum(load("i32.load", get(column), 4 * j), get(index)))),
      ...locals.map((local, v) => set(local, load("v128.load", get(tap), 16 * v))),
    ];
    /** A row's sum; one tap has no weight but 1. */
    const row = (i: number, into: readonly Local[]): Code[] =>
      acrossTaps === 1
        ? read(i, 0, into)
        : acrosses.flatMap((j) => [...read(i, j, pixel), ...addWeighted(mode, into, pixel, across[j]!, j === 0)]);
    const value =
      downTaps === 1
        ? row(0, total)
        : downs.flatMap((i) => [...row(i, along), ...addWeighted(mode, total, along, down[i]!, i === 0)]);
    f.emit(
      whileLoop(
        get(rows),
        set(image, op("i32.div_u", get(first), p(at.height))),
        set(y, op("i32.rem_u", get(first), p(at.height))),
        set(base, sum(get(params), op("i32.mul", get(y), i32(8 * downTaps)))),
        ...downs.flatMap((i) => [
          set(
            lines[i]!,
            load(
              "i32.load",
              sum(
                sum(get(table), op("i32.shl", op("i32.mul", get(image), p(at.perImage)), i32(2))),
                load("i32.load", get(base), at.rows + 4 * i),
              ),
            ),
          ),
          set(down[i]!, load("v128.load32_splat", get(base), at.rows + 4 * (downTaps + i))),
        ]),
        set(index, sum(op("i32.mul", get(image), p(at.toPerImage)), sum(p(at.toAbove), get(y)))),
        set(out, sum(load("i32.load", sum(get(target), op("i32.shl", get(index), i32(2)))), p(at.toOffset))),
        set(column, sum(get(params), p(at.columns))),
        set(end, p(at.pixelBytes)),
        set(pixels, p(at.pixels)),
        doWhile(
          get(pixels),
          ...acrosses.map((j) => set(across[j]!, load("v128.load32_splat", get(column), 4 * (acrossTaps + j)))),
          set(index, i32(0)),
          doWhile(
            op("i32.lt_u", get(index), get(end)),
            ...value,
            set(to, sum(get(out), get(index))),
            ...total.map((local, v) => store("v128.store", get(to), get(local), 16 * v)),
            bump(index, 16 * vectors),
          ),
          bump(out, get(end)),
          bump(column, 8 * acrossTaps),
          bump(pixels, -1),
        ),
        bump(first, 1),
        bump(rows, -1),
      ),
    );
  });
}

export const resize: Kernel<ResizeSpec> = {
  family: "resize",
  describe: ({ taps }) => (taps.join() === "1,1" ? "the nearest pixel" : `${taps.join(" x ")} pixels`),
  reference,
  entry: ({ taps }, buffers, { relaxed }) =>
    `resize ${taps.join(" x ")}, ${vectorsOf(buffers)} vectors${relaxed && taps.join() !== "1,1" ? " relaxed" : ""}`,
  emit,
  work: ({ taps: [down, across] }, { write: { width, channels } }) => ({
    ...{
      arithmetic: "depthwise",
      multiplications: down * (across + 1) * width * channels,
      additions: 0,
      serialAdditions: 0,
    },
  }),
  params,
  overrun: { elements: 0, rows: 0 },
};
