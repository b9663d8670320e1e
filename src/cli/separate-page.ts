// The page about a separation: totals, the curve of loss against reduction, and what each layer became.
import type { LayerReport, Report, TimeChange } from "../onnx/index.ts";
import { plural } from "../words.ts";
import { type Evaluation, evaluationLines } from "./evaluation.ts";
import { escapeHtml, htmlPage, stackedTable } from "./html.ts";
import { count, milliseconds, number, quantity } from "./text.ts";

type Name = NonNullable<LayerReport["decomposition"]>;

const decompositions: Readonly<Record<Name, (rank: number) => string>> = {
  cp: (rank) => `pointwise, depthwise, pointwise (rank ${rank})`,
  depthwise: (rank) => `depthwise × ${rank}, pointwise`,
  spatial: (rank) => `column, row (rank ${rank})`,
  bottleneck: (rank) => `to ${plural(rank, "channel")}, pointwise`,
  narrow: (rank) => `pointwise to ${plural(rank, "channel")}, window`,
};

/** "column, row (rank 16)" */
export const decompositionText = (decomposition: Name, rank: number): string => decompositions[decomposition](rank);

type LossName = NonNullable<Report["lossFunction"]>;

/** Losses by what they are, and what is good. */
const losses: Readonly<Record<LossName, readonly [what: string, unit: string, good: string]>> = {
  divergence: [
    "divergence",
    "of the classes' probabilities, nats an input",
    "0 is no difference; below 0.05 about 94 of 100 answers stay the same, below 0.2 about 87",
  ],
  "relative square error": [
    "square error",
    "over the variance of the output",
    "0 is no difference, 1 that of a constant; below 0.01 it is seldom seen, above 0.1 it is plain",
  ],
};

const seenOnly =
  "measured on what the layers were fitted to: of other inputs far more may be lost. Calibrate with a few hundred";

/** What the outputs lose: a line each, its kind first, and a line for each kind that says what is good. */
export function lossLines(report: Report): [string, string][] {
  const { lossFunction = "divergence", outputs, apart, reached } = report;
  const { loss } = reached;
  if (loss === undefined) return [];
  const [what, unit] = losses[lossFunction];
  const kinds = new Set(outputs.length > 0 ? outputs.map((one) => one.lossFunction) : [lossFunction]);
  const own = outputs.map(({ name, lossFunction: kind, loss: value }): [string, string] => {
    const [, ownUnit] = losses[kind];
    return [`of ${name}`, `${number(value, 3)}${kinds.size > 1 ? `, ${losses[kind][0]} ${ownUnit}` : ""}`];
  });
  const whole = kinds.size > 1 ? "mean over the outputs" : outputs.length > 1 ? `${unit}, mean over the outputs` : unit;
  return [
    [kinds.size > 1 ? "loss" : what, `${number(loss, 3)} ${whole}`],
    ...(outputs.length > 1 ? own : []),
    ...(!apart ? [["", seenOnly] satisfies [string, string]] : []),
    ...[...kinds].map((kind): [string, string] => [
      "",
      kinds.size > 1 ? `${losses[kind][0]}: ${losses[kind][2]}` : losses[kind][2],
    ]),
  ];
}

/** Why no layer was changed; undefined where one was. */
export function unchangedText({ layers, goal: { kind, value } }: Report): string | undefined {
  if (layers.some(({ decomposition }) => decomposition !== undefined)) return undefined;
  const why = {
    rank: `no layer takes fewer multiplications as depthwise × ${value}, pointwise`,
    tolerance: value === 0 ? "none is of low rank exactly" : `none can lose as little as ${value}`,
    reduce: `${value} is reached by all as they are`,
    speedup: `${value} is reached by all as they are`,
  };
  return `Nothing changed: ${why[kind]}`;
}

/** "1.3 × as fast"; where nothing is gained, that. */
export function speedText(speedup: number): string {
  const ratio = number(speedup, 3);
  if (speedup >= 1.005) return `${ratio} × as fast`;
  return speedup > 0.995 ? "as fast as before" : `slower, by ${number(100 * (1 / speedup - 1), 2)} %`;
}

