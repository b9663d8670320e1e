// A real table of weights with its rank: what a trained layer makes of one channel, and how much of it a few terms keep.
import { useMemo } from "preact/hooks";
import { factorize } from "rank1";
import { largest } from "../colour.ts";
import { Heat, Legend } from "../parts/heat.tsx";
import { sumOf } from "../state/state.ts";
import { number, percent, plural } from "../text.ts";

/** Of the bundled network's first layer (assets/shapes.onnx), rounded: the 3 × 3 numbers of each of 24 filters for green. */
const [filters, taps] = [24, 9];
// biome-ignore format: a table
const values = [
  0.48, -0.081, -0.617, 0.277, -1.365, -0.22, -0.523, 0.694, 1.052,
  1.3, 0.159, -0.429, 0.481, 0.622, -1.275, 0.812, -0.493, -1.319,
  0.902, -0.575, -0.203, 0.329, -0.018, -0.381, 0.119, 0.375, -0.509,
  1.245, -0.793, -0.784, 1.885, -1.086, -1.806, 1.859, 0.124, -1.077,
  0.036, -0.59, -0.415, -0.179, 0.199, 0.541, -0.003, 0.554, -0.331,
  0.808, 0.05, 0.172, 0.221, -0.291, 0.196, -0.332, 0.054, -0.991,
  0.379, 0.398, 0.413, 0.518, 0.436, 0.428, 0.026, -0.036, 0.392,
  2.839, 0.04, -0.214, 0.838, 0.225, -1.35, 0.539, -1.126, -1.958,
  -1.275, 0.561, 3.326, -1.643, -0.166, 2.058, -3.041, -0.938, 0.622,
  -3.629, -2.233, -0.158, -3.232, -0.609, 2.727, 0.268, 1.984, 4.346,
  1.152, 1.343, 1.273, 0.485, 0.168, -0.194, -1.706, -2.128, -0.436,
  -1.132, 0.425, 0.881, -0.084, -0.395, 0.729, -0.86, -0.524, 0.764,
  -0.286, -0.123, -0.355, -0.198, -0.074, -0.054, -0.042, -0.058, -0.135,
  -0.968, -1.131, 0.443, -0.078, 0.326, 0.625, -0.127, 0.44, 0.769,
  -1.454, -2.909, -3.193, 1.094, 0.314, -1.185, 2.907, 3.25, 1.173,
  1.554, 2.402, 1.479, 0.181, -1.664, -0.071, -2.969, -0.681, -0.406,
  0.931, -0.8, -0.413, 0.898, 0.678, -1.231, 1.236, 0.035, -1.448,
  0.029, -0.352, -0.262, 0.02, 0.21, 0.118, 0.741, 0.328, -0.761,
  0.23, 0.238, -0.285, -0.029, 0.349, -0.17, -0.231, -0.15, -0.102,
  0.16, 0.049, 1.077, -2.295, 0.396, 1.714, -1.763, -1.078, 1.837,
  0.084, -0.824, -1.371, 0.795, -0.624, -1.005, 1.13, 1.416, -0.041,
  -0.369, -0.302, -0.309, -0.5, 0.278, -0.162, -0.4, 0.375, -0.175,
  -0.113, -0.514, -0.816, 0.493, 0.598, -0.309, 0.609, 0.523, 0.028,
  0.058, -0.235, -0.207, -0.062, -0.071, -0.113, -0.003, -0.092, -0.287,
];

export function Weights({ multiplier }: { multiplier: number }) {
  const table = useMemo(() => factorize({ kh: filters, kw: taps, values }), []);
  const kept = useMemo(() => {
    const factors = factorize({ kh: filters, kw: taps, values }, { rank: multiplier });
    return { error: factors.error, sums: sumOf(factors, 1) };
  }, [multiplier]);
  const most = largest(values);
  const sides = { width: taps, height: filters, most };
  return (
    <section class="panel weights" aria-label="A real table of weights">
      <h2>
        A real one: {filters} filters of 3&nbsp;×&nbsp;3 for one channel are a table of {filters}&nbsp;×&nbsp;{taps}
      </h2>
      <p class="hint">
        A row for each filter of the first layer of the bundled network, its nine numbers for green. Its rank is{" "}
        <b>{table.exactRank}</b>: with a depth multiplier of {table.exactRank} the layer falls apart and stays the same.
        Singular values: {table.singularValues.map((value) => number(value, 2)).join(", ")}.
      </p>
      <div class="tables">
        <figure>
          <Heat {...sides} values={values} label={`The weights, ${filters} × ${taps}`} />
          <figcaption>the weights</figcaption>
        </figure>
        <figure>
          <Heat {...sides} values={kept.sums} label={`The sum of ${plural(multiplier, "term")}`} />
          <figcaption>
            what {plural(multiplier, "term")} keep{multiplier === 1 ? "s" : ""} of them
          </figcaption>
        </figure>
        <figure>
          <Heat {...sides} values={values.map((value, i) => value - kept.sums[i]!)} label="What is lost" />
          <figcaption>what is lost</figcaption>
        </figure>
        <p>
          With the depth multiplier {multiplier}, the error of this table is <b>{percent(kept.error)}</b>.
        </p>
      </div>
      <Legend most={number(most)} />
    </section>
  );
}
