// State of the model view: the open model, what it holds, its splits, its result on a picture, and its separation.
import { effect, signal } from "@preact/signals";
import type { Inspection } from "rank1/onnx";
import shapes from "../../../assets/shapes.onnx?url";
import { type CallHooks, Client, call } from "../engine/client.ts";
import type { ModelRun, Scaling, SeparateCall, Separation } from "../engine/protocol.ts";
import { source, takeDrawn } from "../picture/source.ts";
import { messageOf, tab, tell } from "../state/state.ts";
import { isDetector } from "./detections.ts";
import { begin, job } from "./job.ts";

export interface OpenModel {
  /** The worker's name of it. */
  id: number;
  file: File;
  /** It is the bundled network, for which pictures can be drawn. */
  bundled: boolean;
  /** The splits of its layers come after the rest. */
  inspection: Inspection;
  /** The share of the splits that are known, up to 1. */
  estimated: number;
}

export const model = signal<OpenModel | undefined>(undefined);
/** A run, and the picture that it was on. */
export interface PictureRun extends ModelRun {
  image: ImageData;
}

export const run = signal<PictureRun | undefined>(undefined);
export const separation = signal<Separation | undefined>(undefined);
/** Both models on one picture. */
export const comparison = signal<{ before: PictureRun; after: PictureRun } | undefined>(undefined);

/** Of one channel or three, and with enough pixels to be looked at. */
export function isPicture({ shape = [] }: { shape?: readonly (number | string | undefined)[] }): boolean {
  const [, channels, height, width] = shape;
  return shape.length === 4 && (channels === 1 || channels === 3) && Number(height) > 8 && Number(width) > 8;
}

/** Opens a model with settings that are likely: a model that makes pictures, or takes them in any size, gets pieces of larger ones. */
export const openModel = (file: File, bundled = false): Promise<void> =>
  begin({ kind: "open", text: `Reading ${file.name}…` }, `${file.name} could not be opened`, async ({ signal }) => {
    const bytes = await file.arrayBuffer();
    const { id, inspection, anySize } = await call("open", { bytes }, { transfer: [bytes], signal });
    for (const known of [run, separation, comparison]) known.value = undefined;
    const isSplit = inspection.layers.some(({ kind }) => kind === "conv");
    model.value = { id, file, bundled, inspection, estimated: isSplit ? 0 : 1 };
    choice.basis.value = bundled ? "drawn" : "pictures";
    const { outputs } = inspection;
    pieces.value = anySize || outputs.some(isPicture);
    scaling.value = isDetector(outputs) ? "−1 to 1" : "0 to 1";
    estimate(id).catch((error) => tell(`The losses of ${file.name} could not be estimated: ${messageOf(error)}.`));
  });

/** Estimates what splits lose, layer after layer, while nothing else is asked of the worker for models or pictures. */
async function estimate(id: number): Promise<void> {
  for (;;) {
    await until(() => job.value === undefined && tab.value === "model");
    const open = model.peek();
    if (open?.id !== id) return;
    const found = await call("splits", { id });
    if (model.peek()?.id !== id) return;
    const layers = [...open.inspection.layers];
    for (const { layer, splits } of found) layers[layer] = { ...layers[layer]!, splits };
    const estimated = found.at(-1)?.done ?? 1;
    model.value = { ...open, inspection: { ...open.inspection, layers }, estimated };
    if (found.length === 0) return;
  }
}

/** Waits until something is so, as signals tell. */
const until = (isSo: () => boolean): Promise<void> =>
  new Promise((resolve) => {
    const stop = effect(() => {
      if (!isSo()) return;
      queueMicrotask(() => stop());
      resolve();
    });
  });

/** Opens the network that comes with rank1: it tells shapes apart, and gets one to look at. */
export async function openBundled(): Promise<void> {
  const response = await fetch(shapes).catch(() => undefined);
  if (!response?.ok) {
    tell("The bundled network could not be loaded.");
    return;
  }
  await openModel(new File([await response.blob()], "shapes.onnx"), true);
  await drawAnother();
}

