// Screen 6: what a layer costs at once, and as windows and needles: three boxes to scale, with factors that can be changed.
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { Slider } from "../parts/controls.tsx";
import { count, number, plural } from "../text.ts";
import { type LayerSides, layerCosts } from "./numbers.ts";
import { Screen } from "./screen.tsx";
import { finish } from "./state.ts";

const sides = signal<LayerSides>({ places: 8, channels: 3, side: 5, outputs: 1 });

const ranges: Record<keyof LayerSides, { label: string; min: number; max: number; step?: number }> = {
  outputs: { label: "Outputs at each place, k", min: 1, max: 256 },
  places: { label: "Places along a side", min: 1, max: 32 },
  channels: { label: "Channels", min: 1, max: 16 },
  side: { label: "Side of the window", min: 1, max: 7, step: 2 },
};

function set(key: keyof LayerSides, value: number): void {
  const { min, max } = ranges[key];
  const next = { ...sides.peek(), [key]: Math.max(min, Math.min(max, value)) };
  sides.value = next;
  const pays = (outputs: number): boolean => {
    const { regular, windows, needles } = layerCosts({ ...next, outputs });
    return windows + needles < regular;
  };
  if (pays(next.outputs) && !pays(next.outputs - 1)) finish("count.least");
  if (next.outputs === ranges.outputs.max) finish("count.most");
}

export function CountScreen() {
  const now = sides.value;
  const { places, channels, side, outputs } = now;
  const { regular, windows, needles } = layerCosts(now);
  const apart = windows + needles;
  const taps = side * side;
  return (
    <Screen
      heading="Count both, and find where it pays"
      lead="Each box is a product, drawn to scale for one place: its area is how many multiplications it takes there."
      tasks={[
        {
          id: "count.least",
          text: "k begins at 1, where it costs more. Drag the right edge of a box, or the slider: which is the smallest k that pays?",
        },
        { id: "count.most", text: "Go on to k = 256." },
      ]}
      learned="1,228,800 multiplications become 53,952 at k = 256; at k = 1 it is 4,992 against 4,800, which is more. What is given up: all outputs share one filter for each channel, where each had its own."
    >
      <Boxes now={now} />
      <div class="totals" aria-live="polite">
        <p>
          At once: {product(places, places, taps * channels, outputs)} <Result value={regular} />
        </p>
        <p>
          Windows, then needles: {product(places, places, channels, taps)} +{" "}
          {product(places, places, channels, outputs)} = {count(windows)} + {count(needles)} <Result value={apart} />
        </p>
        <p class={apart < regular ? "ratio saves" : "ratio"}>{verdictOf(regular, apart)}</p>
      </div>
      <div class="sliders">
        {(Object.keys(ranges) as (keyof LayerSides)[]).map((key) => (
          <Slider key={key} {...ranges[key]} value={now[key]} onInput={(value) => set(key, value)} />
        ))}
        <button
          type="button"
          onClick={() => {
            sides.value = { places: 8, channels: 3, side: 5, outputs: sides.peek().outputs };
          }}
        >
          As on the last screen
        </button>
      </div>
    </Screen>
  );
}

/** A product that no line breaks. */
function product(...factors: number[]): string {
  return factors.join("\u00a0·\u00a0");
}

function Result({ value }: { value: number }) {
  return (
    <span class="whole">
      = <b>{count(value)}</b>
    </span>
  );
}

function verdictOf(regular: number, apart: number) {
  if (apart === regular) return "Both the same: it does not pay.";
  const pays = apart < regular;
  return (
    <>
      <b>{number(pays ? regular / apart : apart / regular, 3)} ×</b> {pays ? "fewer" : "more: it does not pay"}.
    </>
  );
}

/** Rectangles of one scale: k × (window · channels), window × channels, k × channels. The right edges of what is k wide move. */
function Boxes({ now: { channels, side, outputs } }: { now: LayerSides }) {
  const taps = side * side;
  // The scale stays while an edge is dragged
  const dragged = useRef<{ left: number; unit: number; wide: number } | undefined>(undefined);
  const wide = dragged.current?.wide ?? Math.max(32, outputs, taps);
  const boxes = [
    { key: "regular", width: outputs, height: taps * channels, says: `At once: k = ${outputs}, times ${taps * channels}` }, // biome-ignore format: a line
    { key: "windows", width: taps, height: channels, says: `Windows: ${taps}, times ${plural(channels, "channel")}` },
    {
      key: "needles",
      width: outputs,
      height: channels,
      says: `Needles: k = ${outputs}, times ${plural(channels, "channel")}`,
    },
  ];
  const onPointerMove = (event: PointerEvent): void => {
    const start = dragged.current;
    if (start) set("outputs", Math.round((event.clientX - start.left) / start.unit));
  };
  const onPointerUp = (): void => {
    dragged.current = undefined;
    sides.value = { ...sides.peek() };
  };
  const hold = (event: PointerEvent & { currentTarget: HTMLElement }): void => {
    const area = event.currentTarget.parentElement!.getBoundingClientRect();
    dragged.current = { left: area.left, unit: area.width / outputs, wide };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  return (
    <div class="boxes" style={{ "--wide": wide, "--tall": (taps + 2) * channels }}>
      {boxes.map(({ key, width, height, says }) => (
        <figure key={key} class={key}>
          <figcaption>{says}</figcaption>
          <div class="area" style={{ "--w": width, "--h": height }}>
            {key !== "windows" && (
              <span
                class="edge"
                onPointerDown={hold}
                {...{ onPointerMove, onPointerUp, onPointerCancel: onPointerUp }}
              />
            )}
          </div>
        </figure>
      ))}
    </div>
  );
}
