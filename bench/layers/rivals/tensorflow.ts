// TensorFlow.js on its WebAssembly backend with SIMD, and with threads, which it refuses to set up by itself in Node.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import { dirname, join } from "node:path";
import type * as tfjs from "@tensorflow/tfjs-core";
import type * as backend from "@tensorflow/tfjs-backend-wasm";
import { timedNow, versionOf } from "../../rival.ts";
import type { LayerData } from "../data.ts";
import type { LayerRival } from "./rival.ts";

// Both as CommonJS, so that they share one core.
const require = createRequire(import.meta.url);

export async function tensorFlow(threads: number): Promise<LayerRival> {
  // It uses half of the cores at most, taking them for hyperthreads.
  const cores = os.cpus();
  os.cpus = () => [...cores, ...cores];
  const tf: typeof tfjs = require("@tensorflow/tfjs-core");
  const wasm: typeof backend = require("@tensorflow/tfjs-backend-wasm");
  if (threads > 1) await useThreads(tf, wasm, threads);
  await tf.setBackend("wasm");
  if (threads > 1 && wasm.getThreadsCount() !== threads) throw new Error(`${wasm.getThreadsCount()} threads started`);

  const layer = (x: tfjs.Tensor4D, weights: Weights[], residual: boolean): tfjs.Tensor => {
    let y = x;
    for (const { kind, filter, stride: strides, bias, activation } of weights) {
      const options = { x: y, filter, strides, pad: "same", bias, activation: activations[activation] } as const;
      y = kind === "depthwise" ? tf.fused.depthwiseConv2d(options) : tf.fused.conv2d(options);
    }
    return residual ? tf.add(x, y) : y;
  };

  return {
    version: versionOf("@tensorflow/tfjs-backend-wasm"),
    async prepare(problem, data) {
      const { height, width, channels, residual } = problem;
      const weights = tensorsOf(tf, data);
      let last: Float32Array = new Float32Array();
      const run = (): void => {
        // What a tidied function returns is searched for tensors, element by element.
        tf.tidy(() => {
          const x = tf.tensor4d(data.x, [1, height, width, channels]);
          last = layer(x, weights, residual).dataSync<"float32">();
        });
      };
      return {
        run: () => timedNow(run),
        result: () => last,
        dispose: () => tf.dispose(weights.flatMap(({ filter, bias }) => [filter, bias])),
      };
    },
  };
}

const activations = { none: "linear", relu: "relu", relu6: "relu6" } as const;

type Weights = ReturnType<typeof tensorsOf>[number];

function tensorsOf(tf: typeof tfjs, { links }: LayerData) {
  return links.map((link) => {
    const { size, inputs, outputs, kind, weight, bias } = link;
    const filter = tf.tensor4d(weight, [size, size, inputs, kind === "depthwise" ? 1 : outputs]);
    return { ...link, filter, bias: tf.tensor1d(bias) };
  });
}

/** What its own `init` does in browsers, with files where that makes URLs of blobs. */
async function useThreads(tf: typeof tfjs, wasm: typeof backend, threads: number): Promise<void> {
  const folder = join(dirname(require.resolve("@tensorflow/tfjs-backend-wasm/package.json")), "wasm-out");
  const main = join(folder, "tfjs-backend-wasm-threaded-simd.js");
  const { wasmWorkerContents } = require(join(folder, "tfjs-backend-wasm-threaded-simd.worker.js"));
  const own = mkdtempSync(join(os.tmpdir(), "rank1-bench-"));
  process.on("exit", () => rmSync(own, { recursive: true, force: true }));
  const worker = join(own, "worker.cjs");
  writeFileSync(worker, wasmWorkerContents.replace(/\n/g, "\\n"));
  const module = await require(main)({
    locateFile: (name: string) => (name.endsWith(".worker.js") ? worker : join(folder, name)),
    mainScriptUrlOrBlob: main,
  });
  module.tfjs = {
    init: module.cwrap("init", null, []),
    initWithThreadsCount: module.cwrap("init_with_threads_count", null, ["number"]),
    getThreadsCount: module.cwrap("get_threads_count", "number", []),
    registerTensor: module.cwrap("register_tensor", null, ["number", "number", "number"]),
    disposeData: module.cwrap("dispose_data", null, ["number"]),
    dispose: module.cwrap("dispose", null, []),
  };
  wasm.setThreadsCount(threads);
  tf.removeBackend("wasm");
  tf.registerBackend("wasm", () => new wasm.BackendWasm(module));
}
