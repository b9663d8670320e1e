// Proposes one column pass and one row pass per term, summed: exactly at the filter's rank, and with fewer terms where
// the tolerance allows it. Columns first: then a strip needs no more intermediate rows than it has output rows.
import { areOfOneSign } from "../../plan/known.ts";
import type {
  Arithmetic,
  Draft,
  FilterProblem,
  Finish,
  Mean,
  Profile,
  Solver,
  Step,
  TapsSpec,
  Term,
} from "../../plan/types.ts";
import {
  arithmeticFor,
  filterBuffers,
  filterDraft,
  finishOf,
  isDirect,
  isExact,
  isInDoubles,
  largestScale,
  splitSums,
  stripBuffer,
  valuesOf,
  worstError,
} from "../filter.ts";
import { largestTap, meanOf, plainFinish, slackOf } from "../mean.ts";
import { largestPixel, largestSum, roundingError, roundingsOf } from "../rounding.ts";
import { fixedTerms } from "./fixed.ts";

export const columnRow: Solver<FilterProblem> = {
  name: "column-row",
  kind: "filter",
  propose(problem, profile) {
    const { factors, tolerance, window } = problem;
    const { terms, denominator, approximations } = factors;
    if (terms.length === 0) return { why: "the filter is zero" };
    if (problem.known && !areOfOneSign(terms))
      return { why: "what several terms leave of unknown pixels is not quite zero" };
    const whole = wholeSums(problem, terms);
    const real = realSums(problem, terms, denominator, { relative: 0, maxAbs: 0 });
    // Integers of 32 bits are hardly slower than f32.
    const found = whole[0] && whole[0].arithmetic !== "f64" ? whole : [...whole, real];
    const approximate = approximations.map(({ terms, error: relative }) =>
      realSums(problem, terms, 1, { relative, maxAbs: worstDifference(problem, terms) }),
    );
    // Integers are summed exactly, by this plan or another, unless a tolerance allows what real sums round.
    const exactly = isDirect(window.size) && isExact(problem, 1);
    const allowed = found.filter(
      ({ arithmetic, error, rounding }) =>
        error.maxAbs === 0 || arithmetic === "fixed" || !exactly || rounding <= tolerance,
    );
    if (allowed.length + approximate.length === 0) {
      return { why: "sums of integers are exact, no such terms of integers are known, and no tolerance is given" };
    }
    return [...allowed, ...approximate].map((sums) => passes(problem, profile, sums));
  },
};

/** Terms, and how they are summed. */
interface Sums {
  terms: (Term & { between?: Finish })[];
  /** Of column passes, whose sums may be narrower than what they are kept in, and of row passes. */
  columns: Arithmetic;
  arithmetic: Arithmetic;
  finish: Finish;
  /** Where results are means. */
  mean?: Mean;
  error: Draft["error"];
  /** What rounding makes of that error, relative to the largest sum. */
  rounding: number;
}

/** Integer terms of a filter of integers, if they are summed exactly. */
function wholeSums(problem: FilterProblem, terms: Term[]): Sums[] {
  const { denominator } = problem.factors;
  const arithmetic = arithmeticFor(problem, denominator);
  const integers = terms.every(({ column, row }) => [...column, ...row].every(Number.isInteger));
  if (!integers || !isExact(problem, denominator)) return [];
  // Integers wrap around and come back; in f64 no sum in between may need more than 53 bits.
  if (arithmetic === "f64" && largestSum(problem, terms) > 2 ** 53) return [];
  const highest = Math.max(...terms.map((term) => largestSum(problem, [{ ...term, row: [1] }])));
  const columns = arithmetic === "f64" && !isInDoubles(problem) && highest < 2 ** 31 ? "i32" : arithmetic;
  const finish = finishOf(problem, denominator);
  return [{ terms, columns, arithmetic, finish, error: { relative: 0, maxAbs: 0 }, rounding: 0 }];
}

