// The page of a model: where its multiplications are, by kind and by layer, and what splitting its layers would lose.
import type { Inspection, Layer } from "../onnx/index.ts";
import { noun, plural } from "../words.ts";
import { bar, escapeHtml, htmlPage, type ListCell, listTable } from "./html.ts";
import { count, harmless, number, quantity } from "./text.ts";

/** "1 × 64 × 30 × 40". */
export const sides = (shape: readonly (number | string | undefined)[] = ["?"]): string =>
  shape.length === 0 ? "scalar" : shape.map((side) => side ?? "?").join(" × ");

/** "NonMaxSuppression (2), If": operators that are missing, and how often each is used. */
export function missingNames(missing: Inspection["missing"]): string {
  const uses = [...Map.groupBy(missing, ({ operator }) => operator)];
  return uses.map(([name, list]) => harmless(list.length > 1 ? `${name} (${list.length})` : name)).join(", ");
}

export const percent = (share: number): string => `${(100 * share).toFixed(1).padStart(5)} %`;

/** "conv 3 × 3 / 2": the kind, the window where it has one, the steps where they are not 1. */
export function kindText({ kind, window, strides = [] }: Layer): string {
  if (!window || kind === "pointwise conv") return kind + stepText(strides);
  return `${kind} ${window.join(" × ")}${stepText(strides)}`;
}

function stepText(strides: readonly number[]): string {
  if (strides.every((step) => step === 1)) return "";
  return ` / ${new Set(strides).size === 1 ? strides[0] : strides.join(" × ")}`;
}

/** The whole page. `share` is the share of multiplications for which splits were estimated. */
export function modelPage(name: string, inspection: Inspection, share: number): string {
  const { producer, opset, inputs, outputs, layers, totals, missing, open } = inspection;
  const lacks =
    missing.length > 0 ? `<div><dt>not computed by rank1</dt><dd>${escapeHtml(missingNames(missing))}</dd></div>` : "";
  const unknown = open.length > 0 ? ` Sizes of ${escapeHtml(open.join(", "))} are open: multiplications that follow are not counted.` : ""; // biome-ignore format: a line
  const values = (infos: Inspection["inputs"]): string =>
    infos.map(({ name, shape }) => `<code>${escapeHtml(name)}</code> ${escapeHtml(sides(shape))}`).join(", ");
  const maker = producer ? `, made by ${escapeHtml(producer)}` : "";
  return htmlPage({
    title: `${name}: layers`,
    heading: name,
    lead: `${plural(totals.multiplications, "multiplication", quantity)} and ${plural(totals.parameters, "parameter", quantity)} in
${plural(layers.length, "layer")}. One multiplication is one multiply-accumulate: 2 FLOP.${unknown}`,
    beside: `<dl><div><dt>inputs</dt><dd>${values(inputs)}</dd></div><div><dt>outputs</dt><dd>${values(outputs)}</dd></div>
<div><dt>format</dt><dd>ONNX, operator set ${opset}${maker}</dd></div>${lacks}</dl>`,
    sections: [
      { id: "kinds", title: "Where the multiplications are", html: kinds(layers, totals.multiplications) },
      { id: "layers", title: "Layer by layer", html: table(layers, totals.multiplications, share) },
    ],
    footer: "Written by <code>rank1 inspect</code>.",
  });
}

function kinds(layers: readonly Layer[], total: number): string {
  const groups = Map.groupBy(layers, ({ kind }) => kind);
  const sums = [...groups].map(([kind, list]) => ({
    ...{ kind, layers: list.length },
    multiplications: list.reduce((sum, layer) => sum + layer.multiplications, 0),
    parameters: list.reduce((sum, layer) => sum + layer.parameters, 0),
  }));
  const rows = sums
    .filter(({ multiplications, parameters }) => multiplications + parameters > 0)
    .sort((a, b) => b.multiplications - a.multiplications || b.parameters - a.parameters)
    .map(({ kind, layers, multiplications, parameters }) => {
      const share = total > 0 ? multiplications / total : 0;
      const cells = [{ html: String(layers), unit: noun(layers, "layer") }, ...counts(parameters, multiplications, share)]; // biome-ignore format: a line
      return [escapeHtml(kind) + track(share), ...cells] as const;
    });
  return listTable(["kind", "layers", "parameters", "multipli&shy;cations", "share"], rows);
}

const counts = (parameters: number, multiplications: number, share: number): ListCell[] => [
  { html: quantity(parameters), unit: noun(parameters, "parameter") },
  { html: quantity(multiplications), unit: noun(multiplications, "multiplication") },
  { html: percent(share) },
];

const track = (share: number): string => `<span class="track">${share > 0 ? bar(share, "on") : ""}</span>`;

function table(layers: readonly Layer[], total: number, share: number): string {
  const listed = layers.filter(({ multiplications }) => multiplications > 0);
  const largest = Math.max(...listed.map((layer) => layer.multiplications));
  const rows = listed.map((layer) => {
    const { name, outputs, parameters, multiplications, splits } = layer;
    const head = `<b>${escapeHtml(kindText(layer))}</b> <span class="note">${escapeHtml(name)}</span>
${track(multiplications / largest)}`;
    const result = { html: outputs.map(sides).join(", ") };
    const loss = { html: losses(splits), ...(splits.length > 0 && { lead: "loss" }) };
    return [head, result, ...counts(parameters, multiplications, multiplications / total), loss] as const;
  });
  const others = layers.length - listed.length;
  const left =
    others > 0
      ? `<p class="note">${plural(others, "layer", count)} without multiplications ${others === 1 ? "is" : "are"} not listed.</p>`
      : "";
  if (listed.length === 0) return left;
  return `<p>The loss is the relative error of a layer’s weights when two layers with ${number(100 * share, 3)} % of its
multiplications or less take its place: a depthwise layer and a pointwise one, a column and a row, or one with
few channels in between (bottleneck). The smallest of the three is shown; of the outputs it says little, but layers with
a small loss are easy to separate.</p>
${listTable(["layer", "result", "parameters", "multipli&shy;cations", "share", `loss at ${number(share, 3)}`], rows)}
${left}`;
}

const splitWords = { depthwise: "depthwise, pointwise", spatial: "column, row", bottleneck: "bottleneck" } as const;

function losses(splits: Layer["splits"]): string {
  const [best] = splits;
  if (!best) return "";
  const all = splits.map(({ split, rank, error }) => `${splitWords[split]}, rank ${rank}: ${percent(error).trim()}`);
  return `<span title="${all.join("; ")}">${percent(best.error)} ${splitWords[best.split]}</span>`;
}
