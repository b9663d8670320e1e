// The model that is looked at: what its file holds, what splitting its layers would lose, and what it makes of a picture.
import { signal } from "@preact/signals";
import type { Inspection } from "rank1/onnx";
import { call, isAbort } from "../engine/client.ts";
import type { Curves, ModelRun, Scaling } from "../engine/protocol.ts";
import { source } from "../picture/source.ts";
import { messageOf, tell } from "../state/state.ts";

export interface OpenModel {
  file: string;
  bytes: number;
  inspection: Inspection;
}

export const model = signal<OpenModel | undefined>(undefined);
export const curves = signal<Curves | undefined>(undefined);
export const run = signal<ModelRun | undefined>(undefined);
/** What takes a while, in words. */
export const busy = signal("");

let controller = new AbortController();

export async function openModel(file: File): Promise<void> {
  controller.abort();
  controller = new AbortController();
  const { signal } = controller;
  busy.value = `Reading ${file.name}…`;
  try {
    const bytes = await file.arrayBuffer();
    const inspection = await call("open", { bytes }, { transfer: [bytes], signal });
    model.value = { file: file.name, bytes: file.size, inspection };
    curves.value = undefined;
    run.value = undefined;
    busy.value = "";
    curves.value = await call("curves", undefined, { signal });
  } catch (error) {
    if (isAbort(error)) return;
    busy.value = "";
    tell(`${file.name} could not be opened: ${messageOf(error)}`);
  }
}

export const scalings: Readonly<Record<string, Scaling>> = {
  "0 to 1": { mean: [0, 0, 0], std: [1, 1, 1] },
  "−1 to 1": { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  "0 to 255": { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
  ImageNet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

export async function runModel(scaling: Scaling): Promise<void> {
  const image = source.value?.image;
  if (!image) return;
  busy.value = "Compiling and timing the model…";
  try {
    const picture = { width: image.width, height: image.height, data: image.data.slice().buffer };
    const { signal } = controller;
    run.value = await call("run", { picture, scaling }, { transfer: [picture.data], signal });
  } catch (error) {
    if (!isAbort(error)) tell(`The model could not be run: ${messageOf(error)}`);
  } finally {
    busy.value = "";
  }
}
