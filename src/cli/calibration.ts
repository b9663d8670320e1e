// Calibration inputs from folders of pictures or .npy arrays: read again for each pass, and kept in memory while they are
// few.
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Image, Tensor } from "../index.ts";
import { checkFolder, readBytes } from "../node/files.ts";
import type { Sidecar } from "../node/model-files.ts";
import { isNpy } from "../node/npy.ts";
import type { Model } from "../onnx/index.ts";
import { UsageError } from "./arguments.ts";
import { openInputs } from "./open.ts";
import { arrayInput, type Pieces, pictureInputs } from "./run-input.ts";

type Input = Record<string, Tensor>;

/** Bytes of inputs that are kept; those beyond are read from their files again. */
const mostKept = 2 ** 28;

export interface FolderOptions {
  settings: Sidecar;
  /** So many random pieces of each picture that is larger than the model's input, instead of resizing it. */
  crops?: number;
  signal: AbortSignal;
}

/** The inputs in a folder and its subfolders, in the order of their names, and files that are none. */
export class InputFolder {
  /** What could not be read, and why: known after the first pass. */
  readonly skipped = new Map<string, string>();
  readonly files: readonly string[];
  private readonly model: Model;
  private readonly options: FolderOptions;
  private readonly kept = new Map<string, Input[]>();
  private keptBytes = 0;

  private constructor(model: Model, files: readonly string[], options: FolderOptions) {
    this.model = model;
    this.files = files;
    this.options = options;
  }

  /** Throws for a folder that does not exist or holds no files. */
  static async open(model: Model, folder: string, option: string, options: FolderOptions): Promise<InputFolder> {
    await checkFolder(folder, option);
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    const found = entries.flatMap(({ parentPath, name }) => (name.startsWith(".") ? [] : join(parentPath, name)));
    // A link counts as what it leads to.
    const isFile = await Promise.all(found.map(async (path) => (await stat(path).catch(() => undefined))?.isFile()));
    const files = found.filter((_, i) => isFile[i]).sort();
    if (files.length === 0) throw new UsageError(`${option}: expected pictures or .npy files, got an empty folder`);
    return new InputFolder(model, files, options);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Input> {
    let count = 0;
    for (const [i, file] of this.files.entries()) {
      for (const input of await this.inputsOf(file, i)) {
        count++;
        yield input;
      }
    }
    if (count > 0) return;
    const [[file, reason] = ["", ""]] = this.skipped;
    throw new UsageError(`expected pictures or .npy files that can be read, got none; ${file}: ${reason}`);
  }

  /** The inputs in one file; none where it cannot be read. */
  async inputsOf(file: string, index = 0): Promise<Input[]> {
    const known = this.kept.get(file);
    if (known || this.skipped.has(file)) return known ?? [];
    try {
      const found = await this.read(file, index);
      const bytes = found.flatMap(Object.values<Tensor>).reduce((sum, { data }) => sum + data.byteLength, 0);
      if (this.keptBytes + bytes <= mostKept) {
        this.kept.set(file, found);
        this.keptBytes += bytes;
      }
      return found;
    } catch (error) {
      this.options.signal.throwIfAborted();
      if (error instanceof UsageError) throw error;
      this.skipped.set(file, (error as Error).message);
      return [];
    }
  }

  private async read(file: string, index: number): Promise<Input[]> {
    const { settings, crops, signal } = this.options;
    const bytes = await readBytes(file, signal);
    if (isNpy(bytes, file)) return [arrayInput(this.model, bytes, file)];
    const isOpen = settings.size === undefined && openInputs(this.model.inputs).length > 0;
    const pieces = crops === undefined ? (isOpen ? trimmed : undefined) : cropper(crops, index);
    return pictureInputs(this.model, { name: file, bytes }, { settings, signal }, pieces);
  }
}

/** Networks with open sides halve them again and again, and some take only what stays whole. */
const multiple = 32;

/** The middle of a picture, with sides that are multiples of {@link multiple}; small sides stay. */
const trimmed: Pieces = (picture) => {
  const [width, height] = [picture.width, picture.height].map((side) =>
    side < 2 * multiple ? side : side - (side % multiple),
  ) as [number, number];
  return [crop(picture, (picture.width - width) >> 1, (picture.height - height) >> 1, width, height)];
};

/** So many pieces of the wanted size from places that depend on the picture's number alone; small pictures stay whole. */
function cropper(count: number, index: number): Pieces {
  return (picture, { width, height }) => {
    const [right, down] = [picture.width - width, picture.height - height];
    if (right < 0 || down < 0 || right + down === 0) return [picture];
    // Multiples of the plastic number's powers spread evenly over the square (Roberts 2018).
    const at = (i: number, step: number, most: number): number =>
      Math.floor((((index * count + i + 1) * step) % 1) * (most + 1));
    return Array.from({ length: count }, (_, i) =>
      crop(picture, at(i, 0.7548776662466927, right), at(i, 0.5698402909980532, down), width, height),
    );
  };
}

function crop(picture: Image, left: number, top: number, width: number, height: number): Image {
  const { channels, data } = picture;
  const out = new (data.constructor as new (length: number) => Image["data"])(width * height * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * picture.width + left) * channels;
    out.set(data.subarray(from, from + width * channels), y * width * channels);
  }
  return { width, height, channels, data: out } as Image;
}
