// The demo's layer: the classic example of a depthwise separable layer, 12 × 12 × 3 to 8 × 8 × 256, stage by stage.

import { count, number, styled } from "../src/cli/text.ts";
import { type LayerCost, type LayerSpec, layerCost, type StageCost } from "../src/index.ts";
import { filterSet, mostSheets, stack } from "./volume.ts";

const layer = { input: [12, 12, 3], size: [5, 5], outputs: 256 } as const;
const command = "layer 12x12x3 --kernel 5x5 --out 256";

const costOf = (form: LayerSpec["form"], depthMultiplier = 1): LayerCost =>
  layerCost({ ...layer, form, depthMultiplier });

/** The numbers of the example. */
export const layerExample = { layer, direct: costOf("conv"), separable: costOf("separable") };

const times = (shape: readonly number[]): string => shape.join(" × ");

const sumOf = ({ stages, multiplications }: LayerCost): string =>
  `${stages.map((stage) => count(stage.multiplications)).join(" + ")} = ${count(multiplications)}`;

const saved = (): string => number(layerExample.direct.multiplications / layerExample.separable.multiplications, 3);

/** For the terminal. */
export function layerLines(): string[] {
  const { direct, separable } = layerExample;
  const shapes = [separable.stages[0]!.input, ...separable.stages.map(({ output }) => output)].map(times);
  return [
    "",
    `${styled("bold", "a layer")}  ${times(layer.size)}, ${times(layer.input)} to ${times(direct.output)}: ${count(direct.multiplications)} → ${sumOf(separable)} multiplications`,
    `  ${styled("cyan", "depthwise, pointwise")}: ${shapes.join(" → ")}, ${saved()} × fewer`,
  ];
}

/** For the page. */
export function layerHtml(): string {
  const { direct, separable } = layerExample;
  const [conv] = direct.stages as [StageCost];
  const [depthwise, pointwise] = separable.stages as [StageCost, StageCost];
  const wider = costOf("separable", 2);
  const { outputs } = layer;
  return `<div class="columns">
<div>
<p>A layer of a neural network takes in a picture of several channels and gives another, and each of its filters (kernels)
is as deep as what comes in. This is the textbook’s example: ${shape(layer.input)} in, ${outputs} filters of
${shape([...layer.size, layer.input[2]])}, ${shape(direct.output)} out.</p>
<p>Its weights are a table, too, once one says what is a row and what is a column. Where that table is of low rank, the
layer falls into two: first each channel is filtered alone, then the channels are mixed at every pixel.</p>
<h3>As it stands</h3>
${stage(conv, {
  says: `${outputs} filters of ${shape([...layer.size, layer.input[2]])}: each sees all channels`,
  filters: filterSet([{ shape: [...layer.size, layer.input[2]], first: 0 }], true, few),
})}
</div>
<div>
<h3>1. Depthwise: each channel alone</h3>
${stage(depthwise, {
  says: `${layer.input[2]} filters of ${shape([...layer.size, 1])}: one for each channel`,
  filters: filterSet(
    [0, 1, 2].map((first) => ({ shape: [...layer.size, 1], first })),
    false,
    few,
  ),
})}
<h3>2. Pointwise: the channels are mixed</h3>
${stage(pointwise, {
  says: `${outputs} filters of ${shape([1, 1, layer.input[2]])}: three numbers each`,
  filters: filterSet(
    [0, 1, 2].map(() => ({ shape: [1, 1, layer.input[2]], first: 0 })),
    true,
    { pixel: 14, step: 7 },
  ),
})}
</div>
</div>
<p class="sum"><b>${count(direct.multiplications)}</b> multiplications become <b>${sumOf(separable)}</b>:
${saved()} times fewer, with ${count(separable.parameters)} weights in place of ${count(direct.parameters)}.</p>
<p>The rank is the <em>depth multiplier</em>. With two filters for each channel, ${shape(wider.stages[0]!.output)} stand in
the middle, and ${sumOf(wider)} multiplications come closer to any given layer. With as many as a filter has numbers in
each channel, ${layer.size[0] * layer.size[1]}, it is the same layer exactly, only dearer.
<code>npx rank1 ${command}</code> draws this for layers of your own.</p>`;
}

/** Drawn in the page, a shape does not break. */
const shape = (sides: readonly number[]): string => times(sides).replaceAll(" ", "\u00a0");

/** How few channels are drawn, and many. */
const few = { pixel: 6, step: 7 };
const many = { pixel: 6, step: 3 };

/** A stage: what goes in, the filters, what comes out, and how the multiplications come about. */
function stage(
  { input, size, groups, output, multiplications }: StageCost,
  how: { says: string; filters: string },
): string {
  const each = [...size, input[2] / groups].filter((n) => n > 1);
  const alt = `${times(input)} in, ${how.says}, ${times(output)} out`;
  return `<figure class="stage"><div class="flow" role="img" aria-label="${alt}">
<div>${stack(input, few)}<span>${shape(input)}</span></div>
<div>${how.filters}<span>${how.says}</span></div>
<div>${stack(output, output[2] > mostSheets ? many : few)}<span>${shape(output)}</span></div>
</div>
<figcaption><span>${output.join(" · ")} outputs × ${each.join(" · ")} each</span>
<b>${count(multiplications)} multiplications</b></figcaption></figure>`;
}
