// Lines over two axes that say what they measure. Each line has a dash of its own, so that none is told by its colour.

export interface Axis {
  title: string;
  from: number;
  to: number;
  ticks: readonly (readonly [at: number, text: string])[];
}

export interface Line {
  name: string;
  points: readonly (readonly [x: number, y: number])[];
}

interface Props {
  /** Everything that it shows, in words. */
  text: string;
  caption: string;
  x: Axis;
  y: Axis;
  lines: readonly Line[];
  /** A place of its own, beside the lines. */
  mark?: Line["points"][number];
}

const [width, height] = [420, 270];
const [left, right, top, bottom] = [66, 24, 34, 50];
/** Points that are so few are shown one by one. */
const fewPoints = 16;

const part = ({ from, to }: Axis, value: number): number => Math.min(1, Math.max(0, (value - from) / (to - from || 1)));

export function Chart({ text, caption, x, y, lines, mark }: Props) {
  const at = ([a, b]: Line["points"][number]) => ({
    cx: left + part(x, a) * (width - left - right),
    cy: top + (1 - part(y, b)) * (height - top - bottom),
  });
  const path = (points: Line["points"]): string =>
    points.map(at).reduce((d, { cx, cy }) => `${d}${d ? "L" : "M"}${cx.toFixed(1)} ${cy.toFixed(1)}`, "");
  return (
    <figure class="chart">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={text}>
        <text class="title" y="14">
          {y.title}
        </text>
        <text class="title" x={width - right} y={height - 6} text-anchor="end">
          {x.title}
        </text>
        {y.ticks.map(([value, text]) => {
          const { cy } = at([x.from, value]);
          return (
            <g key={text}>
              <path class="rule" d={`M${left} ${cy}H${width - right}`} />
              <text x={left - 8} y={cy + 4} text-anchor="end">
                {text}
              </text>
            </g>
          );
        })}
        {x.ticks.map(([value, text]) => (
          <text key={text} x={at([value, y.from]).cx} y={height - bottom + 20} text-anchor="middle">
            {text}
          </text>
        ))}
        {lines.map(({ name, points }, i) => (
          <g key={name} class={`line line${i}`}>
            <path d={path(points)} />
            {points.length <= fewPoints && points.map((point) => <circle key={point[0]} {...at(point)} r="3.5" />)}
          </g>
        ))}
        {mark && <circle class="mark" {...at(mark)} r="6" />}
      </svg>
      <figcaption>
        {lines.length > 1 && (
          <span class="keys" aria-hidden="true">
            {lines.map(({ name }, i) => (
              <span key={name}>
                <svg class={`line line${i}`} viewBox="0 0 28 8" width="28" height="8" aria-hidden="true">
                  <path d="M0 4H28" />
                </svg>
                {name}
              </span>
            ))}
          </span>
        )}
        {caption}
      </figcaption>
    </figure>
  );
}
