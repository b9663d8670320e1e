// What this JavaScript engine can run, asked by validating tiny modules that use it.
import {
  type Code,
  copyBytes,
  type FunctionBuilder,
  i32,
  ModuleBuilder,
  op,
  splat,
  store,
} from "../../codegen/assembler.ts";

export interface Features {
  /** WebAssembly exists and this page may compile bytes (a policy without 'wasm-unsafe-eval' refuses). */
  wasm: boolean;
  simd: boolean;
  relaxed: boolean;
  /** Shared memory between threads. */
  threads: boolean;
  /** Several memories in one module. */
  memories: boolean;
  /** Why wasm is false: an error code and a sentence. */
  reason?: string;
}

function validates(value: Code): boolean {
  const module = new ModuleBuilder();
  module.define("f", [], (f: FunctionBuilder) => f.emit(store("v128.store", i32(0), value)));
  return WebAssembly.validate(module.encode({ shared: false, maximum: 1 }));
}

export function detectFeatures(): Features {
  const none = { wasm: false, simd: false, relaxed: false, threads: false, memories: false };
  if (typeof WebAssembly !== "object") return { ...none, reason: "WASM_MISSING: there is no WebAssembly here" };
  try {
    new WebAssembly.Module(new Uint8Array([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]));
  } catch {
    return { ...none, reason: "WASM_BLOCKED: the content security policy lacks 'wasm-unsafe-eval'" };
  }
  const zero = splat("f32x4", 0);
  const simd = validates(zero);
  return {
    wasm: true,
    simd,
    relaxed: simd && validates(op("f32x4.relaxed_madd", zero, zero, zero)),
    threads: simd && sharedMemory(),
    memories: simd && severalMemories(),
    reason: simd ? undefined : "SIMD_MISSING: this engine has no 128-bit WebAssembly instructions",
  };
}

function severalMemories(): boolean {
  const module = new ModuleBuilder({ memories: ["staging"] });
  module.define("f", [], (f) => f.emit(copyBytes(i32(0), i32(0), i32(0), 0, 1)));
  return WebAssembly.validate(module.encode({ shared: false, maximum: 1 }));
}

function sharedMemory(): boolean {
  // A browser hands out shared memory only on isolated pages; elsewhere the constructor may exist and still not serve.
  const isolated = (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated;
  if (isolated === false || typeof SharedArrayBuffer !== "function") return false;
  try {
    return new WebAssembly.Memory({ initial: 0, maximum: 1, shared: true }).buffer instanceof SharedArrayBuffer;
  } catch {
    return false;
  }
}
