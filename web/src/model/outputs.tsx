// What comes out of a model: as a picture, as scores, or as the range of its numbers.
import { useEffect, useRef } from "preact/hooks";
import type { ModelRun } from "../engine/protocol.ts";
import { Bar } from "../parts/controls.tsx";
import { number, percent, times } from "../text.ts";
import { Boxes } from "./boxes.tsx";
import { boxesOf } from "./detections.ts";
import { classNames, isPicture, model, type PictureRun } from "./state.ts";

export type ModelOutput = ModelRun["outputs"][number];

export function Outputs({ run }: { run: PictureRun }) {
  const boxes = boxesOf(run);
  if (boxes) return <Boxes image={run.image} boxes={boxes} />;
  return (
    <div class="outputs">
      {run.outputs.map((output) => (
        <Output key={output.name} output={output} />
      ))}
    </div>
  );
}

/** What an output looks like: a picture, scores, or numbers. */
export function Output({ output }: { output: ModelOutput }) {
  const { name, shape, data } = output;
  const [least, most] = extremes(data);
  return (
    <figure>
      {isPicture(output) ? (
        <OutputPicture output={output} label={`The output ${name} as a picture`} />
      ) : data.length <= 1000 ? (
        <Scores values={data} />
      ) : null}
      <figcaption>
        {name}, {times(shape)}: from {number(least)} to {number(most)}
      </figcaption>
    </figure>
  );
}

export function extremes(data: Float32Array): [least: number, most: number] {
  let [least, most] = [Infinity, -Infinity];
  for (const value of data) [least, most] = [Math.min(least, value), Math.max(most, value)];
  return [least, most];
}

export function OutputPicture({ output: { shape, data }, label }: { output: ModelOutput; label: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [, channels, height, width] = shape as [number, number, number, number];
  useEffect(() => {
    const image = new ImageData(width, height);
    const scale = extremes(data)[1] > 2 ? 1 : 255;
    for (let i = 0; i < width * height; i++) {
      for (let c = 0; c < 3; c++) image.data[4 * i + c] = scale * data[(c % channels) * width * height + i]!;
      image.data[4 * i + 3] = 255;
    }
    canvas.current!.getContext("2d")!.putImageData(image, 0, 0);
  }, [data, width, height, channels]);
  return <canvas ref={canvas} width={width} height={height} role="img" aria-label={label} />;
}

const mostScores = 5;
/** Smaller ones differ in nothing that matters. */
const leastShare = 1e-4;

/** The largest of a list of scores; as shares where they are logits. */
function Scores({ values }: { values: Float32Array }) {
  const names = model.value?.bundled ? classNames.value : [];
  const [least, most] = extremes(values);
  const sum = values.reduce((total, value) => total + Math.exp(value - most), 0);
  const areShares = least >= 0 && Math.abs(values.reduce((total, value) => total + value, 0) - 1) < 1e-3;
  const share = (value: number): number => (areShares ? value : Math.exp(value - most) / sum);
  const best = Array.from(values, (value, index) => ({ value, index })).sort((a, b) => b.value - a.value);
  return (
    <ol class="scores">
      {best.slice(0, mostScores).map(({ value, index }) => (
        <li key={index}>
          <span>{names[index] ?? `class ${index}`}</span>
          <Bar share={share(value)} />
          <span>{share(value) < leastShare ? "< 0.01 %" : percent(share(value))}</span>
        </li>
      ))}
    </ol>
  );
}
