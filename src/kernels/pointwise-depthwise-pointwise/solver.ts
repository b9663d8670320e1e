// Proposes an inverted residual, which the CP form of a convolution is too: fused, so that what is expanded never leaves
// the cache, and as stages.
import type { InvertedProblem, Solver } from "../../plan/types.ts";
import { arena, convSpec, convWeight, depthwiseSpec, depthwiseWeight, draftOf, sidesOf, stripOf } from "../layer.ts";

export const pointwiseDepthwisePointwise: Solver<InvertedProblem> = {
  name: "pointwise-depthwise-pointwise",
  kind: "inverted",
  propose(problem, profile) {
    const { window, middleChannels, added } = problem;
    const residual = problem.residual || added;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
    const expand = convSpec({ inputs, outputs: middleChannels, activation: problem.expand });
    const depthwise = depthwiseSpec(middleChannels, 1, window, problem.middle);
    const project = convSpec({ inputs: middleChannels, outputs, residual, activation: problem.activation });
    const steps = [
      { name: "expand", kernel: expand, reads: ["x", "expand"], writes: "expanded" },
      { name: "depthwise", kernel: depthwise, reads: ["expanded", "depthwise"], writes: "filtered" },
      {
        name: "project",
        kernel: project,
        reads: ["filtered", "project", ...(residual ? [added ? "added" : "x"] : [])],
        writes: "y",
      },
    ];
    const { channels } = sidesOf([1, 1, 1, middleChannels]);
    const [expanded, filtered] = [
      { ...x, channels },
      { ...y, channels },
    ];
    const buffers = [
      arena("x", x),
      convWeight("expand", expand),
      depthwiseWeight("depthwise", depthwise),
      convWeight("project", project),
      arena("y", y),
      ...(added ? [arena("added", y)] : []),
    ];
    return [
      draftOf(
        profile,
        "expand, filter and project, strip by strip",
        [...buffers, stripOf("expanded", expanded), stripOf("filtered", filtered)],
        [steps],
        { variant: "fused" },
      ),
      draftOf(
        profile,
        "expand, then filter and project, strip by strip",
        [...buffers, arena("expanded", expanded), stripOf("filtered", filtered)],
        [steps.slice(0, 1), steps.slice(1)],
        { variant: "half fused" },
      ),
      draftOf(
        profile,
        "expand, filter, project, one after the other",
        [...buffers, arena("expanded", expanded), arena("filtered", filtered)],
        steps.map((step) => [step]),
        { variant: "apart" },
      ),
    ];
  },
};
