// The public face of models: exports only.

export {
  type ErrorCode,
  InvalidArgumentError,
  LimitError,
  type OperatorUse,
  Rank1Error,
  UnsupportedError,
  UnsupportedOpError,
} from "../errors.ts";
export type { WeightEstimate } from "../factor/weights.ts";
export type { GivenTensor } from "../graph/evaluate.ts";
export type { Layer, LayerSplits } from "../graph/layers.ts";
export type { Outs } from "../graph/outputs.ts";
export type { RunOptions } from "../graph/program.ts";
export type { Task } from "../graph/tasks.ts";
export type { Attribute, Dimension, Graph, GraphNode, ValueInfo } from "../graph/types.ts";
export {
  type Change,
  type Forecast,
  type ForecastOptions,
  forecastSeparation,
  type LayerReport,
  type LossChoice,
  type MachineProfile,
  type MeasureProfileOptions,
  measureProfile,
  type Report,
  type SeparateOptions,
  type SeparateStore,
  type Separation,
  separateModel,
  type TimeChange,
} from "../separate/index.ts";
export type { ModelInput, ModelRunOptions } from "./choice.ts";
export type { ExternalData } from "./external.ts";
export {
  type FloatTensorOptions,
  type ImageTensorOptions,
  imageToTensor,
  type PictureInput,
  type Placed,
  pictureInput,
  type ValueScale,
} from "./image.ts";
export {
  type ExplainModelOptions,
  estimateSplits,
  explainModel,
  type Inspection,
  type InspectOptions,
  inspectModel,
  type ModelPlan,
  type SplitOptions,
} from "./inspect.ts";
export {
  type LoadOptions,
  loadModel,
  type Model,
  type ModelInfo,
  saveModel,
} from "./model.ts";
export {
  type ByteImage,
  type PictureAxes,
  pictureAxes,
  type TensorImageOptions,
  tensorToImage,
} from "./picture-out.ts";
export type { Address, BytesHolder, ModelSource } from "./source.ts";
export { type PartOfOutput, placePart } from "./tile-parts.ts";
export {
  imageTiles,
  type RunImageOptions,
  runImage,
  runTiled,
  type TiledImageOptions,
  type TiledOptions,
} from "./tiled.ts";
