// Everyone who takes part: started by name, in processes of their own.
import type { LayerRival } from "./rival.ts";

/** Loads a library in the process that works with it. */
export const starts = {
  rank1: async (threads: number): Promise<LayerRival> => (await import("./rank1.ts")).rank1(false)(threads),
  rank1Wide: async (threads: number): Promise<LayerRival> => (await import("./rank1.ts")).rank1(true)(threads),
  onnxNative: async (threads: number): Promise<LayerRival> => (await import("./onnx-runtime.ts")).onnxNative(threads),
  onnxWeb: async (threads: number): Promise<LayerRival> => (await import("./onnx-runtime.ts")).onnxWeb(threads),
  tensorFlow: async (threads: number): Promise<LayerRival> => (await import("./tensorflow.ts")).tensorFlow(threads),
  jax: async (): Promise<LayerRival> => (await import("./jax.ts")).jax(),
};
