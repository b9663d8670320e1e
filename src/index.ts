// The public face of filters and layers: exports only.
export type { CallOptions } from "./engine/calls.ts";
export type { LayerCallOptions, LayerRunOptions, LayerTensors, PreparedLayer } from "./engine/layers.ts";
export { EngineValue } from "./engine/values.ts";
export type { EngineOptions, Limits, Planning } from "./engine/options.ts";
export {
  createEngine,
  type Engine,
  type EngineInfo,
  type FilterCallOptions,
  type Gradient,
  type GradientOptions,
  type ValueSpec,
} from "./engine/engine.ts";
export { type ErrorCode, InvalidArgumentError, LimitError, Rank1Error, UnsupportedError } from "./errors.ts";
export { type FilterFactors, factorize } from "./factor/factorize.ts";
export type { Filter } from "./factor/filter.ts";
export { type FilterInfo, filters, namedFilters } from "./factor/filters.ts";
export { gradientNames, gradientPair, isGradientName } from "./factor/gradients.ts";
export type { WeightFactors, WeightOptions } from "./factor/weights.ts";
export { explain } from "./plan/explain.ts";
export type { FilterOptions, PictureSpec } from "./plan/filter-problem.ts";
export { type LayerCost, type LayerSpec, layerCost, type StageCost } from "./plan/layer-cost.ts";
export type { DataFormat, LayerKind, LayerOptions, LayerShapes, Pads } from "./plan/layer-problem.ts";
export type { Activation, Alpha, Border, Cost, LayerProblem, Plan, Problem } from "./plan/types.ts";
export { type Verdict, verdictNames } from "./backend/wasm/kernels.ts";
export type { DType, F32Tensor, Image, ImageDType, ImageLike, Tensor, TensorLike } from "./tensor.ts";
