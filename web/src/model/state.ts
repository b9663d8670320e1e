// The model that is looked at: what its file holds, what splitting its layers would lose, what it makes of a picture,
// and what separating makes of it.
import { signal } from "@preact/signals";
import type { Inspection } from "rank1/onnx";
import shapes from "../../../assets/shapes.onnx?url";
import { type CallHooks, call, isAbort } from "../engine/client.ts";
import type { Curves, ModelRun, Scaling, SeparateCall, Separation } from "../engine/protocol.ts";
import { source } from "../picture/source.ts";
import { tell } from "../state/state.ts";
import { begin } from "./job.ts";

export interface OpenModel {
  file: string;
  bytes: number;
  /** It is the bundled network, for which pictures can be drawn. */
  bundled: boolean;
  inspection: Inspection;
}

export const model = signal<OpenModel | undefined>(undefined);
export const curves = signal<Curves | undefined>(undefined);
export const run = signal<ModelRun | undefined>(undefined);
export const separation = signal<Separation | undefined>(undefined);
/** Both models on one picture. */
export const comparison = signal<{ before: ModelRun; after: ModelRun } | undefined>(undefined);

let measuring = new AbortController();

export const openModel = (file: File, bundled = false): Promise<void> =>
  begin({ kind: "open", text: `Reading ${file.name}…` }, `${file.name} could not be opened`, async ({ signal }) => {
    const bytes = await file.arrayBuffer();
    const { inspection, anySize } = await call("open", { bytes }, { transfer: [bytes], signal });
    for (const known of [curves, run, separation, comparison]) known.value = undefined;
    model.value = { file: file.name, bytes: file.size, bundled, inspection };
    choice.basis.value = bundled ? "drawn" : "pictures";
    choice.pieces.value = anySize;
    measuring.abort();
    measuring = new AbortController();
    void measureCurves(measuring.signal);
  });

/** Goes on beside other jobs, until another model is opened. */
async function measureCurves(signal: AbortSignal): Promise<void> {
  try {
    curves.value = await call("curves", undefined, { signal });
  } catch (error) {
    if (!isAbort(error)) reportError(error);
  }
}

/** Opens the network that comes with rank1: it tells shapes apart. */
export async function openBundled(): Promise<void> {
  const response = await fetch(shapes).catch(() => undefined);
  if (response?.ok) await openModel(new File([await response.blob()], "shapes.onnx"), true);
  else tell("The bundled network could not be loaded.");
}

export const scalings: Readonly<Record<string, Scaling>> = {
  "0 to 1": { mean: [0, 0, 0], std: [1, 1, 1] },
  "−1 to 1": { mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  "0 to 255": { mean: [0, 0, 0], std: [1 / 255, 1 / 255, 1 / 255] },
  ImageNet: { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
};

/** How values of a picture go in, by its name among the scalings. */
export const scaling = signal("0 to 1");

function runOnce(separated: boolean, { signal }: CallHooks): Promise<ModelRun> {
  const image = source.value!.image;
  const picture = { width: image.width, height: image.height, data: image.data.slice().buffer };
  const args = { picture, scaling: scalings[scaling.value]!, separated };
  return call("run", args, { transfer: [picture.data], signal });
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

/** By what losses are judged. */
export type Basis = "drawn" | "pictures" | "weights";

/** What was chosen. A model that takes pictures of any size begins with pieces of larger ones. */
export const choice = {
  basis: signal<Basis>("pictures"),
  files: signal<readonly File[]>([]),
  pieces: signal(false),
  drawn: signal(120),
  reduce: signal(2.5),
  rank: signal(3),
};

/** The choice as the worker takes it; undefined where pictures are still to be chosen. */
export function chosenCall(): SeparateCall | undefined {
  const { basis, files, pieces, drawn, reduce, rank } = choice;
  const shared = { scaling: scalings[scaling.value]!, judged: model.value!.bundled };
  if (basis.value === "weights") return { ...shared, goal: { rank: rank.value } };
  const goal = { reduce: reduce.value };
  if (basis.value === "drawn") return { ...shared, goal, pictures: { drawn: drawn.value } };
  if (files.value.length === 0) return undefined;
  return { ...shared, goal, pictures: { files: files.value, pieces: pieces.value } };
}

export const separateModel = (how: SeparateCall): Promise<void> =>
  begin({ kind: "separate", text: "Separating…" }, "The model could not be separated", async (hooks) => {
    const found = await call("separate", how, hooks);
    comparison.value = undefined;
    separation.value = found;
  });
