// rank1 compile: a filter or a model as files of code that run alone, where nothing may be compiled at run time.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { type Command, InvalidArgumentError as CommanderError, Option } from "commander";
import type { CompiledFiles, InputShapes, StoredWeights } from "../ahead/index.ts";
import type { Border } from "../index.ts";
import type { RawSpec } from "../node/arrays.ts";
import { writeStdout } from "../node/files.ts";
import type { Model } from "../onnx/index.ts";
import { parseCount, parseFilter, parseNumber, parseRaw, UsageError, usage } from "./arguments.ts";
import { rare } from "./help.ts";
import { type Shapes, withModel } from "./open.ts";
import { addOutput, checkOutputs, writeOutput } from "./output.ts";
import { quantity, table } from "./text.ts";

interface Flags {
  shape?: GivenShape[];
  externalData?: string;
  weights?: StoredWeights;
  size?: RawSpec;
  border?: Border;
  borderValue?: number;
  alpha: boolean;
  name?: string;
  output?: string;
  force?: boolean;
  json?: boolean;
}

interface GivenShape {
  name: string | undefined;
  sides: number[];
}

const examples = `
Examples:
  rank1 compile gaussian:sigma=2 --size 640x480x3 -o blur/
  rank1 compile model.onnx -o model/
  rank1 compile model.onnx --shape 1x3x240x320 --shape 1x3x480x640 --weights f16 -o model/

Files: NAME.js with load(), its types, the code twice (with fused multiply-adds, and for hosts without), and from 64 kB on
the weights beside it. NAME.worker.js imports the code as Cloudflare's wrangler does, NAME.source.js by "import source".`;

export function addCompile(program: Command, signal: AbortSignal): void {
  const command = program
    .command("compile")
    .description("write a filter or a model as code that runs alone, where nothing may be compiled at run time")
    .argument("<model or filter>", "an ONNX file, or a filter as rank1 filter takes it")
    .option("--shape <sides>", "of a model's input: 1x3x224x224 or input=1x3x224x224; again for another size", addShape)
    .option("--size <WxHxC:type>", "of a filter's pictures: 640x480x3, or with a type, 640x480x1:f32", parsePictures);
  command
    .addOption(new Option("--weights <type>", "f16 stores weights in half the bytes, rounded (default: f32)").choices(["f32", "f16"])) // biome-ignore format: a line
    .option("--border <name>", "beyond the edges: reflect (default), symmetric, edge, wrap or constant")
    .addOption(rare("--border-value <number>", "of the constant border (default: 0)").argParser(parseNumber))
    .option("--no-alpha", "of 2 and 4 channels, the last is one like the others")
    .option("--name <name>", 'what the files are called (default: "filter" or "model")')
    .addOption(rare("--external-data <folder>", "where weights lie that are not in the file"));
  addOutput(command, "folder/", "where the files go")
    .option("--json", "print JSON")
    .addHelpText("after", examples)
    .action((what: string, flags: Flags) => compile(what, flags, signal));
}

/** Of three channels, where it is not said, as --size means elsewhere. */
const parsePictures = (text: string): RawSpec => parseRaw(text.replace(/^\d+x\d+(?=:|$)/, "$&x3"));

function addShape(text: string, shapes: GivenShape[] = []): GivenShape[] {
  const [, name, sides] = text.match(/^(?:(.+)=)?(\d+(?:x\d+)*)$/) ?? [];
  if (!sides) throw new CommanderError("Expected SIDES such as 1x3x224x224, or NAME=SIDES.");
  return [...shapes, { name, sides: sides.split("x").map(parseCount) }];
}

async function compile(what: string, flags: Flags, signal: AbortSignal): Promise<void> {
  const { output, force, json } = flags;
  if (output === undefined || output === "-") throw new UsageError("-o: expected a folder for the files, got none");
  const isModel = /\.onnx$/i.test(what) || (existsSync(what) && !/\.json$/i.test(what));
  const { files } = isModel ? await compiledModel(what, flags) : await compiledFilter(what, flags);
  const paths = Object.fromEntries(Object.entries(files).map(([name, data]) => [join(output, name), data]));
  await checkOutputs(Object.keys(paths), { inputs: isModel ? [what] : [], force });
  for (const [path, data] of Object.entries(paths)) await writeOutput(path, data, signal);
  const sizes = Object.entries(paths).map(([file, data]) => ({ file, bytes: Buffer.byteLength(data), gzipped: gzipSync(data).length })); // biome-ignore format: a line
  if (json) await writeStdout(`${JSON.stringify({ version: 1, files: sizes }, undefined, 2)}\n`);
  else await writeStdout(`${sizesText(sizes)}\n`);
}

const sizesText = (sizes: readonly { file: string; bytes: number; gzipped: number }[]): string =>
  table(["file", "bytes", "gzipped"], sizes.map(({ file, bytes, gzipped }) => [file, quantity(bytes), quantity(gzipped)]), ["bytes", "gzipped"]); // biome-ignore format: a line

async function compiledFilter(text: string, flags: Flags): Promise<CompiledFiles> {
  const { size, border, borderValue, alpha, name, shape, weights } = flags;
  for (const [option, value] of Object.entries({ shape, weights }))
    if (value !== undefined)
      throw new UsageError(`--${option}: expected a model, of which it is an option, got the filter ${text}`);
  if (!size) throw new UsageError("--size: expected the size of the pictures, such as 640x480x3, got none");
  if (borderValue !== undefined && border !== "constant")
    throw new UsageError(`--border-value: expected --border constant beside it, got ${border ?? "none"}`);
  const filter = await parseFilter(text);
  const { compileFilter } = await import("../ahead/index.ts"); // other commands start without it
  const picture = { ...size, hasAlpha: alpha && size.channels % 2 === 0 && size.channels <= 4 };
  return usage(() => compileFilter(filter, picture, { border, borderValue, name }));
}

async function compiledModel(file: string, flags: Flags): Promise<CompiledFiles> {
  const { shape = [], weights, name, externalData, size, border, borderValue } = flags;
  for (const [option, value] of Object.entries({ size, border, "border-value": borderValue }))
    if (value !== undefined)
      throw new UsageError(`--${option}: expected a filter, of which it is an option, got the model ${file}`);
  const { compileModel } = await import("../ahead/index.ts");
  return withModel(file, { externalData }, (model) =>
    compileModel(model, { shapes: choicesOf(shape, model), weights, name }),
  );
}

/** A shape of an input that has one already begins another choice. */
function choicesOf(shapes: readonly GivenShape[], { inputs }: Model): InputShapes[] {
  const choices: Shapes[] = [];
  let last: Shapes = {};
  for (const { name = inputs[0]?.name, sides } of shapes) {
    if (name === undefined)
      throw new UsageError(`--shape: expected none for a model without inputs, got ${sides.join("x")}`);
    if (Object.hasOwn(last, name)) {
      choices.push(last);
      last = {};
    }
    // A computed key is an own one, whatever the input is called.
    last = { ...last, [name]: sides };
  }
  return [...choices, last];
}
