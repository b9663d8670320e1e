// The model that is looked at: what its file holds, what splitting its layers would lose, what it makes of a
// picture, and what separating makes of it.
import { signal } from "@preact/signals";
import type { Inspection } from "rank1/onnx";
import shapes from "../../../assets/shapes.onnx?url";
import { call, isAbort } from "../engine/client.ts";
import type { Curves, ModelRun, Scaling, SeparateCall, Separation } from "../engine/protocol.ts";
import { source } from "../picture/source.ts";
import { messageOf, tell } from "../state/state.ts";

export interface OpenModel {
  file: string;
  bytes: number;
  drawn: boolean;
  inspection: Inspection;
}

export const model = signal<OpenModel | undefined>(undefined);
export const curves = signal<Curves | undefined>(undefined);
export const run = signal<ModelRun | undefined>(undefined);
/** What takes a while, in words. */
export const busy = signal("");

let controller = new AbortController();

/** Ends what runs. */
export function cancel(): void {
  controller.abort();
  controller = new AbortController();
  busy.value = "";
}

/** Opens a model; `drawn` says that it is the bundled one, for which pictures can be drawn. */
export async function openModel(file: File, drawn = false): Promise<void> {
  cancel();
  const { signal } = controller;
  busy.value = `Reading ${file.name}…`;
  try {
    const bytes = await file.arrayBuffer();
    const inspection = await call("open", { bytes }, { transfer: [bytes], signal });
    model.value = { file: file.name, bytes: file.size, drawn, inspection };
    for (const known of [curves, run, separation, comparison]) known.value = undefined;
    busy.value = "";
    curves.value = await call("curves", undefined, { signal });
  } catch (error) {
    if (isAbort(error)) return;
    busy.value = "";
    tell(`${file.name} could not be opened: ${messageOf(error)}`);
  }
}

/** Opens the network that comes with rank1: it tells shapes apart. */
export async function openExample(): Promise<void> {
  const response = await fetch(shapes);
  await openModel(new File([await response.blob()], "shapes.onnx"), true);
}

export const scalings: Readonly<Record<string, Scaling>> = {
  "0 to 1": { mean: [0, 0, 0], std: [1, 1, 1] },
  "−1 to 1": { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  "0 to 255": { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
  ImageNet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

/** How values of a picture go in, by its name among the scalings. */
export const scaling = signal("0 to 1");

/** Does something that takes a while; its errors are told, unless it was cancelled. */
async function work(what: string, failed: string, job: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const { signal } = controller;
  busy.value = what;
  try {
    await job(signal);
  } catch (error) {
    if (!isAbort(error)) tell(`${failed}: ${messageOf(error)}`);
  } finally {
    if (!signal.aborted) busy.value = "";
  }
}

async function runOnce(signal: AbortSignal, separated = false): Promise<ModelRun | undefined> {
  const image = source.value?.image;
  if (!image) return undefined;
  const picture = { width: image.width, height: image.height, data: image.data.slice().buffer };
  const args = { picture, scaling: scalings[scaling.value]!, separated };
  return call("run", args, { transfer: [picture.data], signal });
}

export const runModel = (): Promise<void> =>
  work("Compiling and timing the model…", "The model could not be run", async (signal) => {
    run.value = await runOnce(signal);
  });

export const separation = signal<Separation | undefined>(undefined);
/** Both models on one picture. */
export const comparison = signal<{ before: ModelRun; after: ModelRun } | undefined>(undefined);

export const separateModel = (how: Omit<SeparateCall, "scaling">): Promise<void> =>
  work("Separating…", "The model could not be separated", async (signal) => {
    const onProgress = (done: number, what = ""): void => {
      if (!signal.aborted) busy.value = `Separating: ${what}, ${Math.round(100 * done)} %`;
    };
    comparison.value = undefined;
    separation.value = await call("separate", { ...how, scaling: scalings[scaling.value]! }, { signal, onProgress });
  });

export const compareModels = (): Promise<void> =>
  work("Running both…", "The models could not be run", async (signal) => {
    const [before, after] = [await runOnce(signal), await runOnce(signal, true)];
    if (before && after) comparison.value = { before, after };
  });
