// The winograd family: what comes before and after the products of a 3 × 3 convolution in tiles of 2 × 2 outputs, which then
// takes 16 multiplications where 36 would be (Winograd; Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016). A tile becomes a pixel of 16 groups of channels, and the products are a pointwise layer in 16 groups.
import type { WinogradSpec } from "../../plan/types.ts";
import { activate, activationName } from "../activation.ts";
import { type Kernel, type LayerWeights, pixelsOf, type Rows, weightSteps } from "../kernel.ts";
import { emitWinograd, winogradParams } from "./wasm.ts";

/** Of four inputs in a line: what is multiplied. */
const before = ([a, b, c, d]: number[]): number[] => [a! - c!, b! + c!, c! - b!, b! - d!];
/** Of four products in a line: two outputs. */
const after = ([a, b, c, d]: number[]): number[] => [a! + b! + c!, b! - c! - d!];
const range = (count: number): number[] => [...Array(count).keys()];

/** Along both axes of a matrix. */
function both(line: (values: number[]) => number[], matrix: number[][]): number[][] {
  const rows = matrix.map(line);
  const columns = rows[0]!.map((_, j) => line(rows.map((row) => row[j]!)));
  return columns[0]!.map((_, i) => columns.map((column) => column[i]!));
}

function reference(spec: WinogradSpec, [input, added]: Rows[], write: Rows, rows: number): void {
  const { channels } = input!.spec;
  const { left = 0 } = write.spec;
  const pixels = pixelsOf(write.spec);
  for (let y = 0; y < rows; y++) {
    if (spec.part === "input") {
      const start = (input!.spec.left ?? 0) - spec.pads[1];
      for (let x = 0; x < pixels; x++)
        for (let c = 0; c < channels; c++) {
          const at = (i: number, j: number): number => input!.row(2 * y + i)[(start + 2 * x + j) * channels + c]!;
          const tile = both(
            before,
            range(4).map((i) => range(4).map((j) => at(i, j))),
          );
          for (const [i, value] of tile.flat().entries()) write.row(y)[(x * 16 + i) * channels + c] = value;
        }
      continue;
    }
    const outputs = channels / 16;
    for (let x = 0; x < pixels / 2; x++)
      for (let c = 0; c < outputs; c++) {
        const at = (i: number, j: number): number => input!.row(y)[(x * 16 + i * 4 + j) * outputs + c]!;
        const tile = both(
          after,
          range(4).map((i) => range(4).map((j) => at(i, j))),
        );
        for (const i of range(2))
          for (const j of range(2)) {
            const more = spec.residual
              ? added!.row(2 * y + i)[((added!.spec.left ?? 0) + 2 * x + j) * added!.spec.channels + c]!
              : 0;
            const out = (left + 2 * x + j) * write.spec.channels + c;
            write.row(2 * y + i)[out] = activate(spec.activation, tile[i]![j]! + more);
          }
      }
  }
}

/** Weights [3, 3, inputs, outputs] of a convolution as those of 16 groups; the bias reaches all outputs of a tile by group 5. */
export function transformWeights(
  given: LayerWeights,
  [inputs, stored]: readonly [inputs: number, stored: number],
  [outputs, padded]: readonly [outputs: number, padded: number],
): LayerWeights {
  const { weight, bias } = given;
  const { tap, input, output } = weightSteps(given, 9, inputs, outputs);
  const result = new Float32Array(stored * 16 * padded);
  const between = new Float64Array(12);
  for (let c = 0; c < inputs; c++) {
    for (let o = 0; o < outputs; o++) {
      // Three taps in a line become four factors: along x, then along y.
      for (let i = 0; i < 3; i++) {
        const at = i * 3 * tap + c * input + o * output;
        const first = weight[at]!;
        const second = weight[at + tap]!;
        const third = weight[at + 2 * tap]!;
        between[i * 4] = first;
        between[i * 4 + 1] = (first + second + third) / 2;
        between[i * 4 + 2] = (first - second + third) / 2;
        between[i * 4 + 3] = third;
      }
      for (let j = 0; j < 4; j++) {
        const at = (c * 16 + j) * padded + o;
        const first = between[j]!;
        const second = between[4 + j]!;
        const third = between[8 + j]!;
        result[at] = first;
        result[at + 4 * padded] = (first + second + third) / 2;
        result[at + 8 * padded] = (first - second + third) / 2;
        result[at + 12 * padded] = third;
      }
    }
  }
  const biases = new Float32Array(16 * padded);
  for (let o = 0; o < outputs; o++) biases[5 * padded + o] = bias?.[o] ?? 0;
  return { weight: result, bias: biases };
}

export const winograd: Kernel<WinogradSpec> = {
  family: "winograd",
  describe: ({ part }) => (part === "input" ? "4 x 4 -> 16 groups" : "16 groups -> 2 x 2"),
  reference,
  entry: ({ part, activation, residual }, _buffers, { wide }) =>
    ["winograd", part, activationName(activation), residual && "add", wide && "wide"].filter(Boolean).join(" "),
  emit: (module, name, spec, _buffers, mode) => emitWinograd(module, name, spec, mode),
  work: ({ part }, { reads, write }) => {
    // Sums along both axes, of 16 values a tile.
    const tiles = part === "input" ? write.width * reads[0]!.channels : (pixelsOf(write) / 2) * write.channels;
    return { arithmetic: "depthwise", multiplications: 0, additions: tiles * 24, serialAdditions: 0 };
  },
  params: winogradParams,
  overrun: { elements: 0, rows: 0 },
};
