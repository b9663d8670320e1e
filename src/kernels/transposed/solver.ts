// Proposes a transposed convolution as a few small ones: outputs that are a stride apart see the same taps, so that each of
// these phases is a convolution of the input whose results are written a stride apart.
import type { Solver, TransposedProblem } from "../../plan/types.ts";
import { derived, type LayerWeights, sourcesOf } from "../kernel.ts";
import { arena, convSpec, convWeight, draftOf, sidesOf } from "../layer.ts";

/** One phase along one axis: tap t of the window is tap `first + (count − 1 − t) · stride` of the weight. */
interface Phase {
  start: number;
  first: number;
  count: number;
  /** As of a window: the first output sees the input that so many places before the first. */
  pad: number;
  outputs: number;
}

/** Output o takes tap k of input i where o + pad = i · stride + k. */
function phasesOf(size: number, stride: number, pad: number, outputs: number): Phase[] {
  return Array.from({ length: Math.min(stride, outputs) }, (_, start) => {
    const first = (start + pad) % stride;
    const count = Math.max(0, Math.ceil((size - first) / stride));
    const ahead = Math.floor((start + pad) / stride);
    return { start, first, count, pad: count - 1 - ahead, outputs: Math.ceil((outputs - start) / stride) };
  });
}

const idOf = (y: Phase, x: Phase): string => `weight ${y.start} ${x.start}`;

function gridOf({ window: { size, strides, pads }, y }: TransposedProblem): [Phase, Phase][] {
  const [rows, columns] = [0, 1].map((axis) =>
    phasesOf(size[axis]!, strides[axis]!, pads[axis]!, y.shape[axis + 1]!),
  ) as [Phase[], Phase[]];
  return rows.flatMap((row) => columns.map((column): [Phase, Phase] => [row, column]));
}

/** The weights of all phases, from [kh, kw, inputs, outputs]. */
export function transposedWeights(problem: TransposedProblem, whole: LayerWeights): Map<string, LayerWeights> {
  const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
  const kw = problem.window.size[1];
  const [strideY, strideX] = problem.window.strides;
  const filter = inputs * outputs;
  const partOf = (row: Phase, column: Phase): LayerWeights => {
    const { weight, bias } = whole;
    const part = new Float32Array(row.count * column.count * filter);
    for (let i = 0; i < row.count; i++)
      for (let j = 0; j < column.count; j++) {
        const y = row.first + (row.count - 1 - i) * strideY;
        const x = column.first + (column.count - 1 - j) * strideX;
        for (let k = 0; k < filter; k++) part[(i * column.count + j) * filter + k] = weight[(y * kw + x) * filter + k]!;
      }
    return { weight: part, bias };
  };
  const sources = sourcesOf(whole);
  return new Map(
    gridOf(problem).map(([row, column]) => {
      const phase = JSON.stringify([row.first, row.count, column.first, column.count, problem.window]);
      return [idOf(row, column), derived([phase, ...sources], () => partOf(row, column))];
    }),
  );
}

export const transposedPhases: Solver<TransposedProblem> = {
  name: "transposed-phases",
  kind: "transposed",
  propose(problem, profile) {
    const { window, activation } = problem;
    const [x, y] = [sidesOf(problem.x.shape), sidesOf(problem.y.shape)];
    const [inputs, outputs] = [problem.x.shape[3]!, problem.y.shape[3]!];
    const grid = gridOf(problem);
    if (window.dilations.some((d) => d > 1)) return { why: "its window is dilated" };
    if (grid.some(([row, column]) => row.count * column.count === 0)) return { why: "some outputs see no input" };
    const steps = grid.map(([row, column]) => {
      const kernel = convSpec({
        ...{ inputs, outputs, activation, size: [row.count, column.count] as [number, number] },
        ...{ pads: [row.pad, column.pad] as [number, number], rowsOut: window.strides[0], rowStart: row.start },
        phase: { step: window.strides[1], start: column.start, count: column.outputs },
      });
      const id = idOf(row, column);
      return { kernel, weight: convWeight(id, kernel), step: { name: "phase", kernel, reads: ["x", id], writes: "y" } };
    });
    const buffers = [arena("x", x), ...steps.map(({ weight }) => weight), arena("y", y)];
    // Phases of one row of inputs may have one row of outputs more than others: each is a stage of its own.
    const draft = draftOf(
      profile,
      `${grid.length} small convolutions, each every stride`,
      buffers,
      steps.map(({ step }) => [step]),
    );
    draft.stages.forEach((stage, i) => {
      stage.grid.extent = grid[i]![0].outputs;
      stage.grid.grain = Math.min(stage.grid.grain, stage.grid.extent);
    });
    return [draft];
  },
};
