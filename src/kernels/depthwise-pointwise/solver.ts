// Proposes a depthwise separable layer as one stage: the depthwise rows of a strip are mixed while they are in cache.
import { grainFor } from "../../plan/cost.ts";
import type { BufferSpec, SeparableProblem, Solver } from "../../plan/types.ts";

export const depthwisePointwise: Solver<SeparableProblem> = {
  name: "depthwise-pointwise",
  kind: "separable",
  propose(problem, profile) {
    const { x, y, window, depthMultiplier, middle, activation } = problem;
    const [images, , width, inputs] = x.shape as [number, number, number, number];
    const [, extent, outWidth, outputs] = y.shape as [number, number, number, number];
    const [top, left, , right] = window.pads;
    const below = (window.size[0] - 1) * window.dilations[0] - top;
    const plain = { dtype: "f32", stride: 1, above: 0, below: 0 } as const;
    const buffers: BufferSpec[] = [
      {
        ...{ id: "x", scope: "input", dtype: "f32", width: left + width + right, channels: inputs },
        ...{ stride: window.strides[0], above: top, below, left, right },
      },
      {
        ...plain,
        id: "depthwise",
        scope: "constant",
        width: window.size[0] * window.size[1] + 1,
        channels: inputs * depthMultiplier,
      },
      {
        ...plain,
        id: "pointwise",
        scope: "constant",
        width: inputs * depthMultiplier + 1,
        channels: Math.ceil(outputs / 4) * 4,
      },
      { ...plain, id: "middle", scope: "strip", width: outWidth, channels: inputs * depthMultiplier },
      { ...plain, id: "y", scope: "output", width: outWidth, channels: outputs },
    ];
    const { size, strides, dilations } = window;
    const steps = [
      {
        name: "depthwise",
        kernel: { family: "depthwise", size, strides, dilations, depthMultiplier, activation: middle } as const,
        reads: ["x", "depthwise"],
        writes: "middle",
      },
      {
        name: "pointwise",
        kernel: { family: "pointwise", activation } as const,
        reads: ["middle", "pointwise"],
        writes: "y",
      },
    ];
    const grid = { images, extent, grain: grainFor(buffers, extent, profile, 1) };
    return [
      {
        summary: "depthwise, then pointwise, strip by strip",
        stages: [{ grid, steps }],
        buffers,
        error: { relative: 0, maxAbs: 0 },
      },
    ];
  },
};
