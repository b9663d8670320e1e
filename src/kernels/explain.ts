// A plan as text: what it does, what it costs, and which candidates were rejected. The same text wherever it is shown.
import { checkPlan } from "../plan/planner.ts";
import type { Cost, Plan, Problem } from "../plan/types.ts";
import { isFloat } from "../tensor.ts";
import { plural } from "../words.ts";
import { describeKernel } from "./table.ts";

/** How many output values a problem has. */
const outputsOf = ({ y }: Problem): number => y.shape.reduce((product, side) => product * side, 1);

const number = (value: number): string => value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 1 : 0 });

const milliseconds = ({ time }: Cost): string => `${(time / 1e6).toPrecision(3)} ms`;

/** A problem in one line. */
function describeProblem(problem: Problem): string {
  const { x, y, window } = problem;
  const border = window.border === "constant" ? `constant ${window.borderValue}` : window.border;
  const [kh, kw] = window.size;
  const at = problem.kind === "filter" && problem.origin ? ` at (${problem.origin.join(", ")})` : "";
  return `${problem.kind} ${kh} x ${kw} on ${x.shape.join(" x ")} ${x.dtype} -> ${y.shape.join(" x ")} ${y.dtype}${at}, border ${border}`;
}

function exactness({ error, problem }: Plan): string {
  if (problem.kind !== "filter" && error.relative === 0) return "exact but for the rounding of 32-bit floats";
  const none = problem.kind === "filter" && problem.tolerance > 0 ? " (no approximation is cheaper)" : "";
  if (error.relative === 0 && error.maxAbs === 0) return `exact${none}`;
  const of = isFloat(problem.x.dtype) ? "for pixels of magnitude up to 1" : "grey levels";
  const before = isFloat(problem.y.dtype) ? "" : " before the result is rounded";
  const most = `at most ${error.maxAbs.toPrecision(2)} ${of}${before}`;
  return error.relative === 0
    ? `exact within rounding: ${most}${none}`
    : `approximate: relative error of the taps ${error.relative.toPrecision(3)}, ${most}`;
}

/**
 * Explains a plan in plain text: the problem, the chosen plan with its steps and predicted cost, and the candidates that
 * were rejected with the reason. One multiplication is one multiply-accumulate (2 FLOP); times are predictions for one thread.
 */
export function explain(plan: Plan): string {
  const { problem, solver, summary, stages, cost, rejected, turned } = checkPlan(plan);
  const outputs = outputsOf(problem);
  const rows = [
    [`> ${solver}`, summary, number(cost.multiplications / outputs), milliseconds(cost), "chosen"],
    ...rejected.map((b) => [
      `  ${b.solver}`,
      b.summary,
      b.cost ? number(b.cost.multiplications / outputs) : "-",
      b.cost ? milliseconds(b.cost) : "-",
      b.why,
    ]),
  ];
  const steps = stages.flatMap((stage, index) => [
    `stage ${index + 1}: strips of ${plural(stage.grid.grain, "row")}`,
    ...stage.steps.map(
      (step) => `  ${step.name}: ${step.reads.join(" + ")} -> ${step.writes} (${describeKernel(step.kernel)})`,
    ),
  ]);
  return [
    describeProblem(problem),
    exactness(plan),
    "",
    ...table(["  plan", "what it does", "multiplications a value", "predicted", ""], rows),
    "",
    ...(turned ? ["turned: rows of the steps are columns of the picture"] : []),
    ...steps,
    `moves ${number(cost.bytes / 1e6)} MB; 1 multiplication = 1 multiply-accumulate = 2 FLOP; predictions are for one thread`,
  ].join("\n");
}

function table(header: string[], rows: string[][]): string[] {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all.map((row) =>
    row
      .map((cell, column) =>
        column === 2 || column === 3 ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
}
