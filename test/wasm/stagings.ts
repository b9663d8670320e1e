// Memory of a test, and staging in it: with a memory of its own, and where engines have one memory alone.
import { Allocator } from "../../src/backend/wasm/memory.ts";
import { Staging } from "../../src/backend/wasm/staging.ts";

const memory = new WebAssembly.Memory({ initial: 16 });
export const stagings = [true, false].map((apart) => {
  const allocator = new Allocator(16 * 65536, () => {});
  if (!apart) allocator.allocate(8 * 65536);
  return new Staging(memory, allocator, { shared: false, maximum: 16, apart });
});
/** The half of it that no staging takes. */
export const floats = new Float32Array(memory.buffer, 0, 8 * 16384);
