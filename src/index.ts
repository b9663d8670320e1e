// The public face of filters and layers: exports only.

export type { Verdict } from "./backend/backend.ts";
export type { CallOptions } from "./engine/calls.ts";
export { createEngine, type Engine } from "./engine/engine.ts";
export type { LayerCallOptions, LayerOut, LayerRunOptions, LayerTensors, PreparedLayer } from "./engine/layers.ts";
export type { MaskLike } from "./engine/masks.ts";
export type { EngineOptions, Limits, Planning } from "./engine/options.ts";
export type {
  EngineInfo,
  FilterCallOptions,
  Gradient,
  GradientOptions,
  IntoValue,
  LayerResult,
  PlanOptions,
  RunOptions,
  ValueSpec,
} from "./engine/types.ts";
export { EngineValue } from "./engine/values.ts";
export {
  type ErrorCode,
  InvalidArgumentError,
  LimitError,
  type OperatorUse,
  Rank1Error,
  UnsupportedError,
  UnsupportedOpError,
} from "./errors.ts";
export { type ComposedFilter, composedFilter, composedFilters } from "./factor/composed.ts";
export { type ExactTerms, type FilterFactors, factorize } from "./factor/factorize.ts";
export type { Filter } from "./factor/filter.ts";
export type { FilterFunctions, FilterLimits, NamedFilter } from "./factor/filter-functions.ts";
export { type GradientName, gradientNames } from "./factor/filter-functions.ts";
export { type FilterInfo, filters, namedFilters } from "./factor/filters.ts";
export type { Term } from "./factor/integers.ts";
export type { NamedInfo } from "./factor/parameters.ts";
export type { TruncateOptions } from "./factor/svd.ts";
export type { WeightFactors, WeightOptions } from "./factor/weights.ts";
export { explain } from "./kernels/explain.ts";
export type { Extent, Region } from "./plan/extent.ts";
export type { FilterOptions, PictureSpec } from "./plan/filter-problem.ts";
export type { KnownOptions, NanPolicy } from "./plan/known.ts";
export { type LayerCost, type LayerSpec, layerCost, type StageCost } from "./plan/layer-cost.ts";
export type { DataFormat, LayerKind, LayerOptions, LayerShapes, Pads } from "./plan/layer-problem.ts";
export type {
  Activation,
  Alpha,
  Border,
  Cost,
  FilterProblem,
  Known,
  LayerProblem,
  Plan,
  Problem,
} from "./plan/types.ts";
export type { ImageLike } from "./tensor/image.ts";
export type {
  DType,
  F32Tensor,
  Image,
  ImageArray,
  ImageDType,
  Tensor,
  TensorLike,
  TypedArray,
  ValueDType,
} from "./tensor.ts";
