// The built-in profile: what the cost model assumes of a machine. Figures are nanoseconds on one thread of a common
// x86-64 server core, from this repository's own kernels; only their ratios decide.
import type { Profile } from "./types.ts";

export const builtInProfile: Profile = {
  name: "built-in",
  multiplication: {
    i16: 0.04,
    u16: 0.04,
    i32: 0.085,
    f32: 0.08,
    fixed: 0.03,
    matrix: 0.021,
    depthwise: 0.033,
    fft: 0.14,
  },
  addition: 0.1,
  serialAddition: 0.45,
  byte: 0.06,
  arenaByte: 0.02,
  element: 0.22,
  call: 120,
  cache: 256 * 1024,
};
