// Proposes a 3 × 3 convolution by Winograd's algorithm, strip by strip: fewer multiplications for some additions. The rounding
// error is no larger, since each sum has a ninth of the products (scripts/winograd-error.ts).
import type { BufferSpec, ConvProblem, Solver, WinogradSpec } from "../../plan/types.ts";
import { arena, convSpec, convWeight, draftOf, sidesOf, stripOf, windowOf } from "../layer.ts";

export const winogradTiles: Solver<ConvProblem> = {
  name: "winograd",
  kind: "conv",
  propose(problem, profile) {
    const { window, groups, activation, residual = false } = problem;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const is = (pair: readonly number[], value: number): boolean => pair.every((side) => side === value);
    if (problem.exact) return { why: "its transforms would round sums that must be exact" };
    if (!is(window.size, 3) || !is(window.strides, 1) || !is(window.dilations, 1) || groups > 1) {
      return { why: "it is for 3 x 3 windows at every pixel, without dilations or groups" };
    }
    const even = { ...y, height: y.height + (y.height % 2), width: y.width + (y.width % 2) };
    const odd = even.height * even.width > y.height * y.width;
    if (odd && (problem.shared || residual)) return { why: "the result has an odd side, and stands where others read" };
    if (x.channels < 8 || y.channels < 8) return { why: "there are fewer than 5 channels" };
    const [rows, columns] = [even.height / 2, even.width / 2];
    const tiles = (id: string, channels: number): BufferSpec =>
      stripOf(id, { images: y.images, height: rows, width: columns, channels: 16 * channels });
    const base = { family: "winograd", ...windowOf(window), residual: false } as const;
    const input: WinogradSpec = { ...base, part: "input", size: [4, 4], strides: [2, 2], activation: "none" };
    const output: WinogradSpec = {
      ...base,
      part: "output",
      size: [1, 1],
      pads: [0, 0],
      activation,
      residual,
      rowsOut: 2,
      columnsOut: 2,
    };
    const winograd = { inputs: problem.x.shape[3]!, outputs: problem.y.shape[3]! };
    const product = convSpec({
      ...{ inputs: 16 * x.channels, outputs: 16 * y.channels, groups: 16, activation: "none", winograd },
    });
    const buffers = [
      arena("x", x),
      tiles("tiles", x.channels),
      convWeight("weight", product),
      tiles("products", y.channels),
      ...(residual ? [arena("added", y)] : []),
      arena("y", even),
    ];
    const steps = [
      { name: "transform", kernel: input, reads: ["x"], writes: "tiles" },
      { name: "products", kernel: product, reads: ["tiles", "weight"], writes: "products" },
      { name: "back", kernel: output, reads: ["products", ...(residual ? ["added"] : [])], writes: "y" },
    ];
    return [
      draftOf(profile, "Winograd's algorithm on tiles of 2 x 2, strip by strip", buffers, [steps], { extent: rows }),
    ];
  },
};
