// Draws a tensor of a layer as a stack in depth: a sheet for each channel, with the window that is read, or the pixels
// that are done.

export type Shape = readonly [height: number, width: number, channels: number];

interface Props {
  shape: Shape;
  label: string;
  /** The pixels that are read: their first row and column, how many, and the steps between them. */
  window?: { y: number; x: number; count: number; step: number };
  /** Pixels that are written so far, row by row. */
  done?: number;
  /** The channels are mixtures, and have no colour of their own. */
  mixed?: boolean;
}

/** More channels are drawn as a block of many thin sheets. */
const mostSheets = 8;
const blockSheets = 16;
const room = 176;

export function Volume({ shape, label, window, done, mixed }: Props) {
  const [height, width, channels] = shape;
  const block = channels > mostSheets;
  const sheets = block ? blockSheets : channels;
  const step = block ? 4 : Math.min(16, 56 / Math.max(1, sheets - 1));
  const deep = (sheets - 1) * step;
  const cell = Math.min(18, room / Math.max(height, width));
  const [w, h] = [width * cell, height * cell];
  return (
    <figure class="volume">
      <svg
        viewBox={`-1 -1 ${w + deep + 2} ${h + deep + 2}`}
        width={w + deep + 2}
        height={h + deep + 2}
        role="img"
        aria-label={label}
      >
        {Array.from({ length: sheets }, (_, i) => {
          const channel = sheets - 1 - i;
          const colour = mixed || block ? "mixed" : `channel${channel % 3}`;
          return (
            <g key={channel} transform={`translate(${channel * step} ${deep - channel * step})`} class={colour}>
              <rect width={w} height={h} class={done === undefined ? "plane" : "plane empty"} />
              {done !== undefined && <path class="done" d={donePath(done, width, cell)} />}
              {window && <Window {...window} cell={cell} />}
              {channel === 0 && cell >= 4 && <path class="lines" d={linesPath(height, width, cell)} />}
              {done !== undefined && done > 0 && <Last at={done - 1} width={width} cell={cell} />}
            </g>
          );
        })}
      </svg>
      <figcaption>
        <b>
          {height} × {width} × {channels}
        </b>
      </figcaption>
    </figure>
  );
}

function Window({ y, x, count, step, cell }: { y: number; x: number; count: number; step: number; cell: number }) {
  const places = Array.from({ length: count }, (_, i) => i * step);
  const span = ((count - 1) * step + 1) * cell;
  return (
    <>
      {step > 1 ? (
        places.flatMap((dy) =>
          places.map((dx) => (
            <rect key={`${dy} ${dx}`} x={(x + dx) * cell} y={(y + dy) * cell} width={cell} height={cell} class="read" />
          )),
        )
      ) : (
        <rect x={x * cell} y={y * cell} width={span} height={span} class="read" />
      )}
      <rect x={x * cell} y={y * cell} width={span} height={span} class="outline" />
    </>
  );
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
