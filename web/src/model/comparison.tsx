// The original and the separated model on one picture: output by output side by side, and by how much they differ.
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { Slider } from "../parts/controls.tsx";
import { Handle } from "../picture/stage.tsx";
import { milliseconds, number, percent, plural } from "../text.ts";
import { Boxes } from "./boxes.tsx";
import { boxesOf, inCommon } from "./detections.ts";
import { extremes, type ModelOutput, Output, OutputPicture } from "./outputs.tsx";
import { isPicture, type PictureRun } from "./state.ts";

export function Comparison({ before, after }: { before: PictureRun; after: PictureRun }) {
  return (
    <section class="comparison" aria-label="Original against separated">
      <h3>
        {milliseconds(before.milliseconds.median)} a run before, {milliseconds(after.milliseconds.median)} after, with
        all threads
      </h3>
      {boxesOf(before) ? (
        <Found before={before} after={after} />
      ) : (
        before.outputs.map((output, i) => <Pair key={output.name} before={output} after={after.outputs[i]!} />)
      )}
    </section>
  );
}

function Sides({ children: [before, after] }: { children: [ComponentChildren, ComponentChildren] }) {
  return (
    <div class="two-ways">
      <div>
        <h4>Original</h4>
        {before}
      </div>
      <div>
        <h4>Separated</h4>
        {after}
      </div>
    </div>
  );
}

/** What both detectors have found. */
function Found({ before, after }: { before: PictureRun; after: PictureRun }) {
  const [own, others] = [boxesOf(before)!, boxesOf(after) ?? []];
  return (
    <>
      <Sides>
        <Boxes image={before.image} boxes={own} />
        <Boxes image={after.image} boxes={others} />
      </Sides>
      <p>
        The separated model finds {inCommon(own, others)} of the {plural(own.length, "box")} that the original finds,
        and {others.length - inCommon(others, own)} that it does not.
      </p>
    </>
  );
}

function Pair({ before, after }: { before: ModelOutput; after: ModelOutput }) {
  const text = difference(before, after);
  if (isPicture(before)) return <TwoUp before={before} after={after} text={text} />;
  return (
    <>
      <Sides>
        <Output output={before} />
        <Output output={after} />
      </Sides>
      <p>{text}</p>
    </>
  );
}

/** One over the other with a divider between them. */
function TwoUp({ before, after, text }: { before: ModelOutput; after: ModelOutput; text: string }) {
  const divider = useSignal(50);
  const [, , height, width] = before.shape as [number, number, number, number];
  const move = (at: number): void => {
    divider.value = at;
  };
  return (
    <figure class="compared">
      <div class="frame two-up" style={{ aspectRatio: `${width} / ${height}` }}>
        <OutputPicture output={before} label={`${before.name} of the original`} />
        <div style={{ clipPath: `inset(0 0 0 ${divider.value}%)` }}>
          <OutputPicture output={after} label={`${after.name} of the separated model`} />
        </div>
        <Handle at={divider.value} onMove={move} />
      </div>
      <Slider
        label="Divider: the original on its left, the separated model on its right"
        value={divider.value}
        {...{ min: 0, max: 100, text: `${divider.value} %`, onInput: move }}
      />
      <figcaption>{text}</figcaption>
    </figure>
  );
}

const mostClasses = 1000;

/** Says in words how far apart two outputs are. */
function difference(before: ModelOutput, after: ModelOutput): string {
  const { name, data } = before;
  let [largest, squares, own] = [0, 0, 0];
  for (const [i, value] of data.entries()) {
    const off = value - after.data[i]!;
    largest = Math.max(largest, Math.abs(off));
    squares += off * off;
    own += value * value;
  }
  const [least, most] = extremes(data);
  const far = `the largest difference is ${number(largest)}, of values from ${number(least)} to ${number(most)}`;
  if (isPicture(before)) {
    const decibels = 10 * Math.log10((data.length * (most - least) ** 2) / squares);
    return `${name}: ${far}; a PSNR of ${Number.isFinite(decibels) ? `${number(decibels)} dB` : "infinity"}.`;
  }
  if (data.length <= mostClasses) {
    const first = (values: Float32Array): number => values.indexOf(Math.max(...values));
    const [a, b] = [first(data), first(after.data)];
    return `${name}: ${a === b ? `the same first class, ${a}` : `the first class was ${a}, and is now ${b}`}; ${far}.`;
  }
  return `${name}: they differ by ${percent(Math.sqrt(squares / (own || 1)))} on average; ${far}.`;
}
