// Plans of filters for pictures, kept for later calls with the same options.
import { type Abortable, finished, inTurns, type Steps } from "../backend/slices.ts";
import { InvalidArgumentError } from "../errors.ts";
import type { Filter } from "../factor/filter.ts";
import { movedTo } from "../plan/extent.ts";
import { type FilterOptions, findProblem } from "../plan/filter-problem.ts";
import { type Planner, planning } from "../plan/planner.ts";
import type { FilterProblem, Plan } from "../plan/types.ts";
import { checkPicture } from "../tensor/image.ts";
import { keyOf } from "./cache.ts";
import type { Picture } from "./masks.ts";
import type { Limits } from "./options.ts";
import { Requests } from "./requests.ts";

/** A plan and its key among the programs. */
export interface PlannedFilter {
  plan: Plan;
  key: string;
  /** Whether it is final: a plan chosen by prediction is at once, a measured one after its trials. */
  settled: boolean;
}

/** What is run: a plan by its key among programs, for a problem that it computes. */
export interface RunnableCall {
  planned: { plan: Plan; key: string };
  problem: FilterProblem;
}

/** A call's plan, and its problem: the plan's own, but for where a region lies. */
export interface PlannedCall {
  planned: PlannedFilter;
  problem: FilterProblem;
}

/** A filter of so many taps takes long enough to factor that others should have their turn meanwhile. */
const manyTaps = 2 ** 14;

/** Whether a filter, as it may be given, has many taps and is not a column and a row. */
export function isLong(filter: Filter): boolean {
  if (typeof filter !== "object" || filter === null) return false;
  const { values, kernel } = filter as Partial<Record<"values" | "kernel", ArrayLike<number>>>;
  const rows = Array.isArray(filter) ? (filter as ArrayLike<number>[]) : [];
  return Math.max(rows.length * (rows[0]?.length ?? 0), (values ?? kernel)?.length ?? 0) > manyTaps;
}

export class PlannedFilters {
  private readonly kept = new Requests<PlannedFilter>();
  private readonly planner: Planner;
  private readonly limits: Limits;
  private readonly settles: boolean;

  /** `settles`: plans are final as they are made. */
  constructor(planner: Planner, limits: Limits, settles: boolean) {
    this.planner = planner;
    this.limits = limits;
    this.settles = settles;
  }

  /** The plan for such a picture, cached for calls with the same options; regions of equal sides have one. */
  of(x: Picture, filter: Filter, options: FilterOptions, strategy?: string): PlannedCall {
    return this.find(x, filter, options, strategy) ?? finished(this.making(x, filter, options, strategy));
  }

  /** {@link of}, with turns for events in between, of which an abort ends it. */
  async inTurns(
    signal: Abortable,
    ...[x, filter, options, strategy]: Parameters<PlannedFilters["of"]>
  ): Promise<PlannedCall> {
    return this.find(x, filter, options, strategy) ?? inTurns(this.making(x, filter, options, strategy), signal);
  }

  private find(x: Picture, filter: Filter, options: FilterOptions, strategy?: string): PlannedCall | undefined {
    const known = this.kept.find(requestOf(x, filter, options, strategy));
    return known && { planned: known, problem: movedTo(known.plan.problem as FilterProblem, options) };
  }

  private *making(x: Picture, filter: Filter, options: FilterOptions, strategy?: string): Steps<PlannedCall> {
    checkPicture(x, this.limits);
    const problem = yield* findProblem(x, filter, options, this.limits.filterSide);
    const plan = yield* planning(problem, this.planner, strategy);
    const planned = { plan, key: keyOf(plan), settled: this.settles || strategy !== undefined };
    this.kept.keep(requestOf(x, filter, options, strategy), planned);
    return { planned, problem };
  }

  /** The same for a picture whose alpha does not matter; the call's own where its strategy computes no such pictures. */
  async ofOpaque(
    call: PlannedCall,
    signal: Abortable,
    ...[x, filter, options, strategy]: Parameters<PlannedFilters["of"]>
  ): Promise<PlannedCall> {
    try {
      return await this.inTurns(signal, x, filter, { ...options, alpha: "keep" }, strategy);
    } catch (error) {
      if (strategy !== undefined && error instanceof InvalidArgumentError) return call;
      throw error;
    }
  }

  clear(): void {
    this.kept.clear();
  }
}

const requestOf = (x: Picture, filter: Filter, options: FilterOptions, strategy?: string): unknown[] => {
  const { width, height, channels, dtype, hasAlpha = false, masked } = x;
  return [width, height, channels, dtype, hasAlpha, masked, filter, anywhere(options), strategy];
};

/** Options without where their region lies. */
function anywhere(options: FilterOptions): unknown {
  const { region } = options;
  return typeof region === "object" && region !== null ? { ...options, region: { ...region, x: 0, y: 0 } } : options;
}
