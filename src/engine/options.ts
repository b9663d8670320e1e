// The options of an engine, checked before anything is started.
import { type Verdict, verdictNames } from "../backend/backend.ts";
import { type BackendName, type Choice, chooseBackend } from "../backend/choose.ts";
import {
  checkBoolean,
  checkFunction,
  checkInteger,
  checkOneOf,
  checkOptions,
  describe,
  InvalidArgumentError,
} from "../errors.ts";
import type { WebWorker } from "./platform.ts";

/** What an engine refuses as too large, before it takes any memory. */
export interface Limits {
  /** Largest width or height of a picture, in pixels. */
  side: number;
  /** Largest number of pixels of a picture. */
  pixels: number;
  /** Largest side of a filter. */
  filterSide: number;
}

const defaultLimits: Limits = { side: 1 << 20, pixels: 2 ** 30, filterSide: 2049 };

/** What an engine is made with; all of it may be left out. */
export interface EngineOptions {
  /** "auto" (default): WebAssembly where it runs, else the reference loops. "webgpu": the GPU, of the page or of the npm package `webgpu`. */
  backend?: BackendName;
  /** Threads that work, the caller's included. Default: what the machine has, and one where a call is over in a moment. */
  threads?: number;
  /** Equal bits on every machine: no fused multiply-adds. Default false. */
  deterministic?: boolean;
  /**
   * Lets V8 join pairs of 128-bit instructions into 256-bit ones (Node 24 and later on x64): about 1.5 times as fast.
   * Sets experimental flags of the process while kernels are compiled; every kernel is checked against its twin. Default false.
   */
  wide?: boolean;
  /** What `info().wide.verdicts` gave on this machine, under this version of the runtime: saves checking again. */
  verdicts?: Readonly<Record<string, Verdict>>;
  /**
   * How a filter's plan is chosen. "predicted" (default): by the cost model. "measured": the candidates that look promising
   * run in turn on the first picture of each kind, and the engine keeps the fastest; that call takes several times as
   * long, and where candidates round differently, results may differ in their last bits from machine to machine.
   */
  planning?: Planning;
  /**
   * Bytes of working memory at most; pictures are streamed through it and never held whole. What stays between calls: a 64th of
   * it for programs of filters and layers, of which the least recently used go first, and a quarter with packed weights.
   * Default 1 GiB.
   */
  maxMemory?: number;
  /** Largest sizes. Defaults: sides of 2^20 and 2^30 pixels, filters of 2049 a side. */
  limits?: Partial<Limits>;
  /** Of "webgpu": a GPUDevice of yours, which you keep. Default: one that the engine asks for. */
  device?: object;
  /** Of "webgpu": which GPU, where there are several. */
  powerPreference?: "low-power" | "high-performance";
  /** Of "webgpu": takes an adapter that computes on the processor too, right and slower than WebAssembly. Default false. */
  allowSoftware?: boolean;
  /** Makes the worker, for pages that cannot load worker.js from beside the module. */
  createWorker?: () => WebWorker;
}

/** How a filter's plan is chosen: see {@link EngineOptions.planning}. */
export type Planning = "predicted" | "measured";

export interface CheckedOptions {
  choice: Choice;
  limits: Limits;
  planning: Planning;
  maxMemory: number;
}

/** Checks options and chooses the backend. */
export async function checkEngineOptions(options?: EngineOptions): Promise<CheckedOptions> {
  const keys = [
    "backend",
    "threads",
    "deterministic",
    "wide",
    "verdicts",
    "planning",
    "maxMemory",
    "limits",
    "createWorker",
    "device",
    "powerPreference",
    "allowSoftware",
  ] as const;
  const given = checkOptions<EngineOptions>("options", options, keys);
  const limits = { ...defaultLimits };
  for (const [name, limit] of Object.entries(
    checkOptions<Limits>("limits", given.limits, ["side", "pixels", "filterSide"]),
  )) {
    limits[name as keyof Limits] = checkInteger(`limits.${name}`, limit, { min: 1 });
  }
  const backend = given.backend ?? "auto";
  const planning = checkOneOf("planning", given.planning ?? "predicted", ["predicted", "measured"] as const);
  const maxMemory = checkInteger("maxMemory", given.maxMemory ?? 2 ** 30, { min: 2 ** 20, max: 2 ** 32 - 65536 });
  checkGraphics(backend, given);
  const graphics = {
    device: given.device as GPUDevice | undefined,
    ...(given.powerPreference !== undefined && {
      powerPreference: checkOneOf("powerPreference", given.powerPreference, ["low-power", "high-performance"] as const),
    }),
    allowSoftware: checkBoolean("allowSoftware", given.allowSoftware ?? false),
  };
  const choice = await chooseBackend({
    graphics,
    backend: checkOneOf("backend", backend, ["auto", "wasm", "webgpu", "reference"] as const),
    threads: given.threads === undefined ? undefined : checkInteger("threads", given.threads, { min: 1, max: 64 }),
    deterministic: checkBoolean("deterministic", given.deterministic ?? false),
    wide: checkBoolean("wide", given.wide ?? false),
    verdicts: checkVerdicts(given.verdicts ?? {}),
    maxMemory,
    createWorker: given.createWorker === undefined ? undefined : checkFunction("createWorker", given.createWorker),
  });
  return { choice, limits, planning, maxMemory };
}

/** Options that only the GPU has, and one that it cannot have. */
function checkGraphics(backend: string, given: Partial<EngineOptions>): void {
  for (const name of ["device", "powerPreference", "allowSoftware"] as const) {
    if (given[name] === undefined || backend === "webgpu") continue;
    const [expected, received] = ['no such option but with backend "webgpu"', `backend ${describe(backend)}`];
    throw new InvalidArgumentError({ parameter: name, expected, received });
  }
  if (backend !== "webgpu" || given.deterministic !== true) return;
  const [expected, received] = ['false with backend "webgpu", since GPUs round as they like', "true"];
  throw new InvalidArgumentError({ parameter: "deterministic", expected, received });
}

function checkVerdicts(verdicts: unknown): [string, Verdict][] {
  if (typeof verdicts !== "object" || verdicts === null || Array.isArray(verdicts)) {
    const [expected, received] = ["an object of verdicts by kernel, as engine.info() gives it", describe(verdicts)];
    throw new InvalidArgumentError({ parameter: "verdicts", expected, received });
  }
  return Object.entries(verdicts).map(([kernel, verdict]) => [
    kernel,
    checkOneOf(`verdicts[${describe(kernel)}]`, verdict, verdictNames),
  ]);
}
