import { type Engine, type FilterFactors, type Plan } from "../src/index.ts";
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
export declare function tryOut(engine: Engine, example: Example, inputs: Inputs, signal: AbortSignal): Promise<Findings>;
