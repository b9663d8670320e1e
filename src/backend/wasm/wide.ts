// Wide mode: V8's experimental pass that joins pairs of 128-bit instructions into 256-bit ones. Its flag is process-wide, so
// it is set only while kernels are compiled, at once by the optimising compiler, and put back at once.

interface V8Module {
  setFlagsFromString(flags: string): void;
}

interface NodeProcess {
  getBuiltinModule?: (name: string) => unknown;
  versions?: { v8?: string };
  arch?: string;
}

const host = (globalThis as { process?: NodeProcess }).process;
/** Asked for only where wide code is wanted: it takes a while to load. */
const v8 = (): V8Module | undefined => host?.getBuiltinModule?.("node:v8") as V8Module | undefined;

/** The first V8 whose pass is known to serve (Node 24). */
const firstVersion = 13;

/** Whether wide code can be generated here; if not, why. */
export function wideSupport(): { supported: boolean; reason: string } {
  const version = host?.versions?.v8 ?? "";
  if (!v8()) return { supported: false, reason: "this engine has no flag for it" };
  if (host?.arch !== "x64") return { supported: false, reason: `it needs x64, this is ${host?.arch}` };
  if (Number.parseInt(version, 10) < firstVersion) return { supported: false, reason: `V8 ${version} lacks the pass` };
  return { supported: true, reason: `V8 ${version} on x64` };
}

/** Compiles with the optimising compiler only, at the first call; wide or not. */
export function compileOptimised<T>(wide: boolean, compile: () => T): T {
  const flags = wide ? ["liftoff", "experimental-wasm-revectorize"] : ["liftoff"];
  const engine = v8();
  const set = (name: string, on: boolean): void => engine?.setFlagsFromString(`--${on ? "" : "no-"}${name}`);
  for (const name of flags) set(name, name !== "liftoff");
  try {
    return compile();
  } finally {
    for (const name of flags) set(name, name === "liftoff");
  }
}

const decoder = new TextDecoder();
const text = new Uint8Array(256).fill(0x41);

/**
 * Empties the upper halves of the vector registers. Wide code leaves them as they are, and as long as they hold something, code that
 * was compiled for 128 bits takes up to twenty times as long: Math.exp, Math.tanh and Math.pow, the collector of garbage and much
 * else. Engines decode text by wide code of compilers, which ends by emptying them.
 */
export function emptyUpperHalves(): void {
  decoder.decode(text);
}
