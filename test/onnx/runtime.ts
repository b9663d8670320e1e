// ONNX Runtime as an independent judge: runs a model that lies in memory.
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { toValue } from "../../src/graph/values.ts";
import type { DType, Tensor } from "../../src/tensor.ts";

/** Undefined where this machine has no build of it. */
export const runtime = await import("onnxruntime-node").catch(() => undefined);

// Its binding knows halves as bits only: its JavaScript must not find that the language has them when it makes its first tensor.
const { Float16Array: Halves } = globalThis;
if (runtime && Halves) {
  Reflect.deleteProperty(globalThis, "Float16Array");
  new runtime.Tensor("float32", new Float32Array(1), [1]);
  Object.defineProperty(globalThis, "Float16Array", { value: Halves, configurable: true, writable: true });
}

/** What tests say that end early without it. */
export const withoutRuntime = "this machine has no build of onnxruntime-node: all but its judgement was tested";

const types: Partial<Record<DType, OrtTensor.Type>> = {
  ...{ u8: "uint8", i8: "int8", u16: "uint16", i16: "int16", u32: "uint32", i32: "int32", i64: "int64", u64: "uint64" },
  ...{ f32: "float32", f64: "float64", bool: "bool" },
};

/** The outputs by name. */
export async function runRuntime(
  model: Uint8Array,
  inputs: Record<string, Tensor>,
  graphOptimizationLevel: "basic" | "all" = "basic",
): Promise<Record<string, Tensor>> {
  const { InferenceSession, Tensor } = runtime!;
  const options: InferenceSession.SessionOptions = {
    intraOpNumThreads: 1,
    graphOptimizationLevel,
    logSeverityLevel: 4,
  };
  const session = await InferenceSession.create(model, options);
  const feeds = Object.entries(inputs).map(([name, tensor]) => {
    const { dtype, data, shape } = toValue(tensor)!;
    const declared = session.inputMetadata.find((input) => input.name === name);
    if (declared?.isTensor && declared.type === "float16") {
      return [name, new Tensor("float16", new Uint16Array(Halves.from(data as Float32Array).buffer), shape)] as const;
    }
    return [name, new Tensor(types[dtype]!, data as Float32Array, shape)] as const;
  });
  const outputs = await session.run(Object.fromEntries(feeds));
  await session.release();
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { type, data, dims }]) => {
      if (type === "float16") {
        const bits = data as unknown as Uint16Array;
        return [name, { shape: dims, data: Float32Array.from(new Halves(bits.buffer, bits.byteOffset, bits.length)) }];
      }
      const dtype = (Object.keys(types) as DType[]).find((one) => types[one] === type)!;
      return [name, { shape: dims, data: data as Float32Array, dtype }];
    }),
  );
}
