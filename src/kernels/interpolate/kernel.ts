// The interpolate family: from a coarse grid back to every pixel, along straight lines. Along rows a strip keeps f32 and
// as many rows as it had; along columns each row becomes `factor` rows, finished.
import type { InterpolateSpec } from "../../plan/types.ts";
import { type CodeMode, type Kernel, type Rows, rowElements, type StepBuffers } from "../kernel.ts";
import { finishKind, tapsBlock, tapsParams } from "../taps/layout.ts";
import { finishValue } from "../taps/reference.ts";
import { emitColumns, emitRows, extraRows } from "./wasm.ts";

function reference({ axis, factor, finish }: InterpolateSpec, [input]: Rows[], write: Rows, rows: number): void {
  const n = rowElements(write.spec);
  const { channels, dtype } = write.spec;
  const count = axis === "row" ? rows + extraRows(write.spec) : rows * factor;
  for (let y = 0; y < count; y++) {
    const out = write.row(y);
    const [upper, lower] = axis === "row" ? [input!.row(y)] : [0, 1].map((k) => input!.row(Math.floor(y / factor) + k));
    for (let i = 0; i < n; i++) {
      const pixel = Math.floor(i / channels);
      const from = axis === "row" ? Math.floor(pixel / factor) * channels + (i % channels) : i;
      const [a, b] = axis === "row" ? [upper![from]!, upper![from + channels]!] : [upper![i]!, lower![i]!];
      const value = a + ((b - a) * ((axis === "row" ? pixel : y) % factor)) / factor;
      out[i] = finish ? finishValue(value, finish, dtype) : value;
    }
  }
}

/** The parameter block of taps, with one tap for each of the `factor` positions: its weight. */
function params({ factor, finish }: InterpolateSpec, buffers: StepBuffers): Uint8Array {
  const taps = Array.from({ length: factor }, (_, k) => ({ dy: 0, dx: 0, tap: k / factor }));
  return tapsParams({ family: "taps", taps, arithmetic: "f32", finish }, buffers);
}

export const interpolate: Kernel<InterpolateSpec> = {
  family: "interpolate",
  describe: ({ axis, factor }) => `${factor} times as many along the ${axis}`,
  reference,
  entry: ({ axis, finish, factor }, { write }, { relaxed, wide }: CodeMode) =>
    axis === "row"
      ? `interpolate row by ${factor} x${write.channels} +${extraRows(write)}`
      : `interpolate column ${write.dtype} ${finishKind(finish, "f32")}${relaxed ? " relaxed" : ""}${wide ? " wide" : ""}`,
  emit: (module, name, spec, buffers, mode) =>
    spec.axis === "row" ? emitRows(module, name, spec, buffers) : emitColumns(module, name, spec, buffers, mode),
  work: ({ axis, factor }, { write }) => {
    const multiplications = rowElements(write) * (axis === "row" ? 1 : 2 * factor);
    return {
      arithmetic: "f32",
      multiplications,
      additions: 0,
      serialAdditions: axis === "row" ? 3 * rowElements(write) : 0,
    };
  },
  params,
  overrun: { elements: tapsBlock, rows: 0 },
};
