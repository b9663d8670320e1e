// The picture and its result, one over the other with a divider between them, inside the frame that the border fills. A click
// or the arrow keys pick a pixel.
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { call } from "../engine/client.ts";
import { Slider } from "../parts/controls.tsx";
import { border, pixel, weights } from "../state/state.ts";
import { followResult, mode, progress } from "./result.ts";
import { source } from "./source.ts";

export type Zoom = "fit" | "100";

/** At least as many pixels of border as the filter reaches, and enough of them to be seen. */
function frameOf(width: number, height: number, kh: number, kw: number): number {
  return Math.min(64, Math.max(kh >> 1, kw >> 1, Math.round(0.045 * Math.min(width, height)), 2));
}

export function Stage({ zoom }: { zoom: Zoom }) {
  const original = useRef<HTMLCanvasElement>(null);
  const result = useRef<HTMLCanvasElement>(null);
  const divider = useSignal(50);
  const ready = useSignal(false);
  const shown = source.value?.image;
  const { kh, kw } = weights.value;
  const frame = shown ? frameOf(shown.width, shown.height, kh, kw) : 0;

  useEffect(
    () =>
      followResult(original.current!, result.current!, () => {
        ready.value = true;
      }),
    [ready],
  );
  const kind = border.value;
  useEffect(() => {
    if (shown) void call("frame", { border: kind, frame });
  }, [shown, kind, frame]);

  const [width, height] = [shown?.width ?? 768, shown?.height ?? 512];
  const [outerWidth, outerHeight] = [width + 2 * frame, height + 2 * frame];
  const share = (pixels: number, of: number): string => `${(100 * pixels) / of}%`;
  const inset = { left: share(frame, outerWidth), top: share(frame, outerHeight) };
  const size = { width: share(width, outerWidth), height: share(height, outerHeight) };
  const ratio = globalThis.devicePixelRatio || 1;
  const exact =
    zoom === "100" ? { width: `${outerWidth / ratio}px` } : { maxWidth: `calc(72vh * ${outerWidth / outerHeight})` };
  const both = mode.value === "divider";

  return (
    <div class="stage">
      <div class={`viewport ${zoom === "100" ? "whole" : ""}`}>
        <div class="frame" style={{ ...exact, aspectRatio: `${outerWidth} / ${outerHeight}` }}>
          <canvas ref={original} role="img" aria-label={`${source.value?.name ?? "No picture yet"}, with its border`} />
          <div class="inner" style={{ ...inset, ...size }}>
            <Picker width={width} height={height}>
              <canvas
                ref={result}
                class={ready.value ? "result" : "result waiting"}
                role="img"
                aria-label={mode.value === "difference" ? "What has changed" : "The filtered picture"}
                style={both ? { clipPath: `inset(0 0 0 ${divider.value}%)` } : {}}
              />
            </Picker>
            {both && <Handle at={divider.value} onMove={(at) => (divider.value = at)} />}
          </div>
        </div>
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

interface PickerProps {
  width: number;
  height: number;
  children: preact.ComponentChildren;
}

const steps: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

function Picker({ width, height, children }: PickerProps) {
  const [x, y] = pixelWithin(width, height);
  const pick = (x: number, y: number): void => {
    const within = (value: number, size: number): number => Math.min(size - 1, Math.max(0, Math.floor(value)));
    pixel.value = [within(x, width), within(y, height)];
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is no place for a picture
    <div
      class="picker"
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys pick a pixel in it
      tabIndex={0}
      aria-label={`Pixel ${x}, ${y}: arrow keys move it, with Shift by ten`}
      onKeyDown={(event) => {
        const step = steps[event.key];
        if (!step) return;
        event.preventDefault();
        const by = event.shiftKey ? 10 : 1;
        pick(x + by * step[0], y + by * step[1]);
      }}
      onClick={(event) => {
        const box = event.currentTarget.getBoundingClientRect();
        pick(((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height);
      }}
    >
      {children}
      <span
        class="mark-pixel"
        style={{ left: `${(100 * (x + 0.5)) / width}%`, top: `${(100 * (y + 0.5)) / height}%` }}
      />
    </div>
  );
}

/** The pixel that is looked at: the one that was picked, as far as the picture reaches, or one in the middle. */
export function pixelWithin(width: number, height: number): readonly [x: number, y: number] {
  const [x, y] = pixel.value ?? [width >> 1, height >> 1];
  return [Math.min(x, width - 1), Math.min(y, height - 1)];
}