/** Terms in fixed point, or in floating point. */
function realSums(problem: FilterProblem, terms: Term[], denominator: number, error: Draft["error"]): Sums {
  const fixed = fixedTerms(problem, terms, denominator);
  const means = fixed || error.relative > 0 ? undefined : meanOf(problem);
  const finish = fixed?.finish ?? (means?.term ? plainFinish : finishOf(problem, denominator));
  const mean = means?.term && meanOfTerm(means.term);
  const arithmetic = fixed ? "fixed" : isInDoubles(problem) ? "f64" : "f32";
  const largest = largestSum(problem, terms) / denominator;
  const roundings = Math.max(...terms.map(({ column, row }) => roundingsOf(column.length) + roundingsOf(row.length)));
  const moved = mean ? (means.missed + mean.slack) * largestPixel(problem) : 0;
  const rounded = fixed?.maxAbs ?? roundingError(problem, { largest, roundings: roundings + terms.length }) + moved;
  const most = largest * largestScale(problem);
  return {
    ...{ terms: fixed?.terms ?? (mean ? [means.term!] : terms), columns: arithmetic, arithmetic, finish, mean },
    error: { ...error, maxAbs: error.maxAbs + rounded },
    rounding: rounded / most,
  };
}

/** The pixel of a mean stands where both of its taps are largest. */
const meanOfTerm = (term: Term): Mean => ({
  dy: largestTap(term.column),
  dx: largestTap(term.row),
  slack: slackOf([term.column, term.row]),
});

/** The largest error of one result that fewer terms than the filter has make. */
function worstDifference(problem: FilterProblem, terms: readonly Term[]): number {
  const [kh, kw] = problem.window.size;
  const { values, terms: exact, denominator } = problem.factors;
  const filter = values ?? valuesOf(exact, kh, kw).map((v) => v / denominator);
  return worstError(
    problem,
    valuesOf(terms, kh, kw).map((v, i) => v - filter[i]!),
  );
}

function passes(problem: FilterProblem, profile: Profile, sums: Sums): Draft {
  const { terms, columns, arithmetic, finish, mean, error } = sums;
  const { input, output } = filterBuffers(problem);
  const fixed = arithmetic === "fixed";
  const column = stripBuffer("column", arithmetic, input.width, input.channels);
  const sum = stripBuffer("sum", arithmetic, output.width, output.channels);
  const steps = terms.flatMap((term, index): Step[] => {
    const last = index === terms.length - 1;
    const suffix = terms.length > 1 ? ` ${index + 1}` : "";
    const down = term.column.map((tap, dy) => ({ dy, dx: 0, tap }));
    // Lines of a filter as they stand are terms with a single tap down.
    const columnTaps = !fixed && 2 * nonZero(down).length <= down.length ? nonZero(down) : down;
    const all = term.row.map((tap, dx) => ({ dy: 0, dx, tap }));
    const rowTaps = fixed ? all : nonZero(all);
    const both: Step[] = [
      {
        name: `column pass${suffix}`,
        kernel: { family: "taps", taps: columnTaps, arithmetic: columns, finish: term.between },
        reads: ["x"],
        writes: "column",
      },
      {
        name: `row pass${suffix}`,
        kernel: { family: "taps", taps: rowTaps, arithmetic, finish: last ? finish : undefined, ...(mean && { mean }) },
        reads: index > 0 ? ["column", "sum"] : mean ? ["column", "x"] : ["column"],
        writes: last ? "y" : "sum",
      },
    ];
    return both.flatMap((step) => splitSums(step, step.writes === "column" ? "column" : "sum"));
  });
  const summing = steps.some(({ writes }) => writes === "sum");
  const buffers = [input, column, ...(summing ? [sum] : []), output];
  const count = terms.length === 1 ? "" : `${terms.length} x `;
  const summary = `${count}column pass, row pass${error.relative > 0 ? ` (approximate)` : ""}`;
  return filterDraft(problem, profile, summary, steps, buffers, { error });
}

/** Taps that do something; a vector of zeros keeps one, so that a pass has work. */
function nonZero(taps: TapsSpec["taps"]): TapsSpec["taps"] {
  const some = taps.filter(({ tap }) => tap !== 0);
  return some.length > 0 ? some : taps.slice(0, 1);
}
