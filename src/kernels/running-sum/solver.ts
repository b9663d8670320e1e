// Proposes running sums for separable filters with a constant column or row (box filters): the cost of such a pass does
// not depend on its length.
import type { BufferSpec, FilterProblem, Solver, Step, TapsSpec } from "../../plan/types.ts";
import {
  arithmeticFor,
  filterBuffers,
  filterDraft,
  finishOf,
  isInDoubles,
  onlyTapsInDoubles,
  stripBuffer,
} from "../filter.ts";

/** The value that all taps share, if they do and there are at least two. */
function constant(taps: readonly number[]): number | undefined {
  return taps.length > 1 && taps.every((tap) => tap === taps[0]) ? taps[0] : undefined;
}

export const runningSums: Solver<FilterProblem> = {
  name: "running-sum",
  kind: "filter",
  propose(problem, profile) {
    const { terms, denominator } = problem.factors;
    const [term, ...others] = terms;
    if (!term || others.length > 0) return { why: "it needs a filter of rank 1" };
    const [alongColumn, alongRow] = [constant(term.column), constant(term.row)];
    if (alongColumn === undefined && alongRow === undefined) return { why: "neither column nor row is constant" };
    if (isInDoubles(problem)) return { why: onlyTapsInDoubles };
    const arithmetic = arithmeticFor(problem, denominator);
    if (arithmetic === "f32") return { why: "floating-point sums would drift" };
    if (arithmetic === "f64") return { why: "sums of 32 bits are kept, which the filter's exceed" };

    const { input, output } = filterBuffers(problem);
    const column = stripBuffer("column", "i32", input.width, input.channels);
    const row = stripBuffer("row", "i32", output.width, output.channels);
    const buffers: BufferSpec[] = [input, column];
    const steps: Step[] = [
      {
        name: "column pass",
        kernel:
          alongColumn === undefined
            ? { family: "taps", taps: term.column.map((tap, dy) => ({ dy, dx: 0, tap })), arithmetic: "i32" }
            : { family: "running-sum", axis: "column", length: term.column.length },
        reads: ["x"],
        writes: "column",
      },
    ];
    if (alongRow !== undefined) {
      const kernel = { family: "running-sum", axis: "row", length: term.row.length } as const;
      steps.push({ name: "row pass", kernel, reads: ["column"], writes: "row" });
      buffers.push(row);
    }
    // The taps that the running sums left out stand in the last step, which also finishes.
    const rowTaps = alongRow === undefined ? term.row : [alongRow];
    const taps = rowTaps.map((tap, dx) => ({ dy: 0, dx, tap: tap * (alongColumn ?? 1) }));
    const last: TapsSpec = { family: "taps", taps, arithmetic: "i32", finish: finishOf(problem, denominator) };
    steps.push({
      name: alongRow === undefined ? "row pass" : "finish",
      kernel: last,
      reads: [steps.at(-1)!.writes],
      writes: "y",
    });
    buffers.push(output);
    const summary = `${alongColumn === undefined ? "column pass" : "running column sums"}, ${alongRow === undefined ? "row pass" : "running row sums"}`;
    const leastGrain = alongColumn === undefined ? 4 : 2 * term.column.length;
    return [filterDraft(problem, profile, summary, steps, buffers, { leastGrain })];
  },
};
