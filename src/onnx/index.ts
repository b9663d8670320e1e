// The public face of models: exports only.

export type { Attribute, Dimension, Graph, GraphNode, ValueInfo } from "../graph/types.ts";
export { type ImageTensorOptions, imageToTensor } from "./image.ts";
export { type ExternalData, type LoadOptions, loadModel, type Model, saveModel } from "./model.ts";
