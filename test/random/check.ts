// Runs a case by every way that applies, and compares with what loops give.

import { LimitError } from "../../src/errors.ts";
import { createEngine, type Engine, type EngineOptions, type Image, type ImageDType } from "../../src/index.ts";
import { imageDTypeOf, isFloat, rangeOf } from "../../src/tensor.ts";
import { strategiesOf } from "../strategies.ts";
import type { Case, EngineName } from "./cases.ts";
import { alphaIn, type Expected, expectedOf, keepsAlpha } from "./reference.ts";
import { run } from "./run.ts";

const engineOptions: Record<EngineName, EngineOptions> = {
  reference: { backend: "reference" },
  "1 thread": { backend: "wasm", threads: 1 },
  "2 threads": { backend: "wasm", threads: 2 },
  "3 threads": { backend: "wasm", threads: 3 },
  wide: { backend: "wasm", threads: 1, wide: true },
  "wide, 2 threads": { backend: "wasm", threads: 2, wide: true },
  deterministic: { backend: "wasm", threads: 1, deterministic: true },
  "1 MiB": { backend: "wasm", threads: 1, maxMemory: 2 ** 20 },
};

/** Engines by name, made when they are first asked for. */
export class Engines {
  private readonly made = new Map<EngineName, Promise<Engine>>();

  of(name: EngineName): Promise<Engine> {
    const known = this.made.get(name) ?? createEngine(engineOptions[name]);
    this.made.set(name, known);
    return known;
  }

  async dispose(): Promise<void> {
    for (const engine of this.made.values()) (await engine).dispose();
  }
}

export interface Outcome {
  /** What is wrong, one line each. */
  faults: string[];
  /** What was run: strategies, exact or not. */
  features: string[];
}

/** Runs a case by every strategy. */
export async function checkCase(engines: Engines, one: Case): Promise<Outcome> {
  const outcome: Outcome = { faults: [], features: [] };
  const engine = await engines.of(one.engine);
  const spec = { ...one.image, masked: one.mask !== undefined, ...(one.input === "ImageData" && { hasAlpha: true }) };
  try {
    const problem = engine.filterProblem(spec, one.filter, one.options);
    const chosen = engine.plan(problem);
    const strategies = one.call === "chosen" ? [undefined] : strategiesOf(chosen);
    const expected = expectedOf(one);
    for (const strategy of strategies) {
      const plan = strategy === undefined ? chosen : engine.plan(problem, { strategy });
      const exact = plan.error.maxAbs === 0 && plan.error.relative === 0;
      outcome.features.push(`strategy: ${plan.solver}`, ...(exact ? ["exact"] : ["within a bound"]));
      const result = await run(engine, one, plan, strategy);
      const bound = Math.max(plan.error.maxAbs, opaqueBound(engine, one, spec, strategy));
      const fault = differenceOf(one, result, expected, { exact: exact && bound === 0, bound });
      if (fault) outcome.faults.push(`${plan.solver}, ${exact ? "exact" : `at most ${bound}`}: ${fault}`);
    }
  } catch (error) {
    if (one.engine === "1 MiB" && error instanceof LimitError) outcome.features.push("too large");
    else outcome.faults.push(`${error instanceof Error ? error.stack : error}`);
  }
  return outcome;
}

/** Where pixels that may be weighed are opaque, a call takes the plan that weighs nothing. */
function opaqueBound(
  engine: Engine,
  one: Case,
  spec: Parameters<Engine["filterProblem"]>[0],
  strategy?: string,
): number {
  if (one.call === "run" || one.call === "stored plan" || alphaIn(one) !== "premultiply" || one.mask) return 0;
  try {
    const problem = engine.filterProblem(spec, one.filter, { ...one.options, alpha: "keep" });
    return engine.plan(problem, { strategy }).error.maxAbs;
  } catch {
    return 0;
  }
}

interface Allowed {
  exact: boolean;
  bound: number;
}

/** The first result that is further from the expected one than allowed. */
function differenceOf(
  one: Case,
  result: Image,
  { values, unknown, touched, slack }: Expected,
  { exact, bound }: Allowed,
): string | undefined {
  const { image, place } = one;
  const dtype = imageDTypeOf(result.data)!;
  const { channels, data } = image;
  const sides = [result.width, result.height, result.channels].join(" x ");
  if (sides !== [place.width, place.height, channels].join(" x ")) return `a picture of ${sides}`;
  if (result.data.length !== values.length) return `${result.data.length} elements`;
  const scale = isFloat(image.dtype) ? Math.max(1, largest(data)) : 1;
  const [low, high] = rangeOf[dtype];
  const keeps = keepsAlpha(one);
  const kept = (c: number): boolean => keeps && c === channels - 1;
  for (let i = 0; i < values.length; i++) {
    const [got, c] = [result.data[i]!, i % channels];
    const filled = unknown[i] === 1;
    const value = filled ? fillOf(one, dtype, c) : values[i]!;
    // What is not finite spreads as taps and terms have it, within the window.
    if (touched?.[i] && !filled && !kept(c)) {
      if (isFloat(dtype) && Number.isFinite(got) && !Number.isFinite(value)) return text(i, got, value);
      continue;
    }
    if (exact || filled || kept(c)) {
      const wanted = rounded(value, dtype, low, high);
      if (got !== wanted && !(Number.isNaN(got) && Number.isNaN(wanted))) return text(i, got, wanted);
      continue;
    }
    const clipped = Math.min(high, Math.max(low, value));
    const allowed =
      bound * scale * slack[i]! * (1 + 1e-6) + (isFloat(dtype) ? 0 : 0.5 + 1e-9) + 1e-12 * Math.abs(value);
    if (Math.abs(got - clipped) <= allowed || got === clipped) continue;
    return text(i, got, value);
  }
  return undefined;

  function text(i: number, got: number, wanted: number): string {
    return `${got} where ${wanted} is right, at ${i} of ${values.length}`;
  }
}

function fillOf({ options }: Case, dtype: ImageDType, c: number): number {
  const { fill = isFloat(dtype) ? Number.NaN : 0 } = options;
  return typeof fill === "number" ? fill : fill[c]!;
}

function rounded(value: number, dtype: ImageDType, low: number, high: number): number {
  if (dtype === "f32") return Math.fround(value);
  if (isFloat(dtype)) return value;
  return Number.isNaN(value) ? 0 : Math.min(high, Math.max(low, Math.floor(value + 0.5))) + 0;
}

const largest = (data: ArrayLike<number>): number => {
  let most = 0;
  for (let i = 0; i < data.length; i++) if (Math.abs(data[i]!) < Infinity) most = Math.max(most, Math.abs(data[i]!));
  return most;
};
