// Proposes the filter as it stands: one step over all its non-zero taps.
import type { FilterProblem, Solver, TapsSpec } from "../../plan/types.ts";
import { arithmeticFor, filterBuffers, filterDraft, finishOf, splitSums, stripBuffer, valuesOf } from "../filter.ts";

/** Above this many taps a direct plan is hopeless beside any other, and its list of taps a burden. */
const mostTaps = 1 << 16;

export const direct: Solver<FilterProblem> = {
  name: "direct",
  kind: "filter",
  propose(problem, profile) {
    const { factors, window } = problem;
    const [kh, kw] = window.size;
    if (kh * kw > mostTaps && factors.terms.length > 0) return { why: `${kh} x ${kw} taps are more than ${mostTaps}` };
    const values = factors.values ?? valuesOf(factors.terms, kh, kw);
    const { input, output } = filterBuffers(problem);
    const all = values.map((tap, index) => ({ dy: Math.floor(index / kw), dx: index % kw, tap }));
    const nonZero = all.filter(({ tap }) => tap !== 0);
    const taps = nonZero.length > 0 ? nonZero : [{ dy: window.pads[0], dx: window.pads[1], tap: 0 }];
    const kernel: TapsSpec = {
      family: "taps",
      taps,
      arithmetic: arithmeticFor(problem, factors.values ? 1 : factors.denominator),
      finish: finishOf(problem, factors.values ? 1 : factors.denominator),
    };
    const step = { name: "direct", kernel, reads: ["x"], writes: "y" };
    const steps = splitSums(step, "sum");
    const sum = stripBuffer("sum", "f32", output.width, output.channels);
    const buffers = steps.length > 1 ? [input, sum, output] : [input, output];
    return [filterDraft(problem, profile, `${nonZero.length} taps at once`, steps, buffers)];
  },
};
