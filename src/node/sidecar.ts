// What a model does not say of itself, in a JSON file beside it (model.onnx.json): how pictures become its input, and what
// its classes are called.
import { checkNumber, checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import { readSettings, writeSettings } from "./json.ts";

export interface Sidecar {
  /** Width and height to which pictures are resized. */
  size?: { width: number; height: number };
  /** Taken from values of 0 to 1, and what they are then divided by: one number, or one a channel. */
  mean?: number | number[];
  std?: number | number[];
  /** Names of classes, in the order of the model's results. */
  labels?: string[];
}

export const sidecarOf = (model: string): string => `${model}.json`;

/** The file beside a model, or nothing where there is none. Throws {@link InvalidArgumentError} that names what is wrong. */
export async function readSidecar(model: string): Promise<Sidecar> {
  const path = sidecarOf(model);
  let sidecar: Record<string, unknown>;
  try {
    sidecar = await readSettings(path);
  } catch (error) {
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return {};
    throw error;
  }
  return checkSidecar(path, sidecar);
}

/** Writes the file beside a model. */
export async function writeSidecar(model: string, sidecar: Sidecar): Promise<void> {
  await writeSettings(sidecarOf(model), sidecar);
}

function checkSidecar(path: string, value: unknown): Sidecar {
  const sidecar = checkOptions<Sidecar>(path, value, ["size", "mean", "std", "labels"]);
  const { size, mean, std, labels } = sidecar;
  if (size !== undefined) {
    const { width, height } = checkOptions<{ width: number; height: number }>(`${path} size`, size, [
      "width",
      "height",
    ]);
    for (const side of [width, height]) checkNumber(`${path} size`, side, { min: 1 });
  }
  for (const [name, numbers] of Object.entries({ mean, std }))
    for (const one of [numbers ?? 0].flat()) checkNumber(`${path} ${name}`, one);
  if (labels !== undefined && !(Array.isArray(labels) && labels.every((label) => typeof label === "string"))) {
    const received = describe(labels);
    throw new InvalidArgumentError({ parameter: `${path} labels`, expected: "a list of texts", received });
  }
  return sidecar;
}
