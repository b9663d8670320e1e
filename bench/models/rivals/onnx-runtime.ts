// ONNX Runtime, native and in WebAssembly: all graph optimisations, as its users have by default.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { timed, versionOf } from "../../rival.ts";
import type { Feed } from "../cases.ts";
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
    async load(file, feeds) {
      const session = await InferenceSession.create(file, {
        ...{ intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" },
        ...{ graphOptimizationLevel: "all", logSeverityLevel: 4 },
      });
      const inputs = feeds.map(({ name, dtype, shape, data }) => [name, [types[dtype]!, arrayOf(dtype, data), shape]] as const);
      let last: Readonly<Record<string, Tensor>> = {};
      const run = async (): Promise<void> => {
        last = await session.run(Object.fromEntries(inputs.map(([name, made]) => [name, new Tensor(...made)])));
      };
      return { run: () => timed(run), result: (): ModelResult => byName(last), dispose: () => session.release() };
    },
  };
}

const types: Partial<Record<Feed["dtype"], "float32" | "float16" | "uint8">> = { f32: "float32", f16: "float16", u8: "uint8" };

const arrayOf = (dtype: Feed["dtype"], data: Feed["data"]): Float32Array<ArrayBuffer> =>
  (dtype === "f16" ? Float16Array.from(data as Float32Array) : data) as Float32Array<ArrayBuffer>;
