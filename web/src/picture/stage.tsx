// The picture and its result, one over the other with a divider between them, inside the frame that the border fills. Both
// zoom and move together. Pointing at a pixel, a click or the arrow keys pick one.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { call } from "../engine/client.ts";
import { Slider } from "../parts/controls.tsx";
import { border, weights } from "../state/state.ts";
import { Picker } from "./picker.tsx";
import { hovered } from "./pixel-at.ts";
import { followResult, mode, progress } from "./result.ts";
import { source } from "./source.ts";
import { type Place, placeOf, type Sides, scaleNow, zoom, zoomBy, zoomSteps, zoomTo } from "./zoom.ts";

/** At least as many pixels of border as the filter reaches, and enough of them to be seen. */
function frameOf(width: number, height: number, kh: number, kw: number): number {
  return Math.min(64, Math.max(kh >> 1, kw >> 1, Math.round(0.045 * Math.min(width, height)), 2));
}

export function Stage() {
  const original = useRef<HTMLCanvasElement>(null);
  const result = useRef<HTMLCanvasElement>(null);
  const room = useRef<HTMLDivElement>(null);
  const divider = useSignal(50);
  const ready = useSignal(false);
  const frameSides = useSignal<Sides>({ width: 600, height: 400 });
  const shown = source.value?.image;
  const { kh, kw } = weights.value;
  const margin = shown ? frameOf(shown.width, shown.height, kh, kw) : 0;

  useEffect(
    () =>
      followResult(original.current!, result.current!, () => {
        ready.value = true;
      }),
    [ready],
  );
  const kind = border.value;
  useEffect(() => {
    if (shown) void call("frame", { border: kind, frame: margin });
  }, [shown, kind, margin]);
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      const { width, height } = entry!.contentRect;
      frameSides.value = { width, height };
    });
    observer.observe(room.current!);
    return () => observer.disconnect();
  }, [frameSides]);

  const [width, height] = [shown?.width ?? 768, shown?.height ?? 512];
  const outer = { width: width + 2 * margin, height: height + 2 * margin };
  const frame = frameSides.value;
  const place = placeOf(outer, frame);
  const unit = place.width / outer.width;
  const inner = { left: margin * unit, top: margin * unit, width: width * unit, height: height * unit };
  const both = mode.value === "divider";
  const cut = (100 * ((divider.value / 100) * frame.width - place.left - inner.left)) / inner.width;
  const clip = both ? { clipPath: `inset(0 0 0 ${Math.min(100, Math.max(0, cut))}%)` } : {};

  return (
    <div class="stage">
      <ZoomBar picture={outer} frame={frame} />
      <div
        ref={room}
        class={unit >= 2 ? "frame pixelated" : "frame"}
        style={{
          maxWidth: `calc(64vh * ${outer.width / outer.height})`,
          aspectRatio: `${outer.width} / ${outer.height}`,
        }}
      >
        <Picker image={{ width, height }} outer={outer} frame={frame} border={margin} unit={unit} place={place}>
          <div class={source.value?.opaque === false ? "layer-of chequered" : "layer-of"} style={px(place)}>
            <canvas
              ref={original}
              role="img"
              aria-label={`${source.value?.name ?? "No picture yet"}, with its border`}
            />
            <div class="inner" style={px(inner)}>
              <div
                class={`over${ready.value ? "" : " waiting"}${source.value?.opaque ? "" : " chequered"}`}
                style={clip}
              >
                <canvas
                  ref={result}
                  class={ready.value ? "result" : "result waiting"}
                  role="img"
                  aria-label={mode.value === "difference" ? "What has changed" : "The filtered picture"}
                />
              </div>
            </div>
          </div>
        </Picker>
        {both && <Handle at={divider.value} onMove={(at) => (divider.value = at)} />}
        {!hovered.value && <p class="point">Point at a pixel for its sum</p>}
      </div>
      {progress.value !== undefined && (
        <progress aria-label="Filtering" max={1} value={progress.value}>
          {Math.round(100 * progress.value)} %
        </progress>
      )}
      {both && (
        <Slider
          label="Divider: the picture on its left, the result on its right"
          value={divider.value}
          min={0}
          max={100}
          text={`${divider.value} %`}
          onInput={(value) => {
            divider.value = value;
          }}
        />
      )}
    </div>
  );
}

const px = ({ left, top, width, height }: Place): Record<string, string> => ({
  left: `${left}px`,
  top: `${top}px`,
  width: `${width}px`,
  height: `${height}px`,
});

/** Fitted, or one of the steps; what a gesture has left in between stands there as it is. */
function ZoomBar({ picture, frame }: { picture: Sides; frame: Sides }) {
  const now = zoom.value?.scale;
  const percentOf = (scale: number): string => `${Math.round(100 * scale)} %`;
  const isStep = now === undefined || zoomSteps.some((step) => step === now);
  const scale = scaleNow(picture, frame);
  return (
    <fieldset class="zoom">
      <legend class="hidden">Zoom</legend>
      <button
        type="button"
        aria-label="Zoom out"
        disabled={scale <= zoomSteps[0]}
        onClick={() => zoomBy(-1, picture, frame)}
      >
        −
      </button>
      <select
        aria-label="Zoom"
        value={now === undefined ? "fit" : String(now)}
        onChange={(event) => {
          const { value } = event.currentTarget;
          if (value === "fit") zoom.value = undefined;
          else zoomTo(Number(value), picture, frame);
        }}
      >
        <option value="fit">Fit</option>
        {!isStep && <option value={String(now)}>{percentOf(now)}</option>}
        {zoomSteps.map((step) => (
          <option key={step} value={String(step)}>
            {percentOf(step)}
          </option>
        ))}
      </select>
      <button
        type="button"
        aria-label="Zoom in"
        disabled={scale >= zoomSteps.at(-1)!}
        onClick={() => zoomBy(1, picture, frame)}
      >
        +
      </button>
    </fieldset>
  );
}

/** The line between the two pictures, to be dragged; the slider below does the same for keys. */
export function Handle({ at, onMove }: { at: number; onMove(at: number): void }) {
  return (
    <span
      class="handle"
      aria-hidden="true"
      style={{ left: `${at}%` }}
      onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        const { left, width } = event.currentTarget.parentElement!.getBoundingClientRect();
        onMove(Math.round(Math.min(100, Math.max(0, (100 * (event.clientX - left)) / width))));
      }}
    />
  );
}
