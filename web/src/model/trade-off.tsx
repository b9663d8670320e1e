// What the outputs lose against how far the multiplications are divided, as the curves of the layers tell; and what was reached.
import type { Report } from "rank1/onnx";
import { number } from "../text.ts";

const [width, height] = [560, 240];
const [left, right, top, bottom] = [72, 24, 14, 40];

export function TradeOff({ report: { curve, reached } }: { report: Report }) {
  const points = curve.filter(({ damage }) => damage > 0);
  if (points.length < 2) return null;
  const here = reached.damage ? [{ reduction: reached.reduction, damage: reached.damage }] : [];
  const logs = [...points, ...here].map(({ damage }) => Math.log10(damage));
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const most = Math.max(...[...points, ...here].map(({ reduction }) => reduction));
  const x = (reduction: number): number => left + ((reduction - 1) / (most - 1)) * (width - left - right);
  const y = (damage: number): number =>
    top + ((high - Math.log10(damage)) / Math.max(1, high - low)) * (height - top - bottom);
  const decades = Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i));
  const step = Math.ceil((most - 1) / 8);
  const steps = Array.from({ length: Math.floor((most - 1) / step) + 1 }, (_, i) => 1 + i * step);
  const say = (places: Report["curve"]): string =>
    places.map(({ reduction, damage }) => `${number(damage, 2)} at ÷ ${number(reduction)}`).join(", ");
  const text = say(points) + (here.length > 0 ? `; measured: ${say(here)}` : "");
  return (
    <figure class="losses trade-off">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`Damage by reduction: ${text}`}>
        {decades.map((damage) => (
          <g key={damage}>
            <path class="rule" d={`M${left} ${y(damage)}H${width - right}`} />
            <text x={left - 8} y={y(damage) + 4} text-anchor="end">
              {number(damage, 1)}
            </text>
          </g>
        ))}
        {steps.map((step) => (
          <text key={step} x={x(step)} y={height - bottom + 20} text-anchor="middle">
            ÷ {step}
          </text>
        ))}
        <g class="line">
          <path
            d={points.map(({ reduction, damage }, k) => `${k === 0 ? "M" : "L"}${x(reduction)} ${y(damage)}`).join("")}
          />
          {here.map(({ reduction, damage }) => (
            <circle key={reduction} cx={x(reduction)} cy={y(damage)} r="5" />
          ))}
        </g>
      </svg>
      <figcaption>
        What the outputs lose, by how far the multiplications are divided: as the curves of single layers tell (line),
        and as measured (dot)
      </figcaption>
    </figure>
  );
}
