// The layer in three scenes: as it stands, depthwise, pointwise. Each runs over the places of its result, by hand or by itself.
import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { LayerCost, StageCost } from "rank1";
import { Slider } from "../parts/controls.tsx";
import type { LayerChoice } from "../state/hash.ts";
import { count, noun, plural, times } from "../text.ts";
import { Kernels } from "./kernels.tsx";
import { Volume } from "./volume.tsx";

interface Scene {
  title: string;
  says: string;
  stage: StageCost;
  /** What is multiplied and added for each output: "5 · 5 · 3". */
  each: readonly number[];
}

function scenesOf(
  { kernel, inputs, multiplier, outputs }: LayerChoice,
  conv: LayerCost,
  separable: LayerCost,
): Scene[] {
  const [depthwise, pointwise] = separable.stages as [StageCost, StageCost];
  const size = `${kernel} × ${kernel}`;
  const middle = inputs * multiplier;
  return [
    {
      title: "As it stands",
      says: `${plural(outputs, "filter")} of ${size} × ${inputs}: ${outputs === 1 ? "it" : "each"} sees all channels at once.`,
      stage: conv.stages[0]!,
      each: [kernel, kernel, inputs],
    },
    {
      title: "1. Depthwise",
      says: `${plural(middle, "filter")} of ${size}: each channel is filtered alone${multiplier > 1 ? `, ${multiplier} times` : ""}.`,
      stage: depthwise,
      each: [kernel, kernel],
    },
    {
      title: "2. Pointwise",
      says: `${plural(outputs, "filter")} of 1 × 1 × ${middle}: the channels are mixed, pixel by pixel.`,
      stage: pointwise,
      each: [middle],
    },
  ];
}

const product = (sides: readonly number[]): number => sides.reduce((all, side) => all * side, 1);

const frameMilliseconds = 70;
const slowMilliseconds = 1800;

export function Scenes({ choice, conv, separable }: { choice: LayerChoice; conv: LayerCost; separable: LayerCost }) {
  const scenes = scenesOf(choice, conv, separable);
  const at = useSignal({ scene: 0, place: 20 });
  const playing = useSignal(false);
  const scene = scenes[at.value.scene]!;
  const [height, width] = scene.stage.output;
  const places = height * width;
  const place = Math.min(at.value.place, places);

  const isPlaying = playing.value;
  useEffect(() => {
    if (!isPlaying) return;
    // Those who want no movement get one scene after the other
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const stride = still ? places : Math.max(1, Math.round(places / 64));
    const timer = setInterval(
      () => {
        const { scene, place } = at.peek();
        if (place < places) at.value = { scene, place: Math.min(places, place + stride) };
        else at.value = { scene: (scene + 1) % 3, place: still ? places : 1 };
      },
      still ? slowMilliseconds : frameMilliseconds,
    );
    return () => clearInterval(timer);
  }, [isPlaying, places, at]);

  return (
    <div class="scenes">
      <nav class="steps" aria-label="Scenes">
        {scenes.map(({ title }, i) => (
          <button
            key={title}
            type="button"
            aria-pressed={i === at.value.scene}
            onClick={() => {
              at.value = { scene: i, place: at.value.place };
            }}
          >
            {title}
          </button>
        ))}
      </nav>
      <p class="says">{scene.says}</p>
      <Flow scene={scene} choice={choice} place={place} index={at.value.scene} />
      <div class="player">
        <button
          type="button"
          class="primary"
          onClick={() => {
            playing.value = !isPlaying;
          }}
        >
          {isPlaying ? "Pause" : "Play"}
        </button>
        <Slider
          label="Place"
          value={place}
          min={1}
          max={places}
          text={`${place} of ${places}`}
          onInput={(value) => {
            playing.value = false;
            at.value = { ...at.value, place: value };
          }}
        />
      </div>
      <p class="product">
        {times(scene.stage.output.map(count))} {noun(product(scene.stage.output), "output")}, {scene.each.join(" · ")}{" "}
        {noun(product(scene.each), "multiplication")} each: <b>{count(scene.stage.multiplications)}</b> in all
      </p>
    </div>
  );
}

function Flow({ scene, choice, place, index }: { scene: Scene; choice: LayerChoice; place: number; index: number }) {
  const { input, output, size } = scene.stage;
  const { inputs, multiplier, outputs } = choice;
  const [x, y] = [(place - 1) % output[1], Math.floor((place - 1) / output[1])];
  const [depthwise, pointwise] = [index === 1, index === 2];
  const spread = pointwise ? { stride: 1, dilation: 1 } : choice;
  const at = { y: y * spread.stride, x: x * spread.stride, count: size[0], step: spread.dilation };
  // As the library orders them: all results of the first channel, then those of the second
  const sourceOf = (channel: number): number => Math.floor(channel / multiplier);
  const depth = depthwise ? 1 : pointwise ? inputs * multiplier : inputs;
  return (
    <div class="flow">
      <Volume
        shape={input}
        label={`In: ${times(input)}; ${depthwise ? "a window on each channel" : "one window through all channels"}, at row ${y + 1}, column ${x + 1}`}
        window={{ ...at, through: !depthwise }}
        channelOf={pointwise ? sourceOf : (channel) => channel}
      />
      <Arrow />
      <Kernels
        kernel={size[0]}
        depth={depth}
        count={depthwise ? inputs * multiplier : outputs}
        channelOf={(filter, sheet) => (depthwise ? sourceOf(filter) : pointwise ? sourceOf(sheet) : sheet)}
        label={scene.says}
      />
      <Arrow />
      <Volume
        shape={output}
        label={`Out: ${times(output)}; ${plural(place, "place")} ${place === 1 ? "is" : "are"} done`}
        done={place}
        channelOf={depthwise ? sourceOf : undefined}
      />
    </div>
  );
}

const Arrow = () => (
  <span class="arrow" aria-hidden="true">
    →
  </span>
);
