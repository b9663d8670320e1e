// Writes WGSL, the language of WebGPU's kernels: one compute shader whose invocations, the units, are numbered. Sizes are words of
// a uniform block, so that shaders of equal text serve many shapes.

/** Element types of bound arrays. */
export type WgslType = "f32" | "vec4f" | "i32" | "u32";

/** An array in the GPU's memory, by the name that the shader calls it. */
export interface WgslArray {
  name: string;
  type: WgslType;
  /** It may be written. */
  written?: boolean;
}

export interface WgslModule {
  /** In the order of their bindings, which follow the uniform block. */
  arrays: readonly WgslArray[];
  /** Names of the words of the uniform block: integers, as `p.name`. */
  words: readonly string[];
  /** Text of functions that the body calls. */
  functions?: readonly string[];
  /** Declarations of memory that a workgroup shares. */
  shared?: readonly string[];
  /**
   * Statements for the unit `u`, an i32 below `p.units`. A body that has barriers runs for all units of a workgroup, those beyond the last
   * too, and finds its place by `group` and `lane`.
   */
  body: string;
  together?: boolean;
  /** Units of a workgroup; 64 where absent. */
  size?: number;
}

/** Words that stand before those that a shader names. */
export const ownWords = ["units", "across"] as const;

export const defaultSize = 64;

/** The text of a module, with the entry point `main`. */
export function wgslText({
  arrays,
  words,
  functions = [],
  shared = [],
  body,
  together,
  size = defaultSize,
}: WgslModule): string {
  const fields = [...ownWords, ...words].map((word) => `  ${word}: i32,`).join("\n");
  const bindings = arrays.map(
    ({ name, type, written }, i) =>
      `@group(0) @binding(${i + 1}) var<storage, ${written ? "read_write" : "read"}> ${name}: array<${type}>;`,
  );
  return [
    `struct Words {\n${fields}\n}`,
    "@group(0) @binding(0) var<uniform> p: Words;",
    ...bindings,
    ...shared,
    ...new Set(functions),
    `@compute @workgroup_size(${size})`,
    "fn main(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) local: u32) {",
    "  let lane = i32(local);",
    "  let group = i32(id.y) * p.across + i32(id.x);",
    `  let u = group * ${size} + lane;`,
    ...(together ? [] : ["  if (u >= p.units) { return; }"]),
    body,
    "}",
  ].join("\n");
}

/** A number as a literal that is that number in f32. */
export function f32Literal(value: number): string {
  const single = Math.fround(value);
  if (Number.isNaN(single)) return "bitcast<f32>(nan())";
  if (!Number.isFinite(single)) return `bitcast<f32>(infinite(${single < 0 ? "0xff800000u" : "0x7f800000u"}))`;
  return `${Object.is(single, -0) ? "-0.0" : Number.isInteger(single) && Math.abs(single) < 2 ** 24 ? `${single}.0` : single.toString()}f`;
}
