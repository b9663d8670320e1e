// ONNX Runtime, native and in WebAssembly: all graph optimisations, as its users have by default.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { timed, versionOf } from "../../rival.ts";
import { byName, type ModelResult, type ModelRival } from "./rival.ts";

interface Runtime {
  InferenceSession: { create(file: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: TensorConstructor;
}

export async function onnxNative(threads: number): Promise<ModelRival> {
  return rival(await import("onnxruntime-node"), versionOf("onnxruntime-node"), threads);
}

export async function onnxWeb(threads: number): Promise<ModelRival> {
  const runtime = await import("onnxruntime-web");
  runtime.env.wasm.numThreads = threads;
  return rival(runtime, versionOf("onnxruntime-web"), threads);
}

function rival({ InferenceSession, Tensor }: Runtime, version: string, threads: number): ModelRival {
  return {
    version,
    async load(file, shape, x) {
      const session = await InferenceSession.create(file, {
        ...{ intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" },
        ...{ graphOptimizationLevel: "all", logSeverityLevel: 4 },
      });
      const [name] = session.inputNames;
      let last: ModelResult = [];
      const run = async (): Promise<void> => {
        const outputs: Readonly<Record<string, Tensor>> = await session.run({
          [name!]: new Tensor("float32", x, shape),
        });
        last = byName(outputs);
      };
      return { run: () => timed(run), result: () => last, dispose: () => session.release() };
    },
  };
}
