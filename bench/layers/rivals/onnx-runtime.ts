// ONNX Runtime, native and in WebAssembly: one file a case, in its own layout NCHW, into which data is brought beforehand.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { timed, versionOf } from "../../rival.ts";
import { linksOf } from "../cases.ts";
import { transposed } from "../data.ts";
import { onnxFile } from "../onnx.ts";
import type { LayerRival } from "./rival.ts";

interface Runtime {
  InferenceSession: { create(file: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: TensorConstructor;
}

export async function onnxNative(threads: number): Promise<LayerRival> {
  // It writes into arrays that it is given.
  return rival(await import("onnxruntime-node"), versionOf("onnxruntime-node"), threads, true);
}

export async function onnxWeb(threads: number): Promise<LayerRival> {
  const runtime = await import("onnxruntime-web");
  runtime.env.wasm.numThreads = threads;
  return rival(runtime, versionOf("onnxruntime-web"), threads, false);
}

function rival({ InferenceSession, Tensor }: Runtime, version: string, threads: number, takesOut: boolean): LayerRival {
  return {
    version,
    async prepare(problem, data) {
      const { height, width, channels } = problem;
      const { outHeight, outWidth, outputs } = linksOf(problem).at(-1)!;
      const session = await InferenceSession.create(onnxFile(problem, data), {
        ...{ intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" },
        graphOptimizationLevel: "all",
      });
      const x = transposed(data.x, height * width, channels);
      const shape = [1, outputs, outHeight, outWidth];
      const out = new Tensor("float32", new Float32Array(outputs * outHeight * outWidth), shape);
      let last: Tensor = out;
      const run = async (): Promise<void> => {
        const feeds = { x: new Tensor("float32", x, [1, channels, height, width]) };
        const { y } = takesOut ? await session.run(feeds, { y: out }) : await session.run(feeds);
        last = y!;
      };
      return {
        run: () => timed(run),
        result: () => transposed(last.data as Float32Array, outputs, outHeight * outWidth),
        dispose: () => session.release(),
      };
    },
  };
}