/** "16 inputs, 2 threads" */
const runText = ({ pictures, threads }: TimeChange): string =>
  `${plural(pictures, "input")}, ${plural(threads, "thread")}`;

/** Of each way to run, how long it takes before and after, and how many times as fast that is. */
export const timeRows = (times: readonly TimeChange[]): string[][] =>
  times.map((one) => [
    ...[runText(one), milliseconds(one.before), milliseconds(one.after)],
    speedText(one.before / one.after),
  ]);

const wanted: Readonly<Record<Report["goal"]["kind"], (value: string) => string>> = {
  speedup: (value) => `${value} × as fast`,
  reduce: (value) => `${value} × fewer multiplications`,
  tolerance: (value) => `a loss of at most ${value}`,
  rank: (value) => `depthwise separable layers, depth multiplier ${value}`,
};

/** The whole page. */
export function separatePage(name: string, report: Report, evaluation?: Evaluation): string {
  const { totals, reached, samples, goal } = report;
  const { multiplications, parameters } = totals;
  const { milliseconds: times, speedup } = reached;
  const unchanged = unchangedText(report);
  const facts = [
    ["multiplications", `${quantity(multiplications.before)} → ${quantity(multiplications.after)}`],
    ["parameters", `${quantity(parameters.before)} → ${quantity(parameters.after)}`],
    ...(times && speedup
      ? [["time, 1 thread", `${milliseconds(times.before)} → ${milliseconds(times.after)}, ${speedText(speedup)}`]]
      : []),
    ...lossLines(report),
    ...(evaluation ? evaluationLines(evaluation) : []),
    ["wanted", `${wanted[goal.kind](number(goal.value))}${reached.met ? "" : ", missed"}`],
  ];
  const beside = facts
    .map(([what, text]) => `<div><dt>${escapeHtml(what!)}</dt><dd>${escapeHtml(text!)}</dd></div>`)
    .join("\n");
  return htmlPage({
    title: `${name}: separated`,
    heading: name,
    lead: `${number(reached.reduction, 3)} × fewer multiplications, ${samples ? `fitted to ${plural(samples, "input", count)}` : "by the weights alone"}. One
multiplication is one multiply-accumulate: 2 FLOP.${unchanged ? ` ${escapeHtml(unchanged)}.` : ""}`,
    beside: `<dl>${beside}</dl>`,
    sections: [
      ...(reached.times ? [{ id: "times", title: "What a run takes here", html: timesTable(reached.times) }] : []),
      ...(report.curve.length > 1
        ? [{ id: "curve", title: "What other budgets would lose", html: curve(report) }]
        : []),
      { id: "layers", title: "Layer by layer", html: table(report) },
    ],
    footer: "Written by <code>rank1 separate</code>.",
  });
}

const timesTable = (times: readonly TimeChange[]): string =>
  stackedTable(["a run of", "before", "after", "so it is"], timeRows(times));

/** The axes of the curve and the result's point. Without calibration data only errors of weights are known. */
function axesOf({ goal, lossFunction, reached, samples }: Report) {
  const timed = goal.kind === "speedup";
  const unit = lossFunction === "divergence" ? "nats an input" : "relative square error";
  const at = timed ? reached.speedup : reached.reduction;
  return {
    across: timed ? "time, before / after" : "multiplications, before / after",
    up: samples ? `loss, ${unit}` : "relative square error of the weights",
    own: [{ reduction: at ?? Number.NaN, loss: reached.loss ?? 0 }].filter(isDrawn),
  };
}

type Place = Report["curve"][number];

const isDrawn = ({ reduction, loss }: Place): boolean =>
  Number.isFinite(reduction) && loss > 0 && Number.isFinite(loss);

/** More powers of ten would lie on each other on a phone. */
const mostDecades = 7;

