// The splits of a layer: their singular values, and the error of its weights as ranks are cut.
import type { Inspection } from "rank1/onnx";
import { number, percent } from "../text.ts";
import { type Axis, Chart, type Line } from "./chart.tsx";

type Split = Inspection["layers"][number]["splits"][number];

export const splitNames: Readonly<Record<Split["split"], string>> = {
  depthwise: "depthwise, pointwise",
  spatial: "column, row",
  bottleneck: "bottleneck",
};

const shares = (title: string): Axis => ({
  ...{ title, from: 0, to: 1 },
  ticks: [0, 0.25, 0.5, 0.75, 1].map((share) => [share, `${100 * share} %`] as const),
});

/** Each singular value over the largest, against its place among all. */
function spectrumOf({ split, singularValues: values = [] }: Split): Line {
  const last = Math.max(1, values.length - 1);
  return { name: splitNames[split], points: values.map((value, i) => [i / last, value / (values[0]! || 1)]) };
}

/** What is lost at each rank, against the share of the multiplications that is left; ranks that would add to them are left out. */
function lossOf({ split, rank, multiplications, singularValues: values = [] }: Split): Line {
  const each = multiplications.separable / rank / multiplications.direct;
  const dropped = [0];
  for (const value of [...values].reverse()) dropped.unshift(dropped[0]! + value ** 2);
  const errors = dropped.map((sum) => Math.sqrt(sum / (dropped[0]! || 1)));
  const points = errors.map((error, r) => [r * each, error] as const).filter(([share]) => share <= 1);
  return { name: splitNames[split], points };
}

export function Losses({ splits }: { splits: readonly Split[] }) {
  const losses = splits.map(lossOf);
  const spectra = splits.map(spectrumOf);
  const tenths = [0.25, 0.5, 0.75];
  /** The last point up to some place. */
  const until = ({ points }: Line, share: number): number => points.findLast(([x]) => x <= share + 1e-9)![1];
  const say = (lines: readonly Line[], form: (value: number) => string): string =>
    lines
      .map((line) => `${line.name}: ${tenths.map((share) => `${form(until(line, share))} at ${percent(share)}`).join(", ")}`)
      .join("; "); // biome-ignore format: one chain
  return (
    <div class="charts">
      <Chart
        text={`Error of the weights by share of multiplications. ${say(losses, percent)}`}
        caption="What the weights lose when fewer terms are kept"
        x={shares("multiplications left")}
        y={shares("error of the weights")}
        lines={losses}
      />
      <Chart
        text={`Singular values over the largest, by their place among all. ${say(spectra, number)}`}
        caption={`${splits.map(({ split, singularValues }) => `${splitNames[split]}: ${singularValues?.length}`).join("; ")} singular values. Where a line falls fast, a low rank is enough.`}
        x={shares("place among all, largest first")}
        y={shares("singular value, of the largest")}
        lines={spectra}
      />
    </div>
  );
}
