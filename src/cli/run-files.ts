// Output files of rank1 run: where results go and in which format. A folder gets a file for each result, a single result
// may have a file of its own.
import { extname } from "node:path";
import type { Image, Tensor } from "../index.ts";
import { writeNpy } from "../node/npy.ts";
import { below } from "../node/stores.ts";
import type { ValueInfo } from "../onnx/index.ts";
import { UsageError } from "./arguments.ts";
import { encodeMask, maskOf } from "./mask.ts";
import { type Condition, checkOutputs, checkTerminal, meansFolder } from "./output.ts";
import type { Answer, Kind } from "./run-answer.ts";
import type { Control, Job } from "./task.ts";

/** The parsed `-o`. */
export interface Target {
  path: string;
  folder: boolean;
  /** What a file's name asks for. */
  as?: Kind;
}

/** What `-o` means; of a file, what its name asks for. */
export async function targetOf(path: string, as: Kind | undefined): Promise<Target> {
  if (await meansFolder(path)) return { path, folder: true, as };
  checkTerminal(path);
  if (path === "-") return { path, folder: false, as };
  const extension = extname(path).toLowerCase();
  const { pictureFormats } = await import("../node/formats.ts");
  const pictures = Object.values(pictureFormats).flatMap(({ extensions }): readonly string[] => extensions);
  const asked = extension === ".npy" ? "values" : pictures.includes(extension) ? "picture" : undefined;
  if (asked === undefined) {
    throw new UsageError(`-o: expected a folder such as ${path}/, or a file that ends in .npy or .png, got ${path}`);
  }
  if (as === "mask") {
    if (extension === ".png" || extension === ".npy") return { path, folder: false, as };
    throw new UsageError(`-o: expected a folder, or a file that ends in .png or .npy for a mask, got ${path}`);
  }
  if ((as === "picture") !== (asked === "picture") && as !== undefined) {
    throw new UsageError(`--as: expected ${asked}, as ${path} is one, got ${as}`);
  }
  return { path, folder: false, as: asked };
}

/** Checks, before any run, that all results have a place of their own. */
export async function checkTarget(
  { path, folder, as }: Target,
  outputs: readonly ValueInfo[],
  jobs: readonly Job[],
  options: Condition,
): Promise<void> {
  const count = jobs.length * outputs.length;
  if (!folder && count > 1) {
    const expected = `a folder for ${count} results${path === "-" ? "" : `, such as ${path}/`}`;
    throw new UsageError(`-o: expected ${expected}, got ${path}`);
  }
  if (!folder) return checkOutputs([path], options);
  const stems = jobs.flatMap((job) => outputs.map(({ name }) => below(path, stemOf(job.name, name))));
  // What a result is shows only when it is there.
  const endings = as === undefined ? [".npy", ".png"] : [endingOf(as)];
  for (const ending of endings) await checkOutputs(stems.map((stem) => stem + ending), options); // biome-ignore format: a line
}

const endingOf = (kind: Kind): string => (kind === "picture" || kind === "mask" ? ".png" : ".npy");

/** Writes a result, and notes where. */
export async function writeResult(
  { path, folder }: Target,
  job: Job,
  answer: Answer,
  result: Tensor | Image,
  write: Control["write"],
): Promise<void> {
  answer.file = folder ? below(path, stemOf(job.name, answer.name) + endingOf(answer.as)) : path;
  await write(answer.file, await bytesOf(answer, result));
}

async function bytesOf({ as, file, range }: Answer, result: Tensor | Image): Promise<Uint8Array> {
  if ("width" in result) return encoded(result, file!);
  const tensor = result;
  if (as === "mask") {
    const mask = maskOf(tensor)!;
    const { width, height, classes } = mask;
    return file!.endsWith(".npy") ? writeNpy({ shape: [height, width], data: classes }) : encodeMask(mask);
  }
  if (as !== "picture") return writeNpy(tensor);
  const { tensorToImage } = await import("../onnx/index.ts");
  return encoded(tensorToImage(tensor, { range }), file!);
}

async function encoded(picture: Image, file: string): Promise<Uint8Array> {
  const { encodePicture } = await import("../node/encode.ts");
  const { formatOf } = await import("../node/formats.ts");
  return encodePicture({ ...picture, alpha: picture.channels === 4 }, file === "-" ? "png" : formatOf(file));
}

/** The name of a result of a file (or of arrays by name) below the folder of results, without an ending: nothing in a model's names may lead elsewhere. */
function stemOf(input: string, output: string): string {
  const safe = output.replace(/[^\w.-]+/g, "_").replace(/^\.+/, "_");
  return [...(input && input !== "-" ? [input] : []), safe].join(".");
}
