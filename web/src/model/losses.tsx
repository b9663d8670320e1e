// What a layer's weights lose by each split, against the share of the multiplications that is left.
import type { Curves } from "../engine/protocol.ts";
import { percent } from "../text.ts";

const [width, height] = [560, 240];
const [left, right, top, bottom] = [52, 108, 14, 36];
const names: Readonly<Record<string, string>> = {
  depthwise: "depthwise, pointwise",
  spatial: "column, row",
  bottleneck: "bottleneck",
};
const ticks = [0, 0.25, 0.5, 0.75, 1];

const x = (share: number): number => left + share * (width - left - right);
const y = (error: number): number => top + (1 - Math.min(1, error)) * (height - top - bottom);

export function Losses({ curve }: { curve: Curves[number] }) {
  const splits = Object.entries(curve);
  const text = splits
    .map(
      ([split, points]) =>
        `${split}: ${points.map(({ share, error }) => `${percent(error)} at ${percent(share)}`).join(", ")}`,
    )
    .join("; ");
  // Names stand at the ends of their lines, and apart
  const ends = splits
    .map(([split, points], i) => ({ split, i, at: y(points.at(-1)?.error ?? 0) }))
    .sort((a, b) => a.at - b.at);
  for (const [k, end] of ends.entries()) if (k > 0) end.at = Math.max(end.at, ends[k - 1]!.at + 18);
  const over = Math.max(0, (ends.at(-1)?.at ?? 0) - (height - bottom - 2));
  return (
    <figure class="losses">
      <svg
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Error of the weights by share of multiplications. ${text}`}
      >
        {ticks.map((tick) => (
          <g key={tick}>
            <path class="rule" d={`M${left} ${y(tick)}H${width - right}`} />
            <text x={left - 8} y={y(tick) + 4} text-anchor="end">
              {100 * tick} %
            </text>
            <text x={x(tick)} y={height - bottom + 20} text-anchor="middle">
              {100 * tick} %
            </text>
          </g>
        ))}
        {splits.map(([split, points], i) => (
          <g key={split} class={`line line${i}`}>
            <path d={points.map(({ share, error }, k) => `${k === 0 ? "M" : "L"}${x(share)} ${y(error)}`).join("")} />
            {points.map(({ share, error, rank }) => (
              <circle key={share} cx={x(share)} cy={y(error)} r="3.5">
                <title>{`${names[split]}, rank ${rank}: ${percent(error)} at ${percent(share)}`}</title>
              </circle>
            ))}
          </g>
        ))}
        {ends.map(({ split, at }) => (
          <text key={split} class="name" x={x(0.9) + 10} y={at + 4 - over}>
            {names[split]}
          </text>
        ))}
      </svg>
      <figcaption>Error of the weights, by the share of the layer’s multiplications that is left</figcaption>
    </figure>
  );
}
