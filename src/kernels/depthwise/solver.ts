// Proposes a depthwise layer as it is defined, every channel under filters of its own; and where all of them are a column
// times a row, as a column pass and a row pass.
import type { DepthwiseProblem, Solver, Window } from "../../plan/types.ts";
import { arena, depthwiseSpec, depthwiseWeight, draftOf, sidesOf, stripOf } from "../layer.ts";

export const depthwiseLayer: Solver<DepthwiseProblem> = {
  name: "depthwise",
  kind: "depthwise",
  propose(problem, profile) {
    const { window, depthMultiplier, activation } = problem;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const kernel = depthwiseSpec(problem.x.shape[3]!, depthMultiplier, window, activation);
    const buffers = [
      arena("x", x),
      depthwiseWeight("weight", kernel),
      arena("y", { ...y, channels: x.channels * depthMultiplier }),
    ];
    const step = { name: "depthwise", kernel, reads: ["x", "weight"], writes: "y" };
    return [draftOf(profile, "each channel under its own filters", buffers, [[step]])];
  },
};

export const depthwiseColumnRow: Solver<DepthwiseProblem> = {
  name: "depthwise-column-row",
  kind: "depthwise",
  propose(problem, profile) {
    if (!problem.spatiallySeparable) return { why: "some filter is no column times a row" };
    const { window, activation } = problem;
    const { size, strides, dilations, pads } = window;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const between = { ...x, height: y.height };
    const along = (axis: 0 | 1): Window => ({
      ...window,
      size: axis === 0 ? [size[0], 1] : [1, size[1]],
      strides: axis === 0 ? [strides[0], 1] : [1, strides[1]],
      dilations: axis === 0 ? [dilations[0], 1] : [1, dilations[1]],
      pads: axis === 0 ? [pads[0], 0, pads[2], 0] : [0, pads[1], 0, pads[3]],
    });
    const channels = problem.x.shape[3]!;
    const column = depthwiseSpec(channels, 1, along(0), "none");
    const row = depthwiseSpec(channels, 1, along(1), activation);
    const buffers = [
      arena("x", x),
      depthwiseWeight("column", column),
      stripOf("middle", between),
      depthwiseWeight("row", row),
      arena("y", y),
    ];
    const steps = [
      { name: "column pass", kernel: column, reads: ["x", "column"], writes: "middle" },
      { name: "row pass", kernel: row, reads: ["middle", "row"], writes: "y" },
    ];
    return [draftOf(profile, "a column pass and a row pass, strip by strip", buffers, [steps])];
  },
};
