// Proposes one column pass and one row pass per term, summed: exactly at the filter's rank, and with fewer terms where
// the tolerance allows it. Columns first: then a strip needs no more intermediate rows than it has output rows.
import type { Draft, FilterProblem, Profile, Solver, Step, Term } from "../../plan/types.ts";
import {
  arithmeticFor,
  filterBuffers,
  filterDraft,
  finishOf,
  splitSums,
  stripBuffer,
  valuesOf,
  worstError,
} from "../filter.ts";

export const columnRow: Solver<FilterProblem> = {
  name: "column-row",
  kind: "filter",
  propose(problem, profile) {
    const { terms, denominator, approximations } = problem.factors;
    if (terms.length === 0) return { why: "the filter is zero" };
    const exact = passes(problem, profile, terms, denominator);
    return [exact, ...approximations.map((a) => approximate(problem, profile, a.terms, a.error))];
  },
};

function approximate(problem: FilterProblem, profile: Profile, terms: Term[], relative: number): Draft {
  const [kh, kw] = problem.window.size;
  const { values, terms: exact, denominator } = problem.factors;
  const filter = values ?? valuesOf(exact, kh, kw).map((v) => v / denominator);
  const difference = valuesOf(terms, kh, kw).map((v, i) => v - filter[i]!);
  const error = { relative, maxAbs: worstError(problem, difference) };
  return passes(problem, profile, terms, 1, error);
}

function passes(
  problem: FilterProblem,
  profile: Profile,
  terms: Term[],
  denominator: number,
  error?: Draft["error"],
): Draft {
  const { input, output } = filterBuffers(problem);
  const integer = terms.every(({ column, row }) => [...column, ...row].every(Number.isInteger));
  const arithmetic = integer ? arithmeticFor(problem, denominator) : "f32";
  const column = stripBuffer("column", arithmetic, input.width, input.channels);
  const sum = stripBuffer("sum", arithmetic, output.width, output.channels);
  const steps = terms.flatMap((term, index): Step[] => {
    const last = index === terms.length - 1;
    const suffix = terms.length > 1 ? ` ${index + 1}` : "";
    const columnTaps = term.column.map((tap, dy) => ({ dy, dx: 0, tap }));
    const rowTaps = nonZero(term.row).map(({ at, tap }) => ({ dy: 0, dx: at, tap }));
    const both: Step[] = [
      {
        name: `column pass${suffix}`,
        kernel: { family: "taps", taps: columnTaps, arithmetic },
        reads: ["x"],
        writes: "column",
      },
      {
        name: `row pass${suffix}`,
        kernel: { family: "taps", taps: rowTaps, arithmetic, ...(last && { finish: finishOf(problem, denominator) }) },
        reads: index > 0 ? ["column", "sum"] : ["column"],
        writes: last ? "y" : "sum",
      },
    ];
    return both.flatMap((step) => splitSums(step, step.writes === "column" ? "column" : "sum"));
  });
  const summing = steps.some(({ writes }) => writes === "sum");
  const buffers = [input, column, ...(summing ? [sum] : []), output];
  const count = terms.length === 1 ? "" : `${terms.length} x `;
  const summary = `${count}column pass, row pass${error ? ` (approximate)` : ""}`;
  return filterDraft(problem, profile, summary, steps, buffers, { error });
}

/** Taps that do something, with their positions; a vector of zeros keeps one, so that a pass has work. */
function nonZero(taps: readonly number[]): { at: number; tap: number }[] {
  const all = taps.map((tap, at) => ({ at, tap }));
  const some = all.filter(({ tap }) => tap !== 0);
  return some.length > 0 ? some : all.slice(0, 1);
}
