// Runs one example of the tour: the filter's factors, the plans with the time of each, and the pictures.
import { type Engine, type FilterFactors, factorize, type Plan } from "../src/index.ts";
import type { Picture } from "../src/node/pictures.ts";
import type { Example } from "./examples.ts";
import type { Inputs, Shot } from "./inputs.ts";

/** A plan that was run, or one that was left out because it would take too long. */
export interface Trial {
  plan: Plan;
  /** Of a warm run: the best of several. */
  milliseconds: number | undefined;
}

export interface Findings {
  example: Example;
  /** The filter at its exact rank. */
  exact: FilterFactors;
  /** The terms that the chosen plan stands for: fewer where it approximates. */
  factors: FilterFactors;
  chosen: Trial;
  rejected: Trial[];
  before: Shot;
  after: Shot[];
  note?: string;
}

export async function tryOut(engine: Engine, example: Example, inputs: Inputs, signal: AbortSignal): Promise<Findings> {
  const before = inputs[example.input];
  const { picture } = before;
  const exact = factorize(example.filter);
  const [plan, ...others] = plansFor(engine, picture, example) as [Plan, ...Plan[]];
  const { tolerance } = example.options;
  const chosen = { plan, milliseconds: await time(engine, plan, picture, signal) };
  const rejected: Trial[] = [];
  for (const other of others) {
    const expected = (chosen.milliseconds * other.cost.time) / plan.cost.time;
    const run = expected < longestTrial;
    rejected.push({ plan: other, milliseconds: run ? await time(engine, other, picture, signal) : undefined });
  }
  const { pictures, note } = await example.run(engine, picture, signal);
  return {
    ...{ example, exact, chosen, rejected, before, note },
    factors: plan.error.relative > 0 ? factorize(example.filter, { tolerance }) : exact,
    after: example.views.map((view, i) => ({ ...view, picture: pictures[i]! })),
  };
}

const longestTrial = 1500;

/** The chosen plan, then the cheapest of every other solver, and of exact ones where it approximates. */
function plansFor(engine: Engine, picture: Picture, { filter, options }: Example): Plan[] {
  const spec = { width: picture.width, height: picture.height, channels: picture.channels, dtype: "u8" } as const;
  const problems = [options, { ...options, tolerance: 0 }].map((o) => engine.filterProblem(spec, filter, o));
  const all = problems.flatMap((problem) => {
    const best = engine.plan(problem);
    const others = best.rejected.filter(({ cost }) => cost).map(({ solver }) => solver);
    return [best, ...[...new Set(others)].map((strategy) => engine.plan(problem, { strategy }))];
  });
  const same = (a: Plan, b: Plan): boolean => a.solver === b.solver && a.summary === b.summary;
  const [chosen, ...others] = all.filter((plan, i) => all.findIndex((other) => same(plan, other)) === i);
  return [chosen!, ...others.sort((a, b) => a.cost.time - b.cost.time)];
}

/** Milliseconds of a warm run: the first run compiles and does not count; the best of those in some 80 ms after it. */
async function time(engine: Engine, plan: Plan, picture: Picture, signal: AbortSignal): Promise<number> {
  const { data: out } = await engine.run(plan, picture, { signal });
  let best = Infinity;
  for (let spent = 0, runs = 0; runs === 0 || (runs < 20 && spent < 80); runs++) {
    const start = performance.now();
    await engine.run(plan, picture, { out, signal });
    const took = performance.now() - start;
    best = Math.min(best, took);
    spent += took;
  }
  return best;
}
