// Runs the model on the picture of the second view: its outputs, the time of a run in this browser, and its plan.
import { useEffect } from "preact/hooks";
import type { ModelRun } from "../engine/protocol.ts";
import { Select } from "../parts/controls.tsx";
import { followPaste, followPicture, source, takeFile } from "../picture/source.ts";
import { milliseconds, plural, times } from "../text.ts";
import { Outputs } from "./outputs.tsx";
import { drawAnother, model, type PictureRun, pieces, run, runModel, scaling, scalings } from "./state.ts";
import { Progress, Start } from "./working.tsx";

export function Run() {
  useEffect(followPicture, []);
  useEffect(followPaste, []);
  const result = run.value;
  const bundled = model.value?.bundled;
  return (
    <section class="panel run" aria-label="Run it">
      <h2>On your picture</h2>
      <p class="hint">
        Pictures have to go in as they did when the model was trained: waifu2x wants 0 to 1, UltraFace −1 to 1, most
        classifiers ImageNet’s mean and deviation.
      </p>
      <div class="row">
        <Select
          label="Values go in as"
          value={scaling.value}
          options={Object.keys(scalings).map((name) => [name, name])}
          onChange={(name) => {
            scaling.value = name;
          }}
        />
        <Select
          label="Larger pictures"
          value={pieces.value ? "pieces" : "whole"}
          options={[
            ["whole", "are made smaller"],
            ["pieces", "are cut"],
          ]}
          onChange={(one) => {
            pieces.value = one === "pieces";
          }}
        />
        <label class="button">
          Another picture…
          <input
            type="file"
            accept="image/*"
            onChange={(event) => {
              const [file] = event.currentTarget.files ?? [];
              if (file) void takeFile(file);
              event.currentTarget.value = "";
            }}
          />
        </label>
        {bundled && (
          <button type="button" onClick={() => void drawAnother()}>
            Draw another shape
          </button>
        )}
        <Start kind="run" primary ready={source.value !== undefined} onStart={() => void runModel()}>
          Run and time it
        </Start>
        <Progress kind="run" />
        <p class="hint">
          {source.value
            ? `On “${source.value.name}”, the picture of the Picture view. Another one can be dropped or pasted here.${bundled ? " This network tells shapes apart, and knows nothing else." : ""}`
            : "The picture is on its way."}
        </p>
      </div>
      {result && <Result result={result} />}
    </section>
  );
}

function Result({ result }: { result: PictureRun }) {
  const { milliseconds: ms, shape, input, plan } = result;
  return (
    <>
      <p>
        <b>{milliseconds(ms.median)}</b> a run (median of {ms.runs}; the first, with compiling, {milliseconds(ms.first)}
        ), on {input} {times(shape)}.
      </p>
      <Outputs run={result} />
      <details>
        <summary>
          The plan: {plural(plan.partitions.length, "partition")}, {plural(plan.kernels.length, "kernel")}
        </summary>
        <Works plan={plan} />
      </details>
    </>
  );
}

function Works({ plan }: { plan: ModelRun["plan"] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, by the keyboard too
    <section class="scroll" tabIndex={0} aria-label="The plan">
      <table>
        <thead>
          <tr>
            <th scope="col">what</th>
            <th scope="col">where</th>
            <th scope="col">result</th>
            <th scope="col">steps</th>
          </tr>
        </thead>
        <tbody>
          {plan.partitions.flatMap(({ tasks }, partition) =>
            tasks.map(({ op, name, place, shape, steps }, i) => (
              <tr key={`${partition} ${i} ${name}`}>
                <th scope="row">
                  {op} <small>{name}</small>
                </th>
                <td>{place}</td>
                <td>{shape ? times(shape) : ""}</td>
                <td>{steps.join("; ")}</td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </section>
  );
}