/** Loss, on a logarithmic axis, against the reduction; the point that was reached is a ring. */
function curve(report: Report): string {
  const [width, height, left, right, top, bottom] = [640, 340, 76, 28, 36, 56];
  const shown = report.curve.filter(isDrawn);
  if (shown.length < 2) return "<p>No layer loses anything.</p>";
  const { across, up, own } = axesOf(report);
  const all = [...shown, ...own];
  const decades = all.map(({ loss }) => Math.log10(loss));
  const [low, high] = [Math.floor(Math.min(...decades)), Math.ceil(Math.max(...decades))];
  const most = Math.ceil(Math.max(...all.map(({ reduction }) => reduction)));
  const x = (reduction: number): number => left + ((reduction - 1) / (most - 1 || 1)) * (width - left - right);
  const y = (loss: number): number => top + ((high - Math.log10(loss)) / (high - low || 1)) * (height - bottom - top);
  const place = ({ reduction, loss }: Place): string => `${x(reduction).toFixed(1)},${y(loss).toFixed(1)}`;
  const apart = Math.max(1, Math.ceil((high - low) / mostDecades));
  const rows = Array.from({ length: Math.floor((high - low) / apart) + 1 }, (_, i) => high - i * apart);
  const step = Math.max(1, Math.ceil((most - 1) / 8));
  const columns = Array.from({ length: Math.floor((most - 1) / step) + 1 }, (_, i) => 1 + i * step);
  const texts = [
    ...rows.map(
      (decade) =>
        `<text x="${left - 8}" y="${y(10 ** decade) + 4}" text-anchor="end">10<tspan dy="-.4em" font-size=".75em">${decade}</tspan></text>`,
    ),
    ...columns.map((one) => `<text x="${x(one)}" y="${height - 34}" text-anchor="middle">÷ ${one}</text>`),
    `<text x="${(width + left) / 2}" y="${height - 10}" text-anchor="middle">${across}</text>`,
    `<text x="0" y="16">${up}</text>`,
  ];
  const lines = rows.map((decade) => `<path d="M${left} ${y(10 ** decade)}H${width - right}" stroke-opacity=".2"/>`);
  const rings = own.map((point) => {
    const [cx, cy] = place(point).split(",");
    return `<circle cx="${cx}" cy="${cy}" r="6" stroke-width="2.5"/>`;
  });
  const said = (points: readonly Place[]): string =>
    points.map((p) => `÷ ${p.reduction.toFixed(1)}: ${number(p.loss, 2)}`).join(", ");
  const label = `${up} against ${across}: ${said(shown)}${own.length ? `; reached, ${said(own)}` : ""}`;
  const ring = own.length ? "The ring is what was measured of the result." : "";
  return `<figure><svg class="curve" viewBox="0 0 ${width} ${height}" role="img" fill="none" stroke="currentColor"
aria-label="${label}">
<g stroke="none" fill="currentColor">${texts.join("")}</g>
${lines.join("")}<polyline points="${shown.map(place).join(" ")}" stroke-width="2"/>${rings.join("")}</svg>
<figcaption>What other budgets would lose, if what the layers lose adds up. ${ring}</figcaption></figure>`;
}

function table({ layers, samples }: Report): string {
  // Of layers that all got the same rank by their weights nothing was estimated
  const known = layers.some(({ loss }) => loss !== undefined);
  const rows = layers.map(({ name, weight, decomposition, rank, multiplications, parameters, loss }) => {
    const { before, after } = multiplications;
    const cells = [
      weight.join(" × "),
      decomposition ? decompositionText(decomposition, rank!) : "as it is",
      decomposition ? `${quantity(before)} → ${quantity(after)}` : quantity(before),
      decomposition ? number(before / after, 3) : "",
      decomposition ? `${quantity(parameters.before)} → ${quantity(parameters.after)}` : quantity(parameters.before),
      ...(known ? [loss === undefined ? "" : number(loss, 2)] : []),
    ];
    return [name, ...cells];
  });
  const heads = [
    "layer",
    "weight",
    "becomes",
    "multiplications",
    "÷",
    "parameters",
    ...(known ? [samples ? "loss alone" : "error of the weight"] : []),
  ];
  return stackedTable(heads, rows);
}
