// Draws a tensor of a layer as a stack in depth: a sheet for each channel, with the windows that are read on them, or the
// pixels that are done.

export type Shape = readonly [height: number, width: number, channels: number];

/** Pixels that are read: their first row and column, how many, and the steps between them. */
export interface Window {
  y: number;
  x: number;
  count: number;
  step: number;
  /** One window goes through all channels; else each has its own. */
  through: boolean;
}

interface Props {
  shape: Shape;
  label: string;
  window?: Window;
  /** Pixels that are written so far, row by row. */
  done?: number;
  /** Which input channel a channel comes from; without it, it is a mixture, and has no colour of its own. */
  channelOf?: (channel: number) => number;
  /** Units of the largest side. */
  room?: number;
}

/** More channels are drawn as a block of many thin sheets. */
const mostSheets = 8;
const blockSheets = 16;

export function Volume({ shape, label, window, done, channelOf, room = 150 }: Props) {
  const [height, width, channels] = shape;
  const block = channels > mostSheets;
  const sheets = block ? blockSheets : channels;
  const step = block ? 4 : Math.min(0.17 * room, (0.6 * room) / Math.max(1, sheets - 1));
  const deep = (sheets - 1) * step;
  const cell = Math.min(16, room / Math.max(height, width));
  const [w, h] = [width * cell, height * cell];
  const places = Array.from({ length: sheets }, (_, channel) => ({
    channel,
    move: `translate(${channel * step} ${deep - channel * step})`,
    colour: channelOf && !block ? `channel${channelOf(channel) % 3}` : "mixed",
  }));
  return (
    <figure class="volume">
      <svg
        viewBox={`-1 -1 ${w + deep + 2} ${h + deep + 2}`}
        width={w + deep + 2}
        height={h + deep + 2}
        role="img"
        aria-label={label}
      >
        {places.toReversed().map(({ channel, move, colour }) => (
          <g key={channel} transform={move} class={colour}>
            <rect width={w} height={h} class={done === undefined ? "plane" : "plane empty"} />
            {done !== undefined && <path class="done" d={donePath(done, width, cell)} />}
            {window && <Read {...window} cell={cell} />}
            {cell >= 4 && (channel === 0 || !block) && <path class="lines" d={linesPath(height, width, cell)} />}
            {done !== undefined && done > 0 && <Last at={done - 1} width={width} cell={cell} />}
          </g>
        ))}
        {window && places.map(({ channel, move }) => (
          <g key={channel} transform={move}>
            <Outline {...window} cell={cell} hidden={channel > 0} />
          </g>
        ))}
        {window?.through && sheets > 1 && <Edges {...window} cell={cell} deep={deep} />}
      </svg>
      <figcaption>
        <b>
          {height} × {width} × {channels}
        </b>
      </figcaption>
    </figure>
  );
} // biome-ignore format: short lines

type Cells = Window & { cell: number };

const spanOf = ({ count, step, cell }: Cells): number => ((count - 1) * step + 1) * cell;

function Read(cells: Cells) {
  const { y, x, count, step, cell } = cells;
  if (step === 1) return <rect x={x * cell} y={y * cell} width={spanOf(cells)} height={spanOf(cells)} class="read" />;
  const places = Array.from({ length: count }, (_, i) => i * step);
  return (
    <>
      {places.flatMap((dy) =>
        places.map((dx) => (
          <rect key={`${dy} ${dx}`} x={(x + dx) * cell} y={(y + dy) * cell} width={cell} height={cell} class="read" />
        )),
      )}
    </>
  );
}

/** Those on sheets behind others are dashed. */
function Outline({ hidden, ...cells }: Cells & { hidden: boolean }) {
  const { y, x, cell } = cells;
  const span = spanOf(cells);
  return <rect x={x * cell} y={y * cell} width={span} height={span} class={hidden ? "outline behind" : "outline"} />;
}

/** The edges of a window that goes through all sheets. */
function Edges({ deep, ...cells }: Cells & { deep: number }) {
  const [left, top, span] = [cells.x * cells.cell, cells.y * cells.cell + deep, spanOf(cells)];
  const corners = [[left, top], [left + span, top], [left, top + span], [left + span, top + span]]; // biome-ignore format: pairs
  return <path class="outline behind" d={corners.map(([x, y]) => `M${x} ${y}l${deep} ${-deep}`).join("")} />;
}

const Last = ({ at, width, cell }: { at: number; width: number; cell: number }) => (
  <rect x={(at % width) * cell} y={Math.floor(at / width) * cell} width={cell} height={cell} class="outline" />
);

/** Whole rows, then the pixels of the last one. */
function donePath(done: number, width: number, cell: number): string {
  const [rows, rest] = [Math.floor(done / width), done % width];
  return `M0 0h${width * cell}v${rows * cell}H0z M0 ${rows * cell}h${rest * cell}v${cell}H0z`;
}

function linesPath(height: number, width: number, cell: number): string {
  const down = Array.from({ length: width - 1 }, (_, i) => `M${(i + 1) * cell} 0v${height * cell}`);
  const across = Array.from({ length: height - 1 }, (_, i) => `M0 ${(i + 1) * cell}h${width * cell}`);
  return [...down, ...across].join("");
}
