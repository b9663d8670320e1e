// The files of something compiled: the code twice, its data, modules that load them, and their types.
import { InvalidArgumentError, describe as said } from "../errors.ts";
import type { FilterRecipe, ModelRecipe, Recipe } from "./recipe.ts";
import { hashOf, parts } from "./runtime.js";
import { filtersRuntime } from "./runtime-filters.js";
import { modelsRuntime } from "./runtime-models.js";

/** Of the package, as its first line says it. */
export const version = "0.1.0";

/** What was compiled. */
export interface CompiledFiles {
  /** Contents by the names of files, to be written into one folder. */
  files: Record<string, string | Uint8Array<ArrayBuffer>>;
}

interface Compiled {
  name: string;
  /** What it is, in a line. */
  about: string;
  /** With fused multiply-adds, and without. */
  modules: Uint8Array<ArrayBuffer>[];
  recipe: Omit<Recipe, "data">;
  words: Int32Array<ArrayBuffer>;
}

/** Data of fewer bytes stands in the module itself. */
const mostInlined = 65_536;

export function filesOf({ name, about, modules, recipe, words }: Compiled): CompiledFiles {
  if (!/^[\w-]+(\.[\w-]+)*$/.test(name))
    throw new InvalidArgumentError({ parameter: "name", expected: "letters, digits, _, - and single dots", received: said(name) }); // biome-ignore format: a line
  const whole: Recipe = { data: { words: words.length, hash: hashOf(words) }, ...recipe };
  const bytes = new Uint8Array(words.buffer);
  const isInlined = bytes.length < mostInlined;
  const stem = { module: `${name}.wasm`, plain: `${name}.simd.wasm`, weights: `${name}.weights.bin` };
  const [relaxed, plain] = modules as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  // Of integers alone there is nothing to fuse.
  const isOne = relaxed.length === plain.length && relaxed.every((byte, i) => byte === plain[i]);
  const urls = [stem.module, ...(isOne ? [] : [stem.plain])].map((file) => `new URL("./${file}", import.meta.url)`);
  const first = `// ${about}; made by rank1 ${version}, data ${whole.data.hash.toString(16).padStart(8, "0")}`;
  // Bundlers may have given functions other names.
  const given = Object.entries(parts).map(([name, part]) => `${name}: ${part.name}`);
  const weights = isInlined ? `${parts.fromBase64.name}(inlined)` : `weights ?? (await ${parts.bytesAt.name}(new URL("./${stem.weights}", import.meta.url)))`; // biome-ignore format: a line
  const script = [
    first,
    `const recipe = ${JSON.stringify(whole)};`,
    ...(isInlined ? [`const inlined = "${base64(bytes)}";`] : []),
    ...Object.values(parts).map(String),
    `const open = (${recipe.models ? modelsRuntime : filtersRuntime})({ ${given.join(", ")} });`,
    `export async function load({ module${isInlined ? "" : ", weights"} } = {}) {`,
    `  const code = module ?? (await ${parts.moduleAt.name}([${urls.join(", ")}]));`,
    `  ${parts.checkModule.name}(code);`,
    `  return open(recipe, code, ${parts.dataOf.name}(recipe, ${weights}));`,
    "}",
    "",
  ].join("\n");
  const known = isInlined ? "module" : "module, weights";
  const entry = (imports: readonly string[], given: string): string =>
    [first, ...imports, `import { load as open } from "./${name}.js";`, `export const load = (parts = {}) => open({ ${given}, ...parts });`, ""].join("\n"); // biome-ignore format: a line
  const types = typesOf(first, whole, isInlined);
  const again = `export * from "./${name}.js";\n`;
  return {
    files: {
      [stem.module]: relaxed,
      ...(!isOne && { [stem.plain]: plain }),
      ...(!isInlined && { [stem.weights]: bytes }),
      [`${name}.js`]: script,
      [`${name}.d.ts`]: types,
      [`${name}.worker.js`]: entry([`import module from "./${stem.module}";`, ...(isInlined ? [] : [`import weights from "./${stem.weights}";`])], known), // biome-ignore format: a line
      [`${name}.worker.d.ts`]: again,
      [`${name}.source.js`]: entry([`import source module from "./${stem.module}";`], "module"),
      [`${name}.source.d.ts`]: again,
    },
  };
}

/** In parts: calls take so many arguments only. */
function base64(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096));
  return btoa(text);
}

function typesOf(first: string, { models, filters }: Recipe, isInlined: boolean): string {
  const weights = isInlined ? "" : "\n  /** The bytes of the file of weights, where this module cannot read it. */\n  weights?: ArrayBuffer | ArrayBufferView;"; // biome-ignore format: a line
  return `${first}
/** What a host gives that reads no files, or compiles none. */
export interface Parts {
  /** The code, compiled. Default: what lies beside this module. */
  module?: WebAssembly.Module;${weights}
}
${models ? modelTypes(models) : filterTypes(filters!)}
/** Makes it ready. Rejects with an error that has a \`code\`, where the host cannot run it or parts are wrong. */
export function load(parts?: Parts): Promise<Run>;
`;
}

const listed = (dims: readonly number[]): string => `[${dims.join(", ")}]`;
const key = (name: string): string => JSON.stringify(name);

function modelTypes(models: readonly ModelRecipe[]): string {
  const arrays = { f32: "Float32Array", f16: "Float32Array", bool: "Uint8Array" };
  const input = (name: string, i: number): string => {
    const array = arrays[models[0]!.inputs[i]!.dtype];
    const shapes = [...new Set(models.map(({ inputs }) => `readonly ${listed(inputs[i]!.dims)}`))].join(" | ");
    return `  ${key(name)}: ${array} | { data: ${array}; shape?: ${shapes} | readonly number[]; dims?: readonly number[] };`;
  };
  const output = ({ name, dtype }: ModelRecipe["outputs"][number], i: number): string => {
    const shapes = [...new Set(models.map(({ outputs }) => `readonly ${listed(outputs[i]!.dims)}`))].join(" | ");
    return `  ${key(name)}: { dtype: "${dtype}"; shape: ${shapes}; data: ${arrays[dtype]} };`;
  };
  return `/** By name, in ONNX's order of axes. */
export interface Inputs {
${models[0]!.inputs.map(({ name }, i) => input(name, i)).join("\n")}
}
export interface Outputs {
${models[0]!.outputs.map(output).join("\n")}
}
/** Computes the outputs, at once, on this thread. */
export type Run = (inputs: Inputs) => Outputs;`;
}

function filterTypes([filter]: readonly FilterRecipe[]): string {
  const { width, height, channels, input, output } = filter!;
  const array = (dtype: string): string => {
    const names: Record<string, string> = { u8: "Uint8Array | Uint8ClampedArray", i8: "Int8Array", u16: "Uint16Array", i16: "Int16Array", u32: "Uint32Array", i32: "Int32Array", f32: "Float32Array", f64: "Float64Array" }; // biome-ignore format: a line
    return names[dtype]!;
  };
  return `/** ${width} x ${height} pixels of ${channels} channels, interleaved, row by row. ImageData is one, of four channels. */
export interface Picture {
  data: ${array(input)};
  width?: number;
  height?: number;
  channels?: number;
  /** Colours are multiplied by their alpha already. */
  premultiplied?: boolean;
}
export interface Result {
  width: ${width};
  height: ${height};
  channels: ${channels};
  data: ${array(output)};
}
/** Filters a picture, at once, on this thread; into \`out\`, where it is given. */
export type Run = (image: Picture, options?: { out?: ${array(output)} }) => Result;`;
}
