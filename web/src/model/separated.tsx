// The result of separating: what it saves and costs, the new file, each layer's decomposition, and both models side by
// side.
import { useEffect, useMemo } from "preact/hooks";
import type { LayerReport, Report } from "rank1/onnx";
import type { Separation } from "../engine/protocol.ts";
import { Figure } from "../parts/controls.tsx";
import { source } from "../picture/source.ts";
import { change, milliseconds, number, percent, plural, quantity, shownMilliseconds, times } from "../text.ts";
import { Comparison } from "./comparison.tsx";
import { Examples } from "./examples.tsx";
import { compareModels, comparison, type OpenModel } from "./state.ts";
import { TradeOff } from "./trade-off.tsx";
import { Progress, Start } from "./working.tsx";

/** What loss is measured in. */
const units: Readonly<Record<NonNullable<Report["lossFunction"]>, string>> = {
  divergence: "loss: divergence of the classes’ probabilities, nats an input",
  "relative square error": "loss: square error over the variance of the outputs",
};

export function Separated({
  result: { report, file, skipped, evaluation },
  open,
}: {
  result: Separation;
  open: OpenModel;
}) {
  const { totals, reached, goal, lossFunction } = report;
  const { multiplications, parameters } = totals;
  const { milliseconds: ms } = reached;
  const time = ms && change(shownMilliseconds(ms.before), shownMilliseconds(ms.after));
  // Counted as the summary above counts them: with every constant of the file
  const before = open.inspection.totals.parameters;
  const saved = parameters.before - parameters.after;
  return (
    <>
      <div class="figures">
        <Figure value={`${number(reached.reduction)} ×`} strong>
          fewer multiplications: {quantity(multiplications.before)} → {quantity(multiplications.after)}
        </Figure>
        {reached.milliseconds && (
          <Figure value={time!.value}>
            {time!.same ? "the time" : time!.fewer ? "as fast" : "as slow"} in this browser:{" "}
            {milliseconds(reached.milliseconds.before)} → {milliseconds(reached.milliseconds.after)}, one thread
          </Figure>
        )}
        {lossFunction && reached.loss !== undefined && (
          <Figure value={number(reached.loss, 2)}>{units[lossFunction]}</Figure>
        )}
        {evaluation && (
          <Figure value={percent(evaluation.after / evaluation.pictures)}>
            of {evaluation.pictures} other shapes are named right; {percent(evaluation.before / evaluation.pictures)}{" "}
            before
          </Figure>
        )}
        <Figure value={quantity(before - saved)}>parameters; {quantity(before)} before</Figure>
      </div>
      {!reached.met && <p>The goal of {goal.value} was missed: this is the nearest found.</p>}
      {skipped.length > 0 && <p class="hint">Left out, no pictures: {skipped.join(", ")}.</p>}
      <div class="row">
        <Download name={open.file.name} file={file} />
      </div>
      <TradeOff report={report} />
      <Layers report={report} />
      {evaluation ? (
        <Examples evaluation={evaluation} />
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

const decompositions: Readonly<Record<NonNullable<LayerReport["decomposition"]>, (rank: number) => string>> = {
  cp: (rank) => `pointwise, depthwise, pointwise (rank ${rank})`,
  depthwise: (rank) => `depthwise × ${rank}, pointwise`,
  spatial: (rank) => `column, row (rank ${rank})`,
  bottleneck: (rank) => `to ${plural(rank, "channel")}, pointwise`,
  narrow: (rank) => `pointwise to ${plural(rank, "channel")}, window`,
};

function Layers({ report: { layers } }: { report: Report }) {
  const evaluated = layers.some(({ loss }) => loss !== undefined);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a wide table scrolls, by the keyboard too
    <section class="scroll" tabIndex={0} aria-label="What became of each layer">
      <table class="became">
        <caption>
          What became of each layer.
          {evaluated && " Loss is what the outputs lose if this layer alone is changed."}
        </caption>
        <thead>
          <tr>
            <th scope="col">layer</th>
            <th scope="col">becomes</th>
            <th scope="col">multiplications</th>
            {evaluated && <th scope="col">loss</th>}
          </tr>
        </thead>
        <tbody>
          {layers.map(({ name, weight, decomposition, rank, multiplications: { before, after }, loss }) => (
            <tr key={name} class={decomposition ? "" : "out"}>
              <th scope="row">
                {name} <small>{times(weight)}</small>
              </th>
              <td>{decomposition ? decompositions[decomposition](rank!) : "stays as it is"}</td>
              <td>{decomposition ? `${quantity(before)} → ${quantity(after)}` : quantity(before)}</td>
              {evaluated && <td data-what="loss">{loss === undefined ? "–" : number(loss, 2)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
