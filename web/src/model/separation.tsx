// Separating the model: by which pictures and how far, what became of each layer, the new file, and both on one picture.
import { useSignal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { Figure, Slider, Switch } from "../parts/controls.tsx";
import { source } from "../picture/source.ts";
import { milliseconds, number, percent, plural, quantity, times } from "../text.ts";
import { Outputs } from "./outputs.tsx";
import { busy, cancel, compareModels, comparison, type OpenModel, separateModel, separation } from "./state.ts";
import { TradeOff } from "./trade-off.tsx";

export function Separate({ open }: { open: OpenModel }) {
  const [files, pieces, reduce, rank] = [useSignal<File[]>([]), useSignal(false), useSignal(2.5), useSignal(3)];
  const pictures = open.drawn ? "drawn" : files.value;
  const hasPictures = pictures.length > 0;
  const goal = hasPictures ? { reduce: reduce.value } : { rank: rank.value };
  return (
    <section class="panel run" aria-label="Separate it">
      <h2>Separate it</h2>
      <p class="hint">
        Its regular convolutions become separable ones where that gains.{" "}
        {open.drawn
          ? "Judged by pictures of shapes that are drawn here."
          : "With a few dozen typical pictures, what the model makes of these is preserved; without, only its weights."}
      </p>
      <div class="row">
        {!open.drawn && (
          <Pictures
            files={files.value}
            onChange={(chosen) => {
              files.value = chosen;
            }}
          />
        )}
        {!open.drawn && hasPictures && (
          <Switch
            label="Pieces of larger pictures"
            checked={pieces.value}
            onChange={(checked) => {
              pieces.value = checked;
            }}
          />
        )}
      </div>
      {hasPictures ? (
        <Slider
          label="Divide the multiplications by"
          value={reduce.value}
          {...{ min: 1.2, max: 8, step: 0.1, text: number(reduce.value) }}
          onInput={(value) => {
            reduce.value = value;
          }}
        />
      ) : (
        <Slider
          label="Depth multiplier of each layer"
          value={rank.value}
          {...{ min: 1, max: 9 }}
          onInput={(value) => {
            rank.value = value;
          }}
        />
      )}
      <div class="row">
        <button
          type="button"
          class="primary"
          disabled={busy.value !== ""}
          onClick={() => void separateModel({ pictures, pieces: pieces.value, goal })}
        >
          Separate
        </button>
        {busy.value !== "" && (
          <>
            <button type="button" onClick={cancel}>
              Cancel
            </button>
            <p class="hint">{busy.value}</p>
          </>
        )}
      </div>
      {separation.value && <Result open={open} />}
    </section>
  );
}

function Pictures({ files, onChange }: { files: readonly File[]; onChange(files: File[]): void }) {
  return (
    <>
      <label class="button">
        Choose pictures…
        <input
          type="file"
          accept="image/*"
          multiple
          onChange={(event) => onChange([...(event.currentTarget.files ?? [])])}
        />
      </label>
      <p class="hint">{files.length > 0 ? `${plural(files.length, "picture")} chosen.` : "None yet."}</p>
    </>
  );
}

function Result({ open }: { open: OpenModel }) {
  const { report, file, skipped, right } = separation.value!;
  const { totals, reached, curve, measure, seconds, goal } = report;
  const { multiplications, parameters } = totals;
  return (
    <>
      <div class="figures">
        <Figure value={`${number(reached.reduction)} ×`} strong>
          fewer multiplications: {quantity(multiplications.before)} → {quantity(multiplications.after)}
        </Figure>
        {reached.milliseconds && (
          <Figure value={`${number(reached.speedup!)} ×`}>
            as fast here: {milliseconds(reached.milliseconds.before)} → {milliseconds(reached.milliseconds.after)}, one
            thread
          </Figure>
        )}
        {reached.damage !== undefined && <Figure value={number(reached.damage, 2)}>{measure} of its outputs</Figure>}
        {right && (
          <Figure value={percent(right.after / right.of)}>
            of {right.of} other drawn shapes named right; {percent(right.before / right.of)} before
          </Figure>
        )}
        <Figure value={quantity(parameters.after)}>parameters, of {quantity(parameters.before)}</Figure>
      </div>
      {!reached.met && <p>The goal of {goal.value} was missed: this is the nearest found.</p>}
      {skipped.length > 0 && <p class="hint">Left out, no pictures: {skipped.join(", ")}.</p>}
      <div class="row">
        <Download name={open.file} file={file} />
        {!open.drawn && (
          <button type="button" disabled={busy.value !== "" || !source.value} onClick={() => void compareModels()}>
            Compare both on your picture
          </button>
        )}
        <p class="hint">It took {number(seconds)} s.</p>
      </div>
      {comparison.value && <Comparison />}
      <TradeOff curve={curve} reached={reached} />
      <Layers />
    </>
  );
}

function Download({ name, file }: { name: string; file: Uint8Array<ArrayBuffer> }) {
  const address = useMemo(() => URL.createObjectURL(new Blob([file])), [file]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return (
    <a class="button" href={address} download={name.replace(/(\.onnx)?$/i, "-separated.onnx")}>
      Download the new model ({quantity(file.length)}B)
    </a>
  );
}

function Layers() {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, by the keyboard too
    <section class="scroll" tabIndex={0} aria-label="What became of each layer">
      <table>
        <thead>
          <tr>
            <th scope="col">layer</th>
            <th scope="col">weight</th>
            <th scope="col">becomes</th>
            <th scope="col">multiplications</th>
            <th scope="col">damage alone</th>
          </tr>
        </thead>
        <tbody>
          {separation.value!.report.layers.map(({ name, weight, form, rank, multiplications, damage }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{times(weight)}</td>
              <td>{form ? `${form}, rank ${rank}` : "stays"}</td>
              <td>
                {quantity(multiplications.before)}
                {form && ` → ${quantity(multiplications.after)}`}
              </td>
              <td>{damage === undefined ? "" : number(damage, 2)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What both make of one picture, and by how much that differs. */
function Comparison() {
  const { before, after } = comparison.value!;
  return (
    <>
      {(
        [
          ["original", before],
          ["separated", after],
        ] as const
      ).map(([name, { outputs, milliseconds: ms }]) => (
        <div key={name}>
          <h3>
            {name}, {milliseconds(ms.median)} a run
          </h3>
          <Outputs outputs={outputs} />
        </div>
      ))}
      <ul>
        {before.outputs.map(({ name, data }, i) => (
          <li key={name}>
            {name}: they differ by {percent(distance(data, after.outputs[i]!.data))} of its values, on average.
          </li>
        ))}
      </ul>
    </>
  );
}

/** The root mean square difference over that of the first. */
function distance(a: Float32Array, b: Float32Array): number {
  const sum = (of: (i: number) => number): number => a.reduce((total, _, i) => total + of(i) ** 2, 0);
  return Math.sqrt(sum((i) => a[i]! - b[i]!) / (sum((i) => a[i]!) || 1));
}
