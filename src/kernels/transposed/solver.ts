// Proposes a transposed convolution as a few small ones: outputs that are a stride apart see the same taps, so that each of
// these phases is a convolution of the input whose results are written a stride apart.
import type { ConvSpec, DepthwiseSpec, Solver, TransposedProblem } from "../../plan/types.ts";
import { paddedChannels } from "../conv/layout.ts";
import { derived, type LayerWeights, sourcesOf } from "../kernel.ts";
import { arena, convSpec, convWeight, depthwiseWeight, draftOf, outputChannels, sidesOf } from "../layer.ts";

/** One phase along one axis: tap t of its window is tap `first + (count − 1 − t) · step` of the weight. */
export interface Phase {
  start: number;
  first: number;
  step: number;
  count: number;
  /** As of a window: the first output sees the input that so many places before the first. */
  pad: number;
  dilation: number;
  outputs: number;
}

const divisor = (a: number, b: number): number => (b === 0 ? a : divisor(b, a % b));

/** Output o takes tap k of input i where o + pad = i · stride + k · dilation. */
export function phasesOf(size: number, stride: number, dilation: number, pad: number, outputs: number): Phase[] {
  const step = stride / divisor(stride, dilation);
  const apart = (step * dilation) / stride;
  return Array.from({ length: Math.min(stride, outputs) }, (_, start) => {
    const found = Array.from({ length: step }, (_, k) => k).find((k) => (start + pad - k * dilation) % stride === 0);
    const [first, count] = found === undefined ? [0, 0] : [found, Math.max(0, Math.ceil((size - found) / step))];
    const ahead = (start + pad - first * dilation) / stride;
    const window = { pad: (count - 1) * apart - ahead, dilation: apart };
    return { start, first, step, count, ...window, outputs: Math.ceil((outputs - start) / stride) };
  });
}

/** One small convolution: its phases along rows and columns, and the name of its weights. */
export interface TransposedPhase {
  row: Phase;
  column: Phase;
  kernel: ConvSpec | DepthwiseSpec;
  id: string;
}

/** A window on the row of zeros above the input. */
const unseen = {
  ...{ size: [1, 1] as [number, number], dilations: [1, 1] as [number, number] },
  ...{ strides: [0, 0] as [number, number], pads: [1, 0] as [number, number] },
};

/** Stored channels of what the small convolutions write. */
export const storedOutputs = ({ kernel }: TransposedPhase): number =>
  kernel.family === "conv" ? outputChannels(kernel) : paddedChannels(kernel.channels);

/** The small convolutions of a transposed one. */
export function transposedPhasesOf({ window, x, y, activation, groups = 1 }: TransposedProblem): TransposedPhase[] {
  const { size, strides, dilations, pads } = window;
  const [inputs, outputs] = [x.shape[3]!, y.shape[3]!];
  const [rows, columns] = ([0, 1] as const).map((axis) =>
    phasesOf(size[axis], strides[axis], dilations[axis], pads[axis], y.shape[axis + 1]!),
  ) as [Phase[], Phase[]];
  return rows.flatMap((row) =>
    columns.map((column): TransposedPhase => {
      const isEmpty = row.count * column.count === 0;
      const isDepthwise = groups > 1 && groups === inputs && groups === outputs;
      const window = {
        ...{ strides: [1, 1] as [number, number], rowsOut: strides[0], rowStart: row.start },
        phase: { step: strides[1], start: column.start, count: column.outputs },
        size: [row.count, column.count] as [number, number],
        dilations: [row.dilation, column.dilation] as [number, number],
        pads: [row.pad, column.pad] as [number, number],
        // What sees no input sees the zeros above it, wherever it stands.
        ...(isEmpty && unseen),
      };
      const kernel: TransposedPhase["kernel"] = isDepthwise
        ? { family: "depthwise", ...window, channels: inputs, depthMultiplier: 1, activation }
        : convSpec({ inputs, outputs, groups, activation, ...window });
      return { row, column, kernel, id: `weight ${row.start} ${column.start}` };
    }),
  );
}

/** The weights of all phases, from [kh, kw, inputs, outputs / groups]. */
export function transposedWeights(problem: TransposedProblem, whole: LayerWeights): Map<string, LayerWeights> {
  const { groups = 1 } = problem;
  const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
  const [each, own] = [inputs / groups, outputs / groups];
  const kw = problem.window.size[1];
  const partOf = ({ row, column, kernel }: TransposedPhase): LayerWeights => {
    const { weight, bias } = whole;
    const part = new Float32Array(kernel.size[0] * kernel.size[1] * each * outputs);
    for (let i = 0; i < row.count; i++)
      for (let j = 0; j < column.count; j++) {
        const y = row.first + (row.count - 1 - i) * row.step;
        const x = column.first + (column.count - 1 - j) * column.step;
        for (let c = 0; c < inputs; c++) {
          const from = ((y * kw + x) * inputs + c) * own;
          const [group, input] = [Math.floor(c / each), c % each];
          const to = ((i * column.count + j) * each + input) * outputs + group * own;
          for (let o = 0; o < own; o++) part[to + o] = weight[from + o]!;
        }
      }
    return { weight: part, bias };
  };
  return new Map(
    transposedPhasesOf(problem).map((phase) => {
      const { row, column, kernel, id } = phase;
      const taps = [row, column].map(({ first, step, count }) => [first, step, count]);
      const key = JSON.stringify([taps, kernel.size, kw, inputs, outputs, groups]);
      return [id, derived([key, ...sourcesOf(whole)], () => partOf(phase))];
    }),
  );
}

export const transposedPhases: Solver<TransposedProblem> = {
  name: "transposed-phases",
  kind: "transposed",
  propose(problem, profile) {
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const phases = transposedPhasesOf(problem);
    const buffers = [
      arena("x", x),
      ...phases.map(({ id, kernel }) =>
        kernel.family === "conv" ? convWeight(id, kernel) : depthwiseWeight(id, kernel),
      ),
      arena("y", { ...y, channels: storedOutputs(phases[0]!) }),
    ];
    // Phases of one row of inputs may have one row of outputs more than others: each is a stage of its own.
    const draft = draftOf(
      profile,
      `${phases.length} small convolutions, each every stride`,
      buffers,
      phases.map(({ kernel, id }) => [{ name: "phase", kernel, reads: ["x", id], writes: "y" }]),
    );
    draft.stages.forEach((stage, i) => {
      stage.grid.extent = phases[i]!.row.outputs;
      stage.grid.grain = Math.min(stage.grid.grain, stage.grid.extent);
    });
    return [draft];
  },
};
