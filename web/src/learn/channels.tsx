// Screen 5: a layer on three channels: at once, and as windows on each channel alone, then a needle through the channels.
import { signal } from "@preact/signals";
import { Choices, Slider } from "../parts/controls.tsx";
import { number, plural } from "../text.ts";
import type { Place } from "./move.ts";
import { needleOf, sum, windowSums } from "./numbers.ts";
import { Screen } from "./screen.tsx";
import { Stack } from "./stack.tsx";
import { finish } from "./state.ts";

const stages = [
  ["regular", "All at once"],
  ["windows", "Windows alone"],
  ["needles", "Then needles"],
] as const;
type Stage = (typeof stages)[number][0];

const stage = signal<Stage>("regular");
const at = signal<Place>({ y: 2, x: 1 });
const multiplier = signal(1);
const needles = signal(1);

const letters = ["R", "G", "B"];
const channels = letters.length;
const size = { picture: 12, window: 5, places: 8 };
const mostNeedles = 256;
/** More outputs are drawn as so many sheets. */
const mostSheets = 8;

/** The needle was moved. */
let moved = false;

function move(place: Place): void {
  if (place.x === size.places - 1) finish("channels.places");
  if (stage.peek() === "needles") moved = true;
  at.value = place;
  checkNeedles();
}

function setNeedles(count: number): void {
  needles.value = Math.min(mostNeedles, count);
  checkNeedles();
}

function checkNeedles(): void {
  if (moved && stage.peek() === "needles" && needles.peek() > 1) finish("channels.needle");
}

function setMultiplier(value: number): void {
  multiplier.value = value;
  if (value === 2) finish("channels.multiplier");
}

export function ChannelsScreen() {
  const alone = stage.value !== "regular";
  return (
    <Screen
      heading="Filter each channel alone, then mix"
      lead="A layer of a network reads a picture of several channels, here red, green and blue. A window of 5 × 5 slides over 12 × 12: how many places does it have along a side?"
      tasks={[
        { id: "channels.places", text: "Drag the window to the far right and read its place." },
        { id: "channels.needle", text: "Take “Then needles”, move the needle, and add needles." },
        { id: "channels.multiplier", text: "Set the depth multiplier to 2: count the sheets in the middle." },
      ]}
      learned="12 − 5 + 1 = 8 places. Filter each channel alone (8 × 8 × 3), then mix the channels at one point: a needle of 1 × 1 × 3 gives 8 × 8 × 1, and k needles 8 × 8 × k. That is a depthwise separable layer."
    >
      <div class="row">
        <Choices
          label="The layer"
          hideLabel
          value={stage.value}
          options={stages}
          onChange={(value) => {
            stage.value = value;
          }}
        />
      </div>
      <p class="says" aria-live="polite">
        {saysOf(stage.value, multiplier.value, needles.value)}
      </p>
      <Flow />
      <Sums />
      <div class="sliders">
        {alone && (
          <Slider
            label={
              <>
                <dfn>Depth multiplier</dfn>: filters for each channel
              </>
            }
            value={multiplier.value}
            min={1}
            max={2}
            onInput={setMultiplier}
          />
        )}
        {stage.value !== "windows" && (
          <Slider
            label={stage.value === "regular" ? "Filters, k" : "Needles, k"}
            value={needles.value}
            min={1}
            max={mostNeedles}
            onInput={setNeedles}
          />
        )}
        {stage.value === "needles" && (
          <button type="button" onClick={() => setNeedles(needles.value + 1)}>
            Add a needle
          </button>
        )}
      </div>
    </Screen>
  );
}

/** The middle's channels, each as often as it is filtered: R R G G B B. */
const middle = (multiplier: number): number[] =>
  letters.flatMap((_, channel) => Array.from({ length: multiplier }, () => channel));

function saysOf(stage: Stage, multiplier: number, needles: number): string {
  const [deep, order] = [channels * multiplier, middle(multiplier).map((channel) => letters[channel])];
  const result = `8\u00a0×\u00a08\u00a0×\u00a0${needles}`;
  if (stage === "regular")
    return `${plural(needles, "filter")} of 5 × 5 × 3 ${needles === 1 ? "goes" : "go"} through all sheets at once: 75 products for one number, ${result} in all.`;
  if (stage === "windows")
    return `${deep} windows of 5 × 5, ${multiplier === 1 ? "one" : "two"} on each channel: 25 products each, 8 × 8 × ${deep} in all, in the order ${order.join(" ")}.`;
  return `${plural(needles, "needle")} of 1 × 1 × ${deep} ${needles === 1 ? "goes" : "go"} through what the windows gave: ${plural(deep, "product")} for one number, ${result} in all.`;
}

function Flow() {
  const [place, now] = [at.value, stage.value];
  const outputs = Array.from({ length: Math.min(mostSheets, needles.value) }, () => "mixed" as const);
  const between = middle(multiplier.value);
  const where = `row ${place.y + 1}, column ${place.x + 1} of 8 × 8`;
  return (
    <>
      <div class="stacks">
        <Stack
          caption="12 × 12 × 3: R, G, B"
          side={size.picture}
          sheets={[0, 1, 2]}
          at={place}
          span={size.window}
          pierces={now === "regular"}
          name="Window"
          last={size.places - 1}
          onMove={now === "needles" ? undefined : move}
        />
        {now !== "regular" && (
          <>
            <Arrow />
            <Stack
              caption={`8 × 8 × ${between.length}: ${between.map((channel) => letters[channel]).join(" ")}`}
              side={size.places}
              sheets={between}
              at={place}
              span={1}
              pierces={now === "needles"}
              name="Needle"
              last={size.places - 1}
              onMove={now === "needles" ? move : undefined}
            />
          </>
        )}
        {now !== "windows" && (
          <>
            <Arrow />
            <Stack caption={`8 × 8 × ${needles.value}`} side={size.places} sheets={outputs} at={place} span={1} />
          </>
        )}
      </div>
      <p class="hint">The place: {where}.</p>
    </>
  );
}

const Arrow = () => (
  <span class="arrow" aria-hidden="true">
    →
  </span>
);

/** The numbers at the place: what the windows sum to, and what the first needle makes of them. */
function Sums() {
  const sums = windowSums(at.value.y, at.value.x, multiplier.value);
  const taps = needleOf(0, sums.length);
  const names = middle(multiplier.value).map((channel) => letters[channel]!);
  const total = sum(sums.map((value, i) => value * taps[i]!));
  if (stage.value === "regular")
    return (
      <p class="numbers" aria-live="polite">
        First filter, here: 25 products on R, 25 on G, 25 on B = <b>{number(regular())}</b>
      </p>
    );
  return (
    <p class="numbers" aria-live="polite">
      {stage.value === "windows" ? "Here" : "First needle, here"}:{" "}
      {sums.map((value, i) => (
        <span key={i} class={`number channel-${letters.indexOf(names[i]!)}`}>
          {stage.value === "needles" && `${taps[i]! < 0 ? `(${number(taps[i]!)})` : taps[i]} · `}
          <b>{value < 0 && stage.value === "needles" ? `(${number(value)})` : number(value)}</b>
        </span>
      ))}
      {stage.value === "needles" && (
        <>
          = <b>{number(total)}</b>
          {multiplier.value === 1 && ", the same as all at once: this filter is its three windows, mixed by the needle"}
        </>
      )}
    </p>
  );
}

/** The regular filter that is shown is the one that a window on each channel and the first needle make. */
function regular(): number {
  const sums = windowSums(at.value.y, at.value.x, 1);
  const taps = needleOf(0, channels);
  return sum(sums.map((value, i) => value * taps[i]!));
}
