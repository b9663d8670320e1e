// What a kernel's WGSL is: one or a few dispatches over all rows that a step makes. On a GPU values are whole, [images, rows, pixels,
// channels] without margins; windows look whether they are inside.
import type { WgslModule, WgslType } from "../codegen/wgsl.ts";
import type { BufferSpec, KernelSpec, Stage } from "../plan/types.ts";
import type { ViewDType } from "../tensor.ts";
import type { StepBuffers } from "./kernel.ts";

/** An operand as it lies in the GPU's memory. */
export interface Operand {
  spec: BufferSpec;
  images: number;
  /** Rows of each image. */
  rows: number;
  /** Pixels of a row. */
  pixels: number;
  channels: number;
}

/** A step over its whole grid. */
export interface WholeStep {
  reads: readonly Operand[];
  write: Operand;
  /** Of the grid. */
  images: number;
  /** Rows of the grid that the step goes through, of each image. */
  turns: number;
  /** The most bytes of memory that a workgroup may share. */
  sharedBytes: number;
}

/** A dispatch: arrays by the names x0, x1, x2 (what is read), y (what is written) and t (a table of words). */
export interface Dispatch {
  module: Omit<WgslModule, "arrays" | "words">;
  /** Types of the arrays that the shader names; others are not bound. */
  arrays: Readonly<Record<string, WgslType>>;
  /** By name, in the order of the uniform block. */
  words: Readonly<Record<string, number>>;
  /** The invocations that are wanted. */
  units: number;
  /** The table. */
  table?: Int32Array;
}

export interface Shader<S extends KernelSpec = KernelSpec> {
  /** Why there is no WGSL for such a step; undefined where there is. */
  missing?(spec: S, buffers: StepBuffers): string | undefined;
  dispatches(spec: S, step: WholeStep): Dispatch[];
}

/** How elements of a type lie on the GPU, one a word; undefined where they do not. */
export function wordType(dtype: ViewDType): "f32" | "i32" | undefined {
  if (dtype === "f32") return "f32";
  return dtype === "u8" || dtype === "u16" || dtype === "i16" || dtype === "i32" ? "i32" : undefined;
}

/** Elements of one row. */
export const rowOf = ({ pixels, channels }: Operand): number => pixels * channels;
export const elementsOf = (operand: Operand): number => operand.images * operand.rows * rowOf(operand);

/** The operand of a buffer. */
export function operandOf(spec: BufferSpec, stage: Stage): Operand {
  const { left = 0, right = 0, channels, width, scope } = spec;
  if (scope === "constant") return { spec, images: 1, rows: 1, pixels: width, channels };
  // Rows of filters go on beyond their ends, which are stored with them.
  if (spec.height === undefined)
    return { spec, images: 1, rows: filterRows(spec, stage.grid.extent), pixels: width, channels };
  return { spec, images: spec.images ?? 1, rows: spec.height, pixels: width - left - right, channels };
}

/** Rows that a filter's buffer has for so many rows of the grid. */
const filterRows = ({ stride, above, below }: BufferSpec, extent: number): number =>
  (extent - 1) * stride + above + below + 1;

/** Statements that take a number apart: from the innermost count to the outermost, whose name takes what is left. */
export function partsOf(from: string, ...parts: readonly (readonly [name: string, count?: string])[]): string {
  let rest = from;
  return parts
    .map(([name, count], i) => {
      if (count === undefined) return `  let ${name} = ${rest};`;
      const next = `rest${i}`;
      const lines = `  let ${name} = ${rest} % ${count};\n  let ${next} = ${rest} / ${count};`;
      rest = next;
      return lines;
    })
    .join("\n");
}
