// Plans of filters for pictures, kept for later calls with the same options.
import { InvalidArgumentError } from "../errors.ts";
import type { Filter } from "../factor/filter.ts";
import { movedTo } from "../plan/extent.ts";
import type { FilterOptions } from "../plan/filter-problem.ts";
import type { FilterProblem, Plan } from "../plan/types.ts";
import { keyOf } from "./cache.ts";
import type { Picture } from "./masks.ts";
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

export class PlannedFilters {
  private readonly kept = new Requests<PlannedFilter>();
  private readonly make: (picture: Picture, filter: Filter, options: FilterOptions, strategy?: string) => Plan;
  private readonly settles: boolean;

  /** `settles`: plans are final as they are made. */
  constructor(make: PlannedFilters["make"], settles: boolean) {
    this.make = make;
    this.settles = settles;
  }

  /** The plan for such a picture, cached for calls with the same options; regions of equal sides have one. */
  of(x: Picture, filter: Filter, options: FilterOptions, strategy?: string): PlannedCall {
    const { width, height, channels, dtype, hasAlpha = false, masked } = x;
    const request = [width, height, channels, dtype, hasAlpha, masked, filter, anywhere(options), strategy];
    const known = this.kept.find(request);
    if (known) return { planned: known, problem: movedTo(known.plan.problem as FilterProblem, options) };
    const plan = this.make(x, filter, options, strategy);
    const planned = { plan, key: keyOf(plan), settled: this.settles || strategy !== undefined };
    this.kept.keep(request, planned);
    return { planned, problem: plan.problem as FilterProblem };
  }

  /** The same for a picture whose alpha does not matter; the call's own where its strategy computes no such pictures. */
  ofOpaque(call: PlannedCall, x: Picture, filter: Filter, options: FilterOptions, strategy?: string): PlannedCall {
    try {
      return this.of(x, filter, { ...options, alpha: "keep" }, strategy);
    } catch (error) {
      if (strategy !== undefined && error instanceof InvalidArgumentError) return call;
      throw error;
    }
  }

  clear(): void {
    this.kept.clear();
  }
}

/** Options without where their region lies. */
function anywhere(options: FilterOptions): unknown {
  const { region } = options;
  return typeof region === "object" && region !== null ? { ...options, region: { ...region, x: 0, y: 0 } } : options;
}
