// Pointers and keys on the stage: they point at pixels and pick them, move the picture when it is larger than its frame, and
// zoom it: by the wheel with Ctrl, by two fingers, by + and −. A double click fits it again.
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { pixel, weights } from "../state/state.ts";
import { hovered, pickedWithin, pixelWithin } from "./pixel-at.ts";
import { type Place, pan, reveal, type Sides, scaleNow, zoom, zoomBy, zoomTo } from "./zoom.ts";

interface Props {
  image: Sides;
  /** The picture with its border. */
  outer: Sides;
  frame: Sides;
  /** Pixels of the border. */
  border: number;
  /** Units of the page for each pixel. */
  unit: number;
  place: Place;
  children: ComponentChildren;
}

const steps: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** A pointer that moves less is a click. */
const clickPixels = 5;
const leastMark = 15;

export function Picker({ image, outer, frame, border, unit, place, children }: Props) {
  const element = useRef<HTMLDivElement>(null);
  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const moved = useRef(false);
  const [x, y] = pickedWithin(image.width, image.height);
  const [seenX, seenY] = pixelWithin(image.width, image.height);
  const latest = useRef({ outer, frame });
  latest.current = { outer, frame };

  /** A point of the frame. */
  const pointOf = (event: { clientX: number; clientY: number }) => {
    const box = element.current!.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const pixelAt = (event: { clientX: number; clientY: number }): readonly [number, number] => {
    const point = pointOf(event);
    const within = (value: number, size: number): number => Math.min(size - 1, Math.max(0, Math.floor(value)));
    return [
      within((point.x - place.left) / unit - border, image.width),
      within((point.y - place.top) / unit - border, image.height),
    ];
  };
  const pick = (x: number, y: number): void => {
    hovered.value = undefined;
    pixel.value = [Math.min(image.width - 1, Math.max(0, x)), Math.min(image.height - 1, Math.max(0, y))];
    const [px, py] = pixel.value;
    reveal((px + border) / outer.width, (py + border) / outer.height, outer, frame);
  };

  useEffect(() => {
    const onWheel = (event: WheelEvent): void => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const { outer, frame } = latest.current;
      zoomTo(scaleNow(outer, frame) * 2 ** (-event.deltaY / 200), outer, frame, pointOf(event));
    };
    const { current } = element;
    current!.addEventListener("wheel", onWheel, { passive: false });
    return () => current!.removeEventListener("wheel", onWheel);
  }, []);

  const onPointerMove = (event: PointerEvent): void => {
    const before = pointers.current.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") hovered.value = pixelAt(event);
      return;
    }
    const now = { x: event.clientX, y: event.clientY };
    const [other] = [...pointers.current].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    if (!moved.current && !other && Math.hypot(now.x - before.x, now.y - before.y) < clickPixels) return;
    moved.current = true;
    pointers.current.set(event.pointerId, now);
    if (other) {
      const distance = (point: typeof now): number => Math.max(1, Math.hypot(point.x - other.x, point.y - other.y));
      const middle = pointOf({ clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 });
      zoomTo((scaleNow(outer, frame) * distance(now)) / distance(before), outer, frame, middle);
    } else if (zoom.value) pan(now.x - before.x, now.y - before.y, outer, frame);
  };
  const leave = (event: PointerEvent): void => {
    pointers.current.delete(event.pointerId);
  };
  const [markWidth, markHeight] = [weights.value.kw, weights.value.kh].map((side) => Math.max(leastMark, side * unit));

  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is no place for a picture
    <div
      ref={element}
      class={zoom.value ? "picker moves" : "picker"}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: arrow keys pick a pixel in it
      tabIndex={0}
      aria-label={`Pixel ${x}, ${y}: arrow keys move it, with Shift by ten; plus and minus zoom, 0 fits`}
      onKeyDown={(event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        const step = steps[event.key];
        if (step) pick(x + (event.shiftKey ? 10 : 1) * step[0], y + (event.shiftKey ? 10 : 1) * step[1]);
        else if (event.key === "+" || event.key === "=") zoomBy(1, outer, frame);
        else if (event.key === "-") zoomBy(-1, outer, frame);
        else if (event.key === "0") zoom.value = undefined;
        else return;
        event.preventDefault();
      }}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
        moved.current = pointers.current.size > 1;
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={onPointerMove}
      onPointerUp={leave}
      onPointerCancel={leave}
      onPointerLeave={() => {
        hovered.value = undefined;
      }}
      onClick={(event) => {
        if (!moved.current) pick(...pixelAt(event));
      }}
      onDblClick={() => {
        zoom.value = undefined;
      }}
    >
      {children}
      <span
        class="mark-pixel"
        style={{
          left: `${place.left + (seenX + border + 0.5) * unit}px`,
          top: `${place.top + (seenY + border + 0.5) * unit}px`,
          width: `${markWidth}px`,
          height: `${markHeight}px`,
        }}
      />
    </div>
  );
}
