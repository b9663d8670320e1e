// The ways to compute a problem that its plan knows of. Pages bundle this too: only types of src/ are imported.
import type { Plan } from "../src/index.ts";

/** The names of the plan's solver and of every other that applies. Some have several ways, each with a name of its own. */
export function strategiesOf({ solver, rejected }: Pick<Plan, "solver" | "rejected">): string[] {
  return [...new Set([solver, ...rejected.filter(({ cost }) => cost).map((other) => other.solver)])];
}
