// The public functions and types of separation. The implementation is imported at the first call: most who run models
// never separate one.
import type { Engine } from "../engine/engine.ts";
import type { MachineProfile } from "../graph/time.ts";
import type { Model } from "../onnx/model.ts";
import type { SeparateOptions } from "./context.ts";
import type { Forecast, ForecastOptions } from "./forecast.ts";
import type { MeasureProfileOptions } from "./profile.ts";
import type { Report } from "./report.ts";

export type { MachineProfile } from "../graph/time.ts";
export type { SeparateStore } from "./checkpoint.ts";
export type { SeparateOptions } from "./context.ts";
export type { Forecast, ForecastOptions } from "./forecast.ts";
export type { LossChoice } from "./heads.ts";
export type { MeasureProfileOptions } from "./profile.ts";
export type { Change, LayerReport, Report, TimeChange } from "./report.ts";

/** What a separation gives. */
export interface Separation {
  /** The rewritten model, the caller's to dispose of. */
  model: Model;
  /** What became of each layer, and what that costs and gains. */
  report: Report;
}

/**
 * A model with separable convolutions in place of regular ones, and what became of each layer. The model given stays as it
 * is; what comes back is a model of its own: run it, save it, dispose of it.
 *
 * @throws InvalidArgumentError for wrong options, a model without convolutions that could be separated, and a goal out of
 * reach (the error says what is in reach).
 */
export async function separateModel(model: Model, options: SeparateOptions): Promise<Separation> {
  const { separate } = await import("./separate.ts");
  return separate(model, options);
}

/**
 * What a separation would give on this machine, in a few seconds: every convolution that is faster in fewer multiplications takes
 * the same share of them, with any numbers as weights.
 *
 * @throws InvalidArgumentError where the shape of an input is not known.
 */
export async function forecastSeparation(model: Model, options: ForecastOptions = {}): Promise<Forecast> {
  const { forecast } = await import("./separate.ts");
  return forecast(model, options);
}

/**
 * What networks take on this machine, on one thread of an engine like this one: for `separateModel` with `speedup` elsewhere.
 * Measures for about three seconds; at its best on a machine that does nothing else.
 */
export async function measureProfile(engine: Engine, options: MeasureProfileOptions = {}): Promise<MachineProfile> {
  const { measure } = await import("./separate.ts");
  return measure(engine, options);
}
