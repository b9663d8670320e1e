// The files of something compiled: the code twice, its data, modules that load them, and their types.
import { InvalidArgumentError, describe as said } from "../errors.ts";
import { plural } from "../words.ts";
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
  recipe: Omit<Recipe, "data" | "mark">;
  words: Int32Array<ArrayBuffer>;
}

/** Data of fewer bytes stands in the module itself. */
const mostInlined = 65_536;

/** A name that files can have, whatever is put behind it. */
export function checkName(name: unknown): void {
  if (typeof name === "string" && name.length <= 100 && /^[\w-]+(\.[\w-]+)*$/.test(name)) return;
  throw new InvalidArgumentError({ parameter: "name", expected: "letters, digits, _, - and single dots, at most 100", received: said(name) }); // biome-ignore format: a line
}

export function filesOf({ name, about, modules, recipe, words }: Compiled): CompiledFiles {
  const held = { data: { words: words.length, hash: hashOf(words) }, ...recipe };
  const mark = hashOf(wordsOf([new TextEncoder().encode(JSON.stringify(held)), ...modules]));
  const whole: Recipe = { ...held, mark };
  const bytes = new Uint8Array(words.buffer);
  const isInlined = bytes.length < mostInlined;
  const stem = { module: `${name}.wasm`, plain: `${name}.simd.wasm`, weights: `${name}.weights.bin` };
  const [relaxed, plain] = modules.map((module) => marked(module, mark)) as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>]; // biome-ignore format: a line
  // Of integers alone there is nothing to fuse.
  const isOne = relaxed.length === plain.length && relaxed.every((byte, i) => byte === plain[i]);
  const urls = [stem.module, ...(isOne ? [] : [stem.plain])].map((file) => `new URL("./${file}", import.meta.url)`);
  const first = `// ${inLine(about)}; made by rank1 ${version}, data ${whole.data.hash.toString(16).padStart(8, "0")}`;
  // Bundlers may have given functions other names.
  const given = Object.entries(parts).map(([name, part]) => `${name}: ${part.name}`);
  const weights = isInlined ? `${parts.fromBase64.name}(inlined)` : `weights ?? (await ${parts.bytesAt.name}(new URL("./${stem.weights}", import.meta.url)))`; // biome-ignore format: a line
  const known = isInlined ? "module" : "module, weights";
  const script = [
    first,
    `const recipe = ${literal(whole)};`,
    ...(isInlined ? [`const inlined = "${base64(bytes)}";`] : []),
    ...Object.values(parts).map(String),
    `const open = (${recipe.models ? modelsRuntime : filtersRuntime})({ ${given.join(", ")} });`,
    "export async function load(given) {",
    `  const { ${known} } = ${parts.optionsOf.name}("parts", given, ${JSON.stringify(known.split(", "))});`,
    `  const code = module ?? (await ${parts.moduleAt.name}([${urls.join(", ")}]));`,
    `  ${parts.checkModule.name}(code, recipe.mark);`,
    `  return open(recipe, code, ${parts.dataOf.name}(recipe, ${weights}));`,
    "}",
    "",
  ].join("\n");
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

/** A value as it stands in a script. Two separators end lines of scripts, but not of JSON. */
const literal = (value: unknown): string => escaped(JSON.stringify(value), /[\u2028\u2029]/g);

/** Text that stays within a comment of a line: names come from models, whoever made them. */
const inLine = (text: string): string => escaped(text.trim(), /[\p{Cc}\p{Zl}\p{Zp}]/gu);

const escaped = (text: string, what: RegExp): string =>
  text.replace(what, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Bytes, one after another, as words. */
function wordsOf(parts: readonly Uint8Array[]): Int32Array {
  const bytes = new Uint8Array(4 * Math.ceil(parts.reduce((sum, { length }) => sum + length, 0) / 4));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return new Int32Array(bytes.buffer);
}

/** A module with a section of its own: no code, a name, and four bytes. */
function marked(module: Uint8Array, mark: number): Uint8Array<ArrayBuffer> {
  const name = new TextEncoder().encode("rank1");
  const section = new Uint8Array([0, 1 + name.length + 4, name.length, ...name, 0, 0, 0, 0]);
  new DataView(section.buffer).setUint32(section.length - 4, mark, true);
  const whole = new Uint8Array(module.length + section.length);
  whole.set(module);
  whole.set(section, module.length);
  return whole;
}

function modelTypes(models: readonly ModelRecipe[]): string {
  const arrays = { f32: "Float32Array", f16: "Float32Array", bool: "Uint8Array" };
  const input = (name: string, i: number): string => {
    const array = arrays[models[0]!.inputs[i]!.dtype];
    const shapes = [...new Set(models.map(({ inputs }) => `readonly ${listed(inputs[i]!.dims)}`))].join(" | ");
    return `  ${literal(name)}: ${array} | { data: ${array}; shape?: ${shapes} | readonly number[]; dims?: readonly number[] };`;
  };
  const output = ({ name, dtype }: ModelRecipe["outputs"][number], i: number): string => {
    const shapes = [...new Set(models.map(({ outputs }) => `readonly ${listed(outputs[i]!.dims)}`))].join(" | ");
    return `  ${literal(name)}: { dtype: "${dtype}"; shape: ${shapes}; data: ${arrays[dtype]} };`;
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
  return `/** ${width} x ${height} pixels of ${plural(channels, "channel")}, interleaved, row by row. ImageData is one, of four channels. */
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
