// Proposes a convolution as one matrix product over gathered pixels; nothing is copied to make patches.
import type { ConvProblem, Solver } from "../../plan/types.ts";
import { arena, convSpec, convWeight, draftOf, outputChannels, sidesOf, windowOf } from "../layer.ts";

export const matrixProduct: Solver<ConvProblem> = {
  name: "matrix-product",
  kind: "conv",
  propose(problem, profile) {
    const { window, groups, activation, residual = false } = problem;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
    const kernel = convSpec({ ...windowOf(window), groups, inputs, outputs, activation, residual });
    const buffers = [
      arena("x", x),
      convWeight("weight", kernel),
      ...(residual ? [arena("added", y)] : []),
      arena("y", { ...y, channels: outputChannels(kernel) }),
    ];
    const step = { name: "convolution", kernel, reads: ["x", "weight", ...(residual ? ["added"] : [])], writes: "y" };
    return [draftOf(profile, "a matrix product over gathered pixels", buffers, [[step]])];
  },
};
