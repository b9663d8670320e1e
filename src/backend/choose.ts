// Which backend an engine gets, and why.
import { UnsupportedError } from "../errors.ts";
import type { Backend, Verdict } from "./backend.ts";
import { ReferenceBackend } from "./reference/backend.ts";
import { WasmBackend } from "./wasm/backend.ts";
import { detectFeatures } from "./wasm/features.ts";
import { hardwareThreads } from "./wasm/host.ts";
import { wideSupport } from "./wasm/wide.ts";

export type BackendName = "auto" | "wasm" | "webgpu" | "reference";

export interface BackendOptions {
  backend: BackendName;
  threads?: number;
  deterministic: boolean;
  wide: boolean;
  verdicts?: Iterable<[string, Verdict]>;
  maxMemory: number;
  createWorker?: () => Worker;
}

export interface Choice {
  backend: Backend;
  /** Fused multiply-adds are generated. */
  relaxed: boolean;
  /** Whether 256-bit code is generated, and why or why not. */
  wide: { enabled: boolean; reason: string };
  /** What became of kernels in wide mode. */
  verdicts: ReadonlyMap<string, Verdict>;
  /** Why this backend: shown by `engine.info()`. */
  reason: string;
}

const advice = "see docs/deploying.md";

/** More threads than this gain nothing on pictures: they move more memory than they compute. */
const mostThreads = 16;

export function chooseBackend(options: BackendOptions): Choice {
  const { backend: name, threads, deterministic, maxMemory, createWorker, verdicts } = options;
  if (name === "webgpu") {
    const [expected, received] = ['"auto", "wasm" or "reference"', '"webgpu"'];
    const hint = 'this version has no WebGPU backend: "auto", the default, takes the fastest that it has';
    throw new UnsupportedError({ parameter: "backend", expected, received, hint });
  }
  const features = detectFeatures();
  const asked = `backend "${name}" was asked for`;
  const reference = (reason: string): Choice => ({
    ...{ backend: new ReferenceBackend(maxMemory), relaxed: false, reason, verdicts: new Map() },
    wide: { enabled: false, reason: "the reference runs" },
  });
  if (name === "reference") return reference(asked);
  if (!features.simd) {
    const why = features.reason ?? "SIMD_MISSING";
    if (name === "auto") {
      console.warn(`rank1: the slow reference loops run: ${why}; ${advice}`);
      return reference(why);
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
  const backend = new WasmBackend({
    ...{ threads: single ? 1 : wanted, always: threads !== undefined, maxMemory, mode },
    ...{ memories: features.memories, createWorker, verdicts },
  });
  const found = name === "auto" ? "WebAssembly SIMD is available" : asked;
  return {
    ...{ backend, relaxed: mode.relaxed, wide, verdicts: backend.verdicts },
    // Asked for anew: workers are started later, and may be missing then.
    get reason() {
      return [found, single, backend.loss].filter(Boolean).join("; ");
    },
  };
}
