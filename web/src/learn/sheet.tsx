// A table of numbers, with a frame on it that can be dragged, and moved by the arrow keys.
import { useRef } from "preact/hooks";
import { cssColour, isDark } from "../colour.ts";
import { number } from "../text.ts";
import { moveByKey, type Place } from "./move.ts";

export interface Frame extends Place {
  height: number;
  width: number;
}

interface Props {
  caption: string;
  /** Numbers, or what stands in their place: a word, or nothing yet. */
  values: readonly (readonly (number | string | undefined)[])[];
  /** Numbers of this size get the strongest colour; without it, numbers are grey levels, 9 the brightest. */
  most?: number;
  classOf?(y: number, x: number): string;
  frame?: Frame;
  /** What the frame is, for those who do not see it. */
  name?: string;
  onMove?(place: Place): void;
}

export function Sheet({ caption, values, most, classOf, frame, name, onMove }: Props) {
  const dark = isDark.value;
  const [height, width] = [values.length, values[0]!.length];
  const body = useRef<HTMLDivElement>(null);
  const limit = (y: number, x: number): Place => ({
    y: Math.max(0, Math.min(height - frame!.height, y)),
    x: Math.max(0, Math.min(width - frame!.width, x)),
  });
  /** Puts the frame's middle under the pointer. */
  const toPointer = (event: PointerEvent): void => {
    const box = body.current!.getBoundingClientRect();
    const at = (share: number, cells: number, size: number): number => Math.floor(share * cells) - (size >> 1);
    const y = at((event.clientY - box.top) / box.height, height, frame!.height);
    onMove!(limit(y, at((event.clientX - box.left) / box.width, width, frame!.width)));
  };
  const drag = {
    onPointerDown: (event: PointerEvent): void => {
      if (event.button !== 0) return;
      toPointer(event);
      body.current!.setPointerCapture(event.pointerId);
    },
    onPointerMove: (event: PointerEvent): void => {
      if (body.current!.hasPointerCapture(event.pointerId)) toPointer(event);
    },
    onPointerUp: (): void => body.current!.querySelector<HTMLElement>(".frame")!.focus({ preventScroll: true }),
  };
  return (
    <figure class="digits">
      <figcaption>{caption}</figcaption>
      <div ref={body} class="digits-body" {...(onMove ? drag : {})}>
        <table aria-label={caption} style={{ "--columns": width }}>
          <tbody>
            {values.map((row, y) => (
              <tr key={y}>
                {row.map((value, x) => {
                  if (typeof value !== "number") return <td key={x} class={classOf?.(y, x)} children={value} />;
                  const text = number(value, 3);
                  const style = { backgroundColor: colour(value, most, dark), "--letters": text.length };
                  return (
                    <td key={x} class={classOf?.(y, x)} style={style}>
                      {text}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
        {frame && (
          <div
            class="frame"
            style={{ "--y": frame.y, "--x": frame.x, "--h": frame.height, "--w": frame.width }}
            {...(onMove
              ? {
                  ...{ role: "group", tabIndex: 0 },
                  "aria-label": `${name}: row ${frame.y + 1}, column ${frame.x + 1}. Arrow keys move it.`,
                  onKeyDown: (event: KeyboardEvent) => moveByKey(event, (dy, dx) => onMove(limit(frame.y + dy, frame.x + dx))), // biome-ignore format: a line
                }
              : { "aria-hidden": true })}
          />
        )}
      </div>
    </figure>
  );
}

function colour(value: number, most: number | undefined, dark: boolean): string {
  if (most !== undefined) return cssColour(value / most, dark);
  const ink = dark ? value : 9 - value;
  return `color-mix(in srgb, var(--ink) ${Math.round(Math.max(0, ink) * 3.2)}%, var(--raised))`;
}
