// The GPU: which adapter, its device, and what becomes of it when it is lost. In pages it is the browser's; in Node that of the
// package "webgpu", which the caller installs.
import { describe, InvalidArgumentError, Rank1Error, UnsupportedError } from "../../errors.ts";

export interface DeviceOptions {
  /** A device of the caller's, who keeps it. */
  device?: GPUDevice;
  powerPreference?: GPUPowerPreference;
  /** Takes an adapter that computes on the processor, too. */
  allowSoftware?: boolean;
}

/** What an adapter says of itself. */
export interface AdapterInfo {
  name: string;
  /** It computes on the processor. */
  software: boolean;
}

export interface OpenDevice {
  device: GPUDevice;
  adapter: AdapterInfo;
  limits: { buffer: number; binding: number; shared: number; invocations: number; dispatch: number };
}

/** Bits of the use of buffers, as the standard numbers them. */
export const usage = { mapRead: 1, copyFrom: 4, copyTo: 8, uniform: 0x40, storage: 0x80 } as const;
/** Of the way in which a buffer is mapped. */
export const mapRead = 1;

interface Builtins {
  getBuiltinModule?: (name: string) => { createRequire(from: string | URL): (name: string) => NodePackage } | undefined;
  cwd?(): string;
}

/** The package "webgpu". */
interface NodePackage {
  create(options: string[]): GPU;
}

let ofNode: GPU | undefined;

/** The page's GPU, or Node's. */
function entryPoint(): GPU {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (own) return own;
  const { process } = globalThis as { process?: Builtins };
  const module = process?.getBuiltinModule?.("node:module");
  if (!module) {
    const [expected, received] = ["a page with WebGPU", "one without navigator.gpu"];
    const hint = "pages need HTTPS or localhost, and a browser that has it: docs/webgpu.md";
    throw new UnsupportedError({ parameter: "backend", expected, received, hint });
  }
  ofNode ??= loadPackage(module, process!);
  return ofNode;
}

/** From beside this package, or from where the process runs. A plain import would have bundlers look for it. */
function loadPackage(
  module: NonNullable<ReturnType<NonNullable<Builtins["getBuiltinModule"]>>>,
  process: Builtins,
): GPU {
  const places = [import.meta.url, `${process.cwd?.() ?? "."}/package.json`];
  let cause: unknown;
  for (const place of places) {
    try {
      return module.createRequire(place)("webgpu").create([]);
    } catch (error) {
      cause ??= error;
    }
  }
  const [expected, received] = ['the npm package "webgpu", which brings WebGPU to Node', "none that loads"];
  throw new UnsupportedError({ parameter: "backend", expected, received, hint: "npm install webgpu", cause });
}

/** What a device was lost by; undefined while it is there. */
export interface Loss {
  reason: string;
}

/**
 * The device that the options ask for.
 *
 * @throws UnsupportedError where there is no GPU, or only one that is computed on the processor.
 */
export async function openDevice({
  device,
  powerPreference,
  allowSoftware = false,
}: DeviceOptions): Promise<OpenDevice> {
  if (device) return opened(checkDevice(device), infoOf((device as { adapterInfo?: GPUAdapterInfo }).adapterInfo));
  const adapter = await entryPoint().requestAdapter({ powerPreference });
  const expected = "a GPU";
  if (!adapter) {
    const hint = "the browser's or system's graphics driver gives none: docs/webgpu.md";
    throw new UnsupportedError({ parameter: "backend", expected, received: "no adapter", hint });
  }
  const info = infoOf((adapter as { info?: GPUAdapterInfo }).info);
  if (info.software && !allowSoftware) {
    const hint = "createEngine({ allowSoftware: true }) takes it: it is right, and slower than WebAssembly";
    throw new UnsupportedError({ parameter: "backend", expected, received: `the software adapter ${info.name}`, hint });
  }
  const { maxBufferSize, maxStorageBufferBindingSize } = adapter.limits;
  try {
    return opened(
      await adapter.requestDevice({ requiredLimits: { maxBufferSize, maxStorageBufferBindingSize } }),
      info,
    );
  } catch (cause) {
    throw new UnsupportedError({
      parameter: "backend",
      expected,
      received: `${info.name}, which gives no device`,
      cause,
    });
  }
}

function opened(device: GPUDevice, adapter: AdapterInfo): OpenDevice {
  const { limits } = device;
  return {
    ...{ device, adapter },
    limits: {
      ...{ buffer: limits.maxBufferSize, binding: limits.maxStorageBufferBindingSize },
      ...{ shared: limits.maxComputeWorkgroupStorageSize, invocations: limits.maxComputeInvocationsPerWorkgroup },
      dispatch: limits.maxComputeWorkgroupsPerDimension,
    },
  };
}

/** Names by which adapters that compute on the processor go, besides those that say so. */
const software = /swiftshader|llvmpipe|lavapipe|basic render|software/i;

function infoOf(info: GPUAdapterInfo | undefined): AdapterInfo {
  const { vendor = "", architecture = "", device = "", description = "" } = info ?? {};
  const name = description || [vendor, device || architecture].filter(Boolean).join(" ") || "an adapter without a name";
  const says = (info as { isFallbackAdapter?: boolean } | undefined)?.isFallbackAdapter === true;
  return { name, software: says || software.test(`${name} ${vendor} ${architecture} ${device}`) };
}

/** Checks what the caller gives as a device. */
export function checkDevice(device: unknown): GPUDevice {
  if (typeof (device as GPUDevice | undefined)?.createComputePipelineAsync === "function") return device as GPUDevice;
  throw new InvalidArgumentError({ parameter: "device", expected: "a GPUDevice", received: describe(device) });
}

export function lostDevice(message: string): Rank1Error {
  const [expected, received] = ["a GPU that stays", "one that was lost"];
  const hint = `${message ? `${message}; ` : ""}call again: the next call starts anew`;
  return new Rank1Error("DEVICE_LOST", { parameter: "device", expected, received, hint });
}
