// The fourth view: an ONNX model, its layers, the error of splitting them, and its result on a picture.

import { Figure } from "../parts/controls.tsx";
import { Copy } from "../parts/copy.tsx";
import { modelSnippets } from "../snippets.ts";
import { noun, percent, plural, quantity, times } from "../text.ts";
import { Layers } from "./layers.tsx";
import { Run } from "./run.tsx";
import { Separation } from "./separation.tsx";
import {
  choice,
  chosenGoal,
  model,
  type OpenModel,
  openBundled,
  openModel,
  pieces,
  scaling,
  scalings,
  separation,
} from "./state.ts";
import { Progress } from "./working.tsx";

export function ModelView() {
  const open = model.value;
  return (
    <section class="model-view" aria-label="A model of your own">
      <header class="lead">
        <h1>{open ? open.file.name : "A trained model, layer by layer."}</h1>
        {!open && (
          <p>
            Where are its multiplications, and how well could each layer be separated? Models that take pictures can be
            run, timed and separated here.
          </p>
        )}
      </header>
      {open ? <Summary open={open} /> : <Empty />}
      <Progress kind="open" />
      {open && (
        <>
          <Layers open={open} />
          <Run />
          {open.inspection.layers.some(({ kind }) => /conv/i.test(kind)) && <Separation open={open} />}
          <Copy snippets={snippetsOf(open)} />
        </>
      )}
    </section>
  );
}

function snippetsOf({ file, inspection: { inputs } }: OpenModel) {
  const [input] = inputs;
  return modelSnippets({
    ...{ file: file.name, input: input?.name ?? "x", shape: input?.shape ?? [] },
    ...{ scaling: scalings[scaling.value]!, pieces: pieces.value, goal: chosenGoal() },
    ...{ calibrated: choice.basis.value !== "weights", report: separation.value?.report },
  });
}

function Empty() {
  return (
    <div class="drop">
      <svg viewBox="0 0 48 48" width="56" height="56" aria-hidden="true">
        <path d="M24 6v24M14 20l10 10 10-10M8 34v8h32v-8" />
      </svg>
      <h2>Drop an ONNX file</h2>
      <div class="row">
        <OpenButton primary />
        <button type="button" onClick={() => void openBundled()}>
          Try it with the bundled network
        </button>
      </div>
      <p class="hint">
        It is read in this browser, and sent nowhere. Upscalers such as waifu2x and detectors such as UltraFace work
        well.
      </p>
    </div>
  );
}

function OpenButton({ primary }: { primary?: boolean }) {
  return (
    <label class={primary ? "button primary" : "button"}>
      {primary ? "Open a model…" : "Another model…"}
      <input
        type="file"
        accept=".onnx"
        onChange={(event) => {
          const [file] = event.currentTarget.files ?? [];
          if (file) void openModel(file);
          event.currentTarget.value = "";
        }}
      />
    </label>
  );
}

/** The share of multiplications that separating leaves as they are. */
function alreadySeparable({ layers, totals }: OpenModel["inspection"]): number {
  const done = layers.filter(({ kind }) => kind === "depthwise conv" || kind === "pointwise conv");
  return done.reduce((sum, { multiplications }) => sum + multiplications, 0) / (totals.multiplications || 1);
}

function Summary({ open: { inspection, file } }: { open: OpenModel }) {
  const { inputs, outputs, totals, layers, producer, opset, missing, open } = inspection;
  const share = alreadySeparable(inspection);
  const unknown = [...new Set(missing.map(({ operator }) => operator))];
  const list = (values: typeof inputs): string =>
    values
      .map(({ name, shape }) => (shape ? `${name} (${unbroken(shape.map((side) => side ?? "?"))})` : name))
      .join(", ");
  const unbroken = (sides: readonly (number | string)[]): string => times(sides).replaceAll(" ", "\u00a0");
  return (
    <div class="panel summary">
      <div class="figures">
        <Figure value={quantity(totals.multiplications)} strong>
          {noun(totals.multiplications, "multiplication")} a run
        </Figure>
        <Figure value={quantity(totals.parameters)}>{noun(totals.parameters, "parameter")}</Figure>
        <Figure value={String(layers.length)}>{noun(layers.length, "layer")}</Figure>
        <Figure value={`${quantity(file.size)}B`}>file</Figure>
      </div>
      {share >= 0.1 && (
        <p>
          {percent(share)} of the multiplications are depthwise or pointwise already
          {share > 0.6 ? ": little to gain." : "."}
        </p>
      )}
      <div class="row spread">
        <p class="hint">
          {plural(inputs.length, "input")}: {list(inputs)}. {plural(outputs.length, "output")}: {list(outputs)}.
          Operator set {opset}
          {producer && `, made by ${producer}`}.
          {open.length > 0 && ` Sizes of ${open.join(", ")} are open: layers that follow from them are not counted.`}
          {unknown.length > 0 && ` It cannot run: nobody here computes ${unknown.join(", ")}.`}
        </p>
        <OpenButton />
      </div>
    </div>
  );
}
