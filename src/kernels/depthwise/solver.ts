// Proposes a depthwise layer as it is defined: every channel under filters of its own.
import type { DepthwiseProblem, Solver } from "../../plan/types.ts";
import { arena, depthwiseSpec, depthwiseWeight, draftOf, sidesOf } from "../layer.ts";

export const depthwiseLayer: Solver<DepthwiseProblem> = {
  name: "depthwise",
  kind: "depthwise",
  propose(problem, profile) {
    const { window, depthMultiplier, activation } = problem;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const kernel = depthwiseSpec(problem.x.shape[3]!, depthMultiplier, window, activation);
    const buffers = [
      arena("x", x, { window, y }),
      depthwiseWeight("weight", kernel),
      arena("y", { ...y, channels: x.channels * depthMultiplier }),
    ];
    const step = { name: "depthwise", kernel, reads: ["x", "weight"], writes: "y" };
    return [draftOf(profile, "each channel under its own filters", buffers, [[step]])];
  },
};
