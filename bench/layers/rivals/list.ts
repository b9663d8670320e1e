// Everyone who takes part: data for the page and the contest. A library is loaded in the process that works with it.
import type { LayerRival } from "./rival.ts";

export interface Entrant {
  name: string;
  /** One line for the page: how it is called, what it does differently. */
  note: string;
  /** Numbers of threads that it can work on. */
  threads: readonly number[];
  start(threads: number): Promise<LayerRival>;
}

const rank1 = (name: string, wide: boolean, note: string): Entrant => ({
  ...{ name, note, threads: [1, 2] },
  start: async (threads) => (await import("./rank1.ts")).rank1(threads, wide),
});

export const entrants: readonly Entrant[] = [
  rank1("rank1", false, "128-bit code, the library's default; NHWC; `out` given"),
  rank1("rank1 wide", true, "`createEngine({ wide: true })`; NHWC; `out` given"),
  {
    name: "ONNX Runtime",
    note: "`onnxruntime-node`, native; NCHW, which it reorders for its kernels by itself; outputs given; all graph optimisations",
    threads: [1, 2],
    start: async (threads) => (await import("./onnx-runtime.ts")).onnxNative(threads),
  },
  {
    name: "ONNX Runtime Web",
    note: "`onnxruntime-web`, WebAssembly with SIMD and threads; NCHW; returns a fresh array; all graph optimisations",
    threads: [1, 2],
    start: async (threads) => (await import("./onnx-runtime.ts")).onnxWeb(threads),
  },
  {
    name: "TensorFlow.js",
    note: "`@tensorflow/tfjs-backend-wasm` with SIMD, with threads where there are two; `tf.fused.conv2d`, `tf.fused.depthwiseConv2d`; NHWC; returns a fresh array",
    threads: [1, 2],
    start: async (threads) => (await import("./tensorflow.ts")).tensorFlow(threads),
  },
  {
    name: "jax-js",
    note: "its WebAssembly backend, `jit`; NCHW; its threads are a browser's workers, so it has one in Node; returns a fresh array",
    threads: [1],
    start: async () => (await import("./jax.ts")).jax(),
  },
];
