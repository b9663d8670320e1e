// Which backend an engine gets, and why.
import { UnsupportedError } from "../errors.ts";
import type { Backend, Verdict } from "./backend.ts";
import { WasmBackend } from "./wasm/backend.ts";
import { detectFeatures } from "./wasm/features.ts";
import { hardwareThreads } from "./wasm/host.ts";
import { wideSupport } from "./wasm/wide.ts";
import type { DeviceOptions } from "./webgpu/device.ts";

export type BackendName = "auto" | "wasm" | "webgpu" | "reference";

export interface BackendOptions {
  backend: BackendName;
  threads?: number;
  deterministic: boolean;
  wide: boolean;
  verdicts?: Iterable<[string, Verdict]>;
  maxMemory: number;
  createWorker?: () => Worker;
  /** Of "webgpu". */
  graphics?: DeviceOptions;
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

/** The backend that options ask for; the reference loads when it is to run. */
export async function chooseBackend(options: BackendOptions): Promise<Choice> {
  const { backend: name, maxMemory } = options;
  if (name === "webgpu") return chooseWebGpu(options);
  const { simd, reason } = detectFeatures();
  if (name !== "reference" && (name !== "auto" || simd)) return chooseWasm(options);
  const why = name === "reference" ? askedFor(name) : (reason ?? noSimd);
  if (name === "auto") console.warn(`rank1: the slow reference loops run: ${why}; ${advice}`);
  const { ReferenceBackend } = await import("./reference/backend.ts");
  return {
    ...{ backend: new ReferenceBackend(maxMemory), relaxed: false, reason: why, verdicts: new Map() },
    wide: { enabled: false, reason: "the reference runs" },
  };
}

/** The GPU, and for what it has no kernels what would run without it. */
async function chooseWebGpu(options: BackendOptions): Promise<Choice> {
  const { WebGpuBackend } = await import("./webgpu/backend.ts");
  const other = async (): Promise<Backend> => (await chooseBackend({ ...options, backend: "auto" })).backend;
  return {
    backend: await WebGpuBackend.create(options.maxMemory, options.graphics ?? {}, other),
    ...{ relaxed: true, reason: askedFor("webgpu"), verdicts: new Map() },
    wide: { enabled: false, reason: "the GPU runs" },
  };
}

const askedFor = (name: BackendName): string => `backend "${name}" was asked for`;
const noSimd = "SIMD_MISSING";

/** The backend that generates code. Throws an UnsupportedError where none may run. */
export function chooseWasm(options: BackendOptions): Choice {
  const { backend: name, threads, deterministic, maxMemory, createWorker, verdicts } = options;
  const features = detectFeatures();
  if (!features.simd) {
    const [expected, received] = ["an engine that runs WebAssembly SIMD", features.reason ?? noSimd];
    throw new UnsupportedError({ parameter: "backend", expected, received });
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
  const found = name === "auto" ? "WebAssembly SIMD is available" : askedFor(name);
  return {
    ...{ backend, relaxed: mode.relaxed, wide, verdicts: backend.verdicts },
    // Asked for anew: workers are started later, and may be missing then.
    get reason() {
      return [found, single, backend.loss].filter(Boolean).join("; ");
    },
  };
}
