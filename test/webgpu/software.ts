// A GPU for tests: one that Chromium's folder computes on the processor (SwiftShader), by the npm package "webgpu"; any that there is
// where RANK1_GPU_ADAPTER says "own".
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { WasmBackend } from "../../src/backend/wasm/backend.ts";
import { WebGpuBackend } from "../../src/backend/webgpu/backend.ts";

const folders = ["/usr/lib/chromium", "/usr/lib/chromium-browser", "/opt/google/chrome"];
const keepLoaded = 0x1002;

/** Why there is no adapter; undefined where there is one. */
export function missingAdapter(): string | undefined {
  try {
    createRequire(import.meta.url).resolve("webgpu");
  } catch {
    return 'the npm package "webgpu" is not installed';
  }
  if (process.env.RANK1_GPU_ADAPTER === "own") return undefined;
  const folder = folders.find((one) => existsSync(join(one, "vk_swiftshader_icd.json")));
  if (!folder) return "no Chromium with SwiftShader is installed";
  process.env.VK_ICD_FILENAMES ??= join(folder, "vk_swiftshader_icd.json");
  // The loader of Vulkan stands beside it. It is no addon, which Node says by an error, but stays loaded.
  const loader = join(folder, "libvulkan.so.1");
  try {
    if (existsSync(loader)) process.dlopen({ exports: {} }, loader, keepLoaded);
  } catch {}
  return undefined;
}

/** A backend on that adapter; what has no WGSL runs on one thread of WebAssembly. */
export const openBackend = (): Promise<WebGpuBackend> =>
  WebGpuBackend.create(2 ** 28, { allowSoftware: true }, async () => {
    const mode = { relaxed: false, wide: false };
    return new WasmBackend({ threads: 1, always: false, maxMemory: 2 ** 28, mode, memories: true });
  });

/** All cases, not one for each variant of a kernel. */
export const isThorough = process.env.RANK1_GPU === "all";
