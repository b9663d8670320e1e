// ONNX Runtime, native and in WebAssembly: all graph optimisations, as its users have by default.
import type { InferenceSession, Tensor, TensorConstructor } from "onnxruntime-common";
import { versionOf } from "../../rival.ts";
import type { Feed } from "../cases.ts";
import type { ModelRival, Outputs } from "./rival.ts";

interface Runtime {
  InferenceSession: { create(file: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession> };
  Tensor: TensorConstructor;
}

const Halves = Float16Array;

export async function onnxNative(threads: number): Promise<ModelRival> {
  // Its binding knows f16 as bits only; its JavaScript would make halves of them where the language has those.
  Reflect.deleteProperty(globalThis, "Float16Array");
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
    async open(file) {
      const session = await InferenceSession.create(file, {
        ...{ intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: "sequential" },
        ...{ graphOptimizationLevel: "all", logSeverityLevel: 4 },
      });
      const tensorOf = ({ dtype, data, shape }: Feed): Tensor => new Tensor(types[dtype]!, arrayOf(dtype, data), shape);
      return {
        run: async (feeds) => floatsOf(await session.run(Object.fromEntries(feeds.map((feed) => [feed.name, tensorOf(feed)])))),
        dispose: () => session.release(),
      };
    },
  };
}

const types: Partial<Record<Feed["dtype"], "float32" | "float16" | "uint8">> = { f32: "float32", f16: "float16", u8: "uint8" };

const halves = new WeakMap<Feed["data"], Uint16Array>();

/** f16 as its bits, made once of an array. */
function arrayOf(dtype: Feed["dtype"], data: Feed["data"]): Float32Array<ArrayBuffer> {
  if (dtype !== "f16") return data as Float32Array<ArrayBuffer>;
  const bits = halves.get(data) ?? new Uint16Array(Halves.from(data as Float32Array).buffer);
  halves.set(data, bits);
  return bits as unknown as Float32Array<ArrayBuffer>;
}

/** With the bits of f16 as numbers; nothing is copied. */
const floatsOf = (outputs: Readonly<Record<string, Tensor>>): Outputs =>
  Object.fromEntries(
    Object.entries(outputs).map(([name, { type, data }]) => {
      const bits = type === "float16" && data instanceof Uint16Array;
      return [name, { data: bits ? new Halves(data.buffer, data.byteOffset, data.length) : data }];
    }),
  );
