// Proposes the filter as it stands: one step over all its non-zero taps.
import type { FilterProblem, Solver, TapsSpec } from "../../plan/types.ts";
import { plural } from "../../words.ts";
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
import { largestTap, meanOf, plainFinish, slackOf } from "../mean.ts";
import { largestPixel, largestSum, roundingError, roundingsOf } from "../rounding.ts";

export const direct: Solver<FilterProblem> = {
  name: "direct",
  kind: "filter",
  propose(problem, profile) {
    const { factors, window } = problem;
    const [kh, kw] = window.size;
    if (!isDirect(window.size) && factors.terms.length > 0)
      return { why: `${kh} x ${kw} taps are more than ${mostTaps}` };
    const given = factors.values ?? valuesOf(factors.terms, kh, kw);
    const { input, output } = filterBuffers(problem);
    const denominator = factors.values ? 1 : factors.denominator;
    const arithmetic = arithmeticFor(problem, denominator);
    const means = arithmetic === "f32" ? meanOf(problem) : undefined;
    const values = means?.values ?? given;
    const all = values.map((tap, index) => ({ dy: Math.floor(index / kw), dx: index % kw, tap }));
    const nonZero = all.filter(({ tap }) => tap !== 0);
    const taps = nonZero.length > 0 ? nonZero : [{ dy: window.pads[0], dx: window.pads[1], tap: 0 }];
    const finish = means ? plainFinish : finishOf(problem, denominator);
    const largest = all[largestTap(values)]!;
    const slack = means ? slackOf([taps.map(({ tap }) => tap)]) : 0;
    const mean = means && { dy: largest.dy, dx: largest.dx, slack };
    const kernel: TapsSpec = { family: "taps", taps, arithmetic, finish, ...(mean && { mean }) };
    const sums = {
      largest: largestSum(problem, [{ column: given, row: [1] }]) / denominator,
      roundings: roundingsOf(taps.length, longestSum),
    };
    const moved = means ? (means.missed + slack) * largestPixel(problem) : 0;
    const maxAbs = isExact(problem, denominator) ? 0 : roundingError(problem, sums) + moved;
    const step = { name: "direct", kernel, reads: mean ? ["x", "x"] : ["x"], writes: "y" };
    const steps = splitSums(step, "sum");
    const sum = stripBuffer("sum", "f32", output.width, output.channels);
    const buffers = steps.length > 1 ? [input, sum, output] : [input, output];
    return [
      filterDraft(problem, profile, `${plural(nonZero.length, "tap")} at once`, steps, buffers, {
        error: { relative: 0, maxAbs },
      }),
    ];
  },
};