/** What the bundled network calls its classes. */
export const classNames = signal<readonly string[]>([]);
let drawn = 0;

/** Another shape for the bundled network, which knows nothing else. */
export async function drawAnother(): Promise<void> {
  const { drawShape } = await import("../../../demo/drawing/shapes/draw.ts");
  const { shapeNames } = await import("../../../demo/drawing/shapes/outlines.ts");
  classNames.value = shapeNames;
  const name = shapeNames[drawn % shapeNames.length]!;
  const { width, height, data } = drawShape(name, drawn++, series);
  const image = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) image.data.set([...data.subarray(3 * i, 3 * i + 3), 255], 4 * i);
  await takeDrawn(`A drawn ${name}`, image);
}

/** Other pictures than those of training, of fits, and of the evaluation. */
const series = 7;

export const scalings: Readonly<Record<string, Scaling>> = {
  "0 to 1": { mean: [0, 0, 0], std: [1, 1, 1] },
  "−1 to 1": { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  "0 to 255": { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
  ImageNet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

/** How values of a picture go in, by its name among the scalings; and whether larger pictures are cut, or made smaller. */
export const scaling = signal("0 to 1");
export const pieces = signal(false);

async function runOnce(separated: boolean, { signal }: CallHooks): Promise<PictureRun> {
  const { image } = source.value!;
  const args = { scaling: scalings[scaling.value]!, piece: pieces.value, separated };
  return { ...(await call("run", args, { signal })), image };
}

export const runModel = (): Promise<void> =>
  begin({ kind: "run", text: "Compiling and timing the model…" }, "The model could not be run", async (hooks) => {
    run.value = await runOnce(false, hooks);
  });

export const compareModels = (): Promise<void> =>
  begin({ kind: "compare", text: "Running both…" }, "The models could not be run", async (hooks) => {
    const before = await runOnce(false, hooks);
    comparison.value = { before, after: await runOnce(true, hooks) };
  });

// ── Separating ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** By what losses are evaluated. */
export type Basis = "drawn" | "pictures" | "weights";

/** What was chosen. */
export const choice = {
  basis: signal<Basis>("pictures"),
  files: signal<readonly File[]>([]),
  drawn: signal(120),
  reduce: signal(2.5),
  rank: signal(4),
};

/** How far it shall go. */
export const chosenGoal = (): SeparateCall["goal"] =>
  choice.basis.value === "weights" ? { rank: choice.rank.value } : { reduce: choice.reduce.value };

/** The choice as the worker takes it; undefined where pictures are still to be chosen. */
export function chosenCall(): SeparateCall | undefined {
  const [basis, files] = [choice.basis.value, choice.files.value];
  if (basis === "pictures" && files.length === 0) return undefined;
  const pictures =
    basis === "drawn"
      ? { drawn: choice.drawn.value }
      : basis === "pictures"
        ? { files, pieces: pieces.value }
        : undefined;
  return { pictures, scaling: scalings[scaling.value]!, goal: chosenGoal(), evaluated: model.value!.bundled };
}

/** In a worker of its own: what is computed there is given up at once where this is cancelled. */
export const separateModel = (how: SeparateCall): Promise<void> =>
  begin({ kind: "separate", text: "Reading the model…" }, "The model could not be separated", async (hooks) => {
    const apart = new Client();
    hooks.signal!.addEventListener("abort", () => apart.end(), { once: true });
    try {
      const bytes = await model.value!.file.arrayBuffer();
      await apart.call("open", { bytes }, { transfer: [bytes] });
      const found = await apart.call("separate", how, { onProgress: hooks.onProgress });
      await call("openSeparated", { bytes: found.file });
      comparison.value = undefined;
      separation.value = found;
    } finally {
      apart.end();
    }
  });
