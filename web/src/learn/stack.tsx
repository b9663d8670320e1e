// A tensor as sheets one behind another, with a window or a needle through them that can be dragged.
import { useRef } from "preact/hooks";
import { moveByKey, type Place } from "./move.ts";

interface Props {
  caption: string;
  side: number;
  /** The colour of each sheet, the front one first: a channel's number, or "mixed". */
  sheets: readonly (number | "mixed")[];
  /** What is read or written, on every sheet: rows and columns of it, from its place on. */
  at: Place;
  span: number;
  /** The same place pierces all sheets: lines join what is read. */
  pierces?: boolean;
  /** What is moved. */
  name?: string;
  /** The last place along each side. */
  last?: number;
  onMove?(place: Place): void;
}

const unit = 14;

export function Stack({ caption, side, sheets, at, span, pierces, name, last = 0, onMove }: Props) {
  const svg = useRef<SVGSVGElement>(null);
  const step = Math.min(22, 66 / Math.max(1, sheets.length - 1));
  const deep = (sheets.length - 1) * step;
  const flat = side * unit;
  const whole = flat + deep + 4;
  const limit = (y: number, x: number): Place => ({ y: clamp(y, last), x: clamp(x, last) });
  const toPointer = (event: PointerEvent): void => {
    const box = svg.current!.getBoundingClientRect();
    const scale = whole / box.width;
    const cell = (offset: number): number => Math.floor(offset / unit) - (span >> 1);
    const y = cell((event.clientY - box.top) * scale - 2 - deep);
    onMove!(limit(y, cell((event.clientX - box.left) * scale - 2)));
  };
  const corner = (i: number) => ({ x: at.x * unit + i * step, y: at.y * unit + deep - i * step });
  const read = (i: number) => (
    <g key={`read ${i}`} class={`channel-${sheets[i]}`}>
      <rect class="read" {...corner(i)} width={span * unit} height={span * unit} />
    </g>
  );
  const drawing = (
    <svg ref={svg} viewBox={`-2 -2 ${whole} ${whole}`} width={whole} height={whole} role="img" aria-label={caption}>
      {sheets.map((_, n) => {
        const i = sheets.length - 1 - n;
        return (
          <g key={i} class={`channel-${sheets[i]}`}>
            <rect class="plane" x={i * step} y={deep - i * step} width={flat} height={flat} />
            {i === 0 && <path class="lines" d={lines(side, deep)} />}
            {!pierces && read(i)}
          </g>
        );
      })}
      {pierces && sheets.map((_, n) => read(sheets.length - 1 - n))}
      {pierces && sheets.length > 1 && <path class="through" d={through(corner(0), deep, span * unit)} />}
      {onMove && <rect class="handle" {...corner(0)} width={span * unit} height={span * unit} />}
    </svg>
  );
  return (
    <figure class="stack">
      {onMove ? (
        // biome-ignore lint/a11y/useSemanticElements: it is moved in two directions, which no native control is
        <div
          class="movable"
          role="group"
          // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move it
          tabIndex={0}
          aria-label={`${name}: row ${at.y + 1}, column ${at.x + 1}. Arrow keys move it.`}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            toPointer(event);
            event.currentTarget.setPointerCapture(event.pointerId);
          }}
          onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && toPointer(event)}
          onKeyDown={(event) => moveByKey(event, (dy, dx) => onMove(limit(at.y + dy, at.x + dx)))}
        >
          {drawing}
        </div>
      ) : (
        drawing
      )}
      <figcaption>{caption}</figcaption>
    </figure>
  );
}

const clamp = (value: number, most: number): number => Math.max(0, Math.min(most, value));

function lines(side: number, top: number): string {
  const all = Array.from({ length: side - 1 }, (_, i) => (i + 1) * unit);
  return all.map((at) => `M${at} ${top}v${side * unit}M0 ${top + at}h${side * unit}`).join("");
}

/** From the corners of what is read on the front sheet to those on the back one. */
const through = ({ x, y }: { x: number; y: number }, deep: number, size: number): string =>
  [
    [0, 0],
    [size, 0],
    [size, size],
  ]
    .map(([dx, dy]) => `M${x + dx!} ${y + dy!}l${deep} ${-deep}`)
    .join("");
