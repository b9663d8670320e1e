// Proposes the filter as it stands: one step over all its non-zero taps.
import type { FilterProblem, Solver, TapsSpec } from "../../plan/types.ts";
import {
  arithmeticFor,
  filterBuffers,
  filterDraft,
  finishOf,
  isDirect,
  isExact,
  longestSum,
  mostTaps,
  splitSums,
  stripBuffer,
  valuesOf,
} from "../filter.ts";
import { largestSum, roundingError, roundingsOf } from "../rounding.ts";

export const direct: Solver<FilterProblem> = {
  name: "direct",
  kind: "filter",
  propose(problem, profile) {
    const { factors, window } = problem;
    const [kh, kw] = window.size;
    if (!isDirect(window.size) && factors.terms.length > 0)
      return { why: `${kh} x ${kw} taps are more than ${mostTaps}` };
    const values = factors.values ?? valuesOf(factors.terms, kh, kw);
    const { input, output } = filterBuffers(problem);
    const all = values.map((tap, index) => ({ dy: Math.floor(index / kw), dx: index % kw, tap }));
    const nonZero = all.filter(({ tap }) => tap !== 0);
    const taps = nonZero.length > 0 ? nonZero : [{ dy: window.pads[0], dx: window.pads[1], tap: 0 }];
    const denominator = factors.values ? 1 : factors.denominator;
    const [arithmetic, finish] = [arithmeticFor(problem, denominator), finishOf(problem, denominator)];
    const kernel: TapsSpec = { family: "taps", taps, arithmetic, finish };
    const sums = {
      largest: largestSum(problem, [{ column: values, row: [1] }]) / denominator,
      roundings: roundingsOf(taps.length, longestSum),
    };
    const maxAbs = isExact(problem, denominator) ? 0 : roundingError(problem, sums);
    const step = { name: "direct", kernel, reads: ["x"], writes: "y" };
    const steps = splitSums(step, "sum");
    const sum = stripBuffer("sum", "f32", output.width, output.channels);
    const buffers = steps.length > 1 ? [input, sum, output] : [input, output];
    return [
      filterDraft(problem, profile, `${nonZero.length} taps at once`, steps, buffers, {
        error: { relative: 0, maxAbs },
      }),
    ];
  },
};
