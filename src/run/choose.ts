// Which machine an engine gets, and why.
import { UnsupportedError } from "../errors.ts";
import { detectFeatures } from "../wasm/features.ts";
import { hardwareThreads } from "../wasm/host.ts";
import { wideSupport } from "../wasm/wide.ts";
import type { Machine } from "./machine.ts";
import { ReferenceMachine } from "./reference.ts";
import { type Verdict, WasmMachine } from "./wasm.ts";

export type Backend = "auto" | "wasm" | "webgpu" | "reference";

export interface MachineOptions {
  backend: Backend;
  threads?: number;
  deterministic: boolean;
  wide: boolean;
  verdicts?: Iterable<[string, Verdict]>;
  maxMemory: number;
  createWorker?: () => Worker;
}

export interface Choice {
  machine: Machine;
  /** Fused multiply-adds are generated. */
  relaxed: boolean;
  /** Whether 256-bit code is generated, and why or why not. */
  wide: { enabled: boolean; reason: string };
  /** Why this machine: shown by `engine.info()`. */
  reason: string;
}

const advice = "see docs/deploying.md";

/** More threads than this gain nothing on pictures: they move more memory than they compute. */
const mostThreads = 16;

export function chooseMachine(options: MachineOptions): Choice {
  const { backend, threads, deterministic, maxMemory, createWorker, verdicts } = options;
  if (backend === "webgpu") {
    const [expected, received] = ['"auto", "wasm" or "reference"', '"webgpu"'];
    const hint = 'this version has no WebGPU backend: "auto", the default, takes the fastest that it has';
    throw new UnsupportedError({ parameter: "backend", expected, received, hint });
  }
  const features = detectFeatures();
  const asked = `backend "${backend}" was asked for`;
  const plain = { relaxed: false, wide: { enabled: false, reason: "the reference runs" } };
  if (backend === "reference") return { machine: new ReferenceMachine(maxMemory), ...plain, reason: asked };
  if (!features.simd) {
    const why = features.reason ?? "SIMD_MISSING";
    if (backend === "auto") {
      console.warn(`rank1: the slow reference loops run: ${why}; ${advice}`);
      return { machine: new ReferenceMachine(maxMemory), ...plain, reason: why };
    }
    throw new UnsupportedError({
      parameter: "backend",
      expected: "an engine that runs WebAssembly SIMD",
      received: why,
    });
  }
  const wanted = threads ?? Math.min(mostThreads, hardwareThreads());
  const single = features.threads ? "" : "one thread works: memory cannot be shared on this page";
  if (single && wanted > 1) console.warn(`rank1: ${single}; ${advice}`);
  const support = options.wide ? wideSupport() : { supported: false, reason: "not asked for" };
  const wide = { enabled: support.supported, reason: support.reason };
  const mode = { relaxed: features.relaxed && !deterministic, wide: wide.enabled };
  const machine = new WasmMachine({
    threads: single ? 1 : wanted,
    always: threads !== undefined,
    maxMemory,
    mode,
    createWorker,
    verdicts,
  });
  const found = backend === "auto" ? "WebAssembly SIMD is available" : asked;
  return {
    machine,
    relaxed: mode.relaxed,
    wide,
    // Asked for anew: workers are started later, and may be missing then.
    get reason() {
      return [found, single, machine.loss].filter(Boolean).join("; ");
    },
  };
}
