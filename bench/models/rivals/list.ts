// Everyone who takes part: data for the page and the contest. A library is loaded in the process that works with it.
import { judge } from "../judge.ts";
import type { ModelRival } from "./rival.ts";

export interface Entrant {
  name: string;
  /** One line for the page: how it is called, what it does differently. */
  note: string;
  /** `verdicts`: what rank1 knows of its wide kernels beforehand. */
  start(threads: number, verdicts?: Record<string, never>): Promise<ModelRival>;
}

const rank1 = (name: string, wide: boolean, note: string): Entrant => ({
  ...{ name, note },
  start: async (threads, verdicts) => (await import("./rank1.ts")).rank1(threads, wide, verdicts),
});

export const entrants: readonly Entrant[] = [
  rank1("rank1", false, "128-bit code, the library's default; the built package"),
  rank1("rank1 wide", true, "`createEngine({ wide: true })`; the built package"),
  {
    name: judge,
    note: "`onnxruntime-node`, native; all graph optimisations",
    start: async (threads) => (await import("./onnx-runtime.ts")).onnxNative(threads),
  },
  {
    name: "ONNX Runtime Web",
    note: "`onnxruntime-web`, WebAssembly with SIMD and threads; all graph optimisations",
    start: async (threads) => (await import("./onnx-runtime.ts")).onnxWeb(threads),
  },
];
