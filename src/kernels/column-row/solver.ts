// Proposes one column pass and one row pass per term, summed: exactly at the filter's rank, and with fewer terms where
// the tolerance allows it. Columns first: then a strip needs no more intermediate rows than it has output rows.
import { isOfOneSign } from "../../plan/known.ts";
import type { Draft, FilterProblem, Finish, Profile, Solver, Step, TapsSpec, Term } from "../../plan/types.ts";
import {
  arithmeticFor,
  filterBuffers,
  filterDraft,
  finishOf,
  isInDoubles,
  splitSums,
  stripBuffer,
  valuesOf,
  worstError,
} from "../filter.ts";
import { fixedTerms } from "./fixed.ts";

export const columnRow: Solver<FilterProblem> = {
  name: "column-row",
  kind: "filter",
  propose(problem, profile) {
    const { terms, denominator, approximations } = problem.factors;
    if (terms.length === 0) return { why: "the filter is zero" };
    if (problem.known && !terms.every(isOfOneSign))
      return { why: "what several terms leave of unknown pixels is not quite zero" };
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
  error: Draft["error"] = { relative: 0, maxAbs: 0 },
): Draft {
  const { input, output } = filterBuffers(problem);
  const integer = terms.every(({ column, row }) => [...column, ...row].every(Number.isInteger));
  const whole = integer || isInDoubles(problem) ? arithmeticFor(problem, denominator) : "f32";
  const fixed = whole === "f32" ? fixedTerms(problem, terms, denominator) : undefined;
  const arithmetic = fixed ? "fixed" : whole;
  const finish = fixed?.finish ?? finishOf(problem, denominator);
  const column = stripBuffer("column", arithmetic, input.width, input.channels);
  const sum = stripBuffer("sum", arithmetic, output.width, output.channels);
  const given: (Term & { between?: Finish })[] = fixed?.terms ?? terms;
  const steps = given.flatMap((term, index): Step[] => {
    const last = index === terms.length - 1;
    const suffix = terms.length > 1 ? ` ${index + 1}` : "";
    const columnTaps = term.column.map((tap, dy) => ({ dy, dx: 0, tap }));
    const all = term.row.map((tap, dx) => ({ dy: 0, dx, tap }));
    const rowTaps = fixed ? all : nonZero(all);
    const both: Step[] = [
      {
        name: `column pass${suffix}`,
        kernel: { family: "taps", taps: columnTaps, arithmetic, finish: term.between },
        reads: ["x"],
        writes: "column",
      },
      {
        name: `row pass${suffix}`,
        kernel: { family: "taps", taps: rowTaps, arithmetic, finish: last ? finish : undefined },
        reads: index > 0 ? ["column", "sum"] : ["column"],
        writes: last ? "y" : "sum",
      },
    ];
    return both.flatMap((step) => splitSums(step, step.writes === "column" ? "column" : "sum"));
  });
  const summing = steps.some(({ writes }) => writes === "sum");
  const buffers = [input, column, ...(summing ? [sum] : []), output];
  const count = terms.length === 1 ? "" : `${terms.length} x `;
  const summary = `${count}column pass, row pass${error.relative > 0 ? ` (approximate)` : ""}`;
  const maxAbs = error.maxAbs + (fixed?.maxAbs ?? 0);
  return filterDraft(problem, profile, summary, steps, buffers, { error: { ...error, maxAbs } });
}

/** Taps that do something; a vector of zeros keeps one, so that a pass has work. */
function nonZero(taps: TapsSpec["taps"]): TapsSpec["taps"] {
  const some = taps.filter(({ tap }) => tap !== 0);
  return some.length > 0 ? some : taps.slice(0, 1);
}
