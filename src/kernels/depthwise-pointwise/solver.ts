// Proposes a depthwise separable layer: fused, so that the depthwise rows of a strip are mixed while they are in cache,
// and as two stages.
import type { SeparableProblem, Solver } from "../../plan/types.ts";
import { arena, convSpec, convWeight, depthwiseSpec, depthwiseWeight, draftOf, sidesOf, stripOf } from "../layer.ts";

export const depthwisePointwise: Solver<SeparableProblem> = {
  name: "depthwise-pointwise",
  kind: "separable",
  propose(problem, profile) {
    const { window, depthMultiplier: members, middle, activation, residual = false } = problem;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
    const first = depthwiseSpec(inputs, members, window, middle);
    const second = convSpec({ inputs: inputs * members, outputs, members, residual, activation });
    const between = { ...y, channels: x.channels * members };
    const depthwise = { name: "depthwise", kernel: first, reads: ["x", "depthwise"], writes: "middle" };
    const pointwise = { name: "pointwise", kernel: second, reads: ["middle", "pointwise"], writes: "y" };
    if (residual) pointwise.reads.push("added");
    const buffers = [
      arena("x", x),
      depthwiseWeight("depthwise", first),
      convWeight("pointwise", second),
      ...(residual ? [arena("added", y)] : []),
      arena("y", y),
    ];
    return [
      draftOf(
        profile,
        "depthwise, then pointwise, strip by strip",
        [...buffers, stripOf("middle", between)],
        [[depthwise, pointwise]],
        { variant: "fused" },
      ),
      draftOf(
        profile,
        "depthwise, then pointwise, one after the other",
        [...buffers, arena("middle", between)],
        [[depthwise], [pointwise]],
        { variant: "apart" },
      ),
    ];
  },
};
