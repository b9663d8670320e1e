// The curve of loss against reduction, predicted from the curves of the layers, and the point that was reached.
import type { Report } from "rank1/onnx";
import { number } from "../text.ts";
import { Chart } from "./chart.tsx";

export function TradeOff({ report: { curve, reached } }: { report: Report }) {
  const points = curve.filter(({ loss }) => loss > 0);
  if (points.length < 2) return null;
  const here = reached.loss ? [{ reduction: reached.reduction, loss: reached.loss }] : [];
  const logs = [...points, ...here].map(({ loss }) => Math.log10(loss));
  const [low, high] = [Math.floor(Math.min(...logs)), Math.ceil(Math.max(...logs))];
  const most = Math.max(...[...points, ...here].map(({ reduction }) => reduction));
  const step = Math.ceil((most - 1) / 8);
  const decades = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const steps = Array.from({ length: Math.floor((most - 1) / step) + 1 }, (_, i) => 1 + i * step);
  const say = (places: Report["curve"]): string =>
    places.map(({ reduction, loss }) => `${number(loss, 2)} at ÷ ${number(reduction)}`).join(", ");
  const place = ({ reduction, loss }: Report["curve"][number]) => [reduction, Math.log10(loss)] as const;
  return (
    <Chart
      text={`Loss by reduction: ${say(points)}${here.length > 0 ? `; measured: ${say(here)}` : ""}`}
      caption="Line: what the layers’ own curves add up to. Large dot: this result, as measured."
      x={{ title: "multiplications divided by", from: 1, to: most, ticks: steps.map((n) => [n, `÷ ${n}`]) }}
      y={{ title: "loss", from: low, to: high, ticks: decades.map((n) => [n, number(10 ** n, 1)]) }}
      lines={[{ name: "expected", points: points.map(place) }]}
      mark={here.map(place)[0]}
    />
  );
}
