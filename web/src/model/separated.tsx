// What came of separating: what it saves and costs, the new file, what became of each layer, and both models side by side.
import { useEffect, useMemo } from "preact/hooks";
import type { LayerReport, Report } from "rank1/onnx";
import type { Separation } from "../engine/protocol.ts";
import { Figure } from "../parts/controls.tsx";
import { source } from "../picture/source.ts";
import { milliseconds, number, percent, quantity, times } from "../text.ts";
import { Comparison } from "./comparison.tsx";
import { Examples } from "./examples.tsx";
import { compareModels, comparison, type OpenModel } from "./state.ts";
import { TradeOff } from "./trade-off.tsx";
import { Progress, Start } from "./working.tsx";

/** What damage is measured in. */
const units: Readonly<Record<NonNullable<Report["measure"]>, string>> = {
  divergence: "damage: divergence of the classes’ probabilities, nats an input",
  "relative square error": "damage: square error over the variance of the outputs",
};

export function Separated({
  result: { report, file, skipped, judgement },
  open,
}: {
  result: Separation;
  open: OpenModel;
}) {
  const { totals, reached, goal, measure } = report;
  const { multiplications, parameters } = totals;
  return (
    <>
      <div class="figures">
        <Figure value={`${number(reached.reduction)} ×`} strong>
          fewer multiplications: {quantity(multiplications.before)} → {quantity(multiplications.after)}
        </Figure>
        {reached.milliseconds && (
          <Figure value={`${number(reached.speedup!)} ×`}>
            as fast in this browser: {milliseconds(reached.milliseconds.before)} →{" "}
            {milliseconds(reached.milliseconds.after)}, one thread
          </Figure>
        )}
        {measure && reached.damage !== undefined && <Figure value={number(reached.damage, 2)}>{units[measure]}</Figure>}
        {judgement && (
          <Figure value={percent(judgement.after / judgement.pictures)}>
            of {judgement.pictures} other shapes are named right; {percent(judgement.before / judgement.pictures)}{" "}
            before
          </Figure>
        )}
        <Figure value={quantity(parameters.after)}>parameters; {quantity(parameters.before)} before</Figure>
      </div>
      {!reached.met && <p>The goal of {goal.value} was missed: this is the nearest found.</p>}
      {skipped.length > 0 && <p class="hint">Left out, no pictures: {skipped.join(", ")}.</p>}
      <div class="row">
        <Download name={open.file.name} file={file} />
      </div>
      <TradeOff report={report} />
      <Layers report={report} />
      {judgement ? (
        <Examples judgement={judgement} />
      ) : (
        <div class="row">
          <Start kind="compare" ready={source.value !== undefined} onStart={() => void compareModels()}>
            Compare both on your picture
          </Start>
          <Progress kind="compare" />
        </div>
      )}
      {comparison.value && <Comparison {...comparison.value} />}
    </>
  );
}

function Download({ name, file }: { name: string; file: Uint8Array<ArrayBuffer> }) {
  const address = useMemo(() => URL.createObjectURL(new Blob([file])), [file]);
  useEffect(() => () => URL.revokeObjectURL(address), [address]);
  return (
    <a class="button primary" href={address} download={name.replace(/(\.onnx)?$/i, "-separated.onnx")}>
      Download the separated model ({quantity(file.length)}B)
    </a>
  );
}

const forms: Readonly<Record<NonNullable<LayerReport["form"]>, (rank: number) => string>> = {
  cp: (rank) => `pointwise, depthwise, pointwise (rank ${rank})`,
  depthwise: (rank) => `depthwise × ${rank}, pointwise`,
  spatial: (rank) => `column, row (rank ${rank})`,
  bottleneck: (rank) => `to ${rank} channels, pointwise`,
  narrow: (rank) => `pointwise to ${rank} channels, window`,
};

function Layers({ report: { layers } }: { report: Report }) {
  const judged = layers.some(({ damage }) => damage !== undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, by the keyboard too
    <section class="scroll" tabIndex={0} aria-label="What became of each layer">
      <table class="became">
        <caption>
          What became of each layer.
          {judged && " Damage is what the outputs lose if this layer alone is changed."}
        </caption>
        <thead>
          <tr>
            <th scope="col">layer</th>
            <th scope="col">becomes</th>
            <th scope="col">multiplications</th>
            {judged && <th scope="col">damage</th>}
          </tr>
        </thead>
        <tbody>
          {layers.map(({ name, weight, form, rank, multiplications: { before, after }, damage }) => (
            <tr key={name} class={form ? "" : "out"}>
              <th scope="row">
                {name} <small>{times(weight)}</small>
              </th>
              <td>{form ? forms[form](rank!) : "stays as it is"}</td>
              <td>{form ? `${quantity(before)} → ${quantity(after)}` : quantity(before)}</td>
              {judged && <td data-what="damage">{damage === undefined ? "–" : number(damage, 2)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
