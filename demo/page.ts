// The demo's page: the idea, the filters at a glance, and each by itself.
import { drawFactors, shownTerms } from "../src/cli/draw.ts";
import { bar, dataUri, escapeHtml, htmlPage, type Section } from "../src/cli/html.ts";
import { count, fraction, milliseconds, number } from "../src/cli/text.ts";
import { explain, type FilterFactors, factorize } from "../src/index.ts";
import { plural } from "../src/words.ts";
import { layerHtml } from "./layer.ts";
import type { Findings, Trial } from "./tour.ts";

/** A picture as it stands in the page. */
export interface EmbeddedShot {
  file: string;
  caption: string;
  alt: string;
  width: number;
  height: number;
  webp: Uint8Array;
}

/** What the page tells of an example. */
export interface Chapter extends Omit<Findings, "before" | "after"> {
  before: EmbeddedShot;
  after: EmbeddedShot[];
}

/** Where the times were measured. */
export interface Machine {
  backend: string;
  threads: number;
  processor: string;
  node: string;
}

/** The whole page. `given` names the user's own picture, where it took the place of the rendered ones. */
export function demoPage(chapters: readonly Chapter[], machine: Machine, given?: string): string {
  const sections: Section[] = [
    { id: "idea", title: "One column times one row", html: idea() },
    { id: "filters", title: "The filters at a glance", html: overview(chapters, machine) },
    ...chapters.map((chapter) => ({
      id: chapter.example.id,
      title: chapter.example.title,
      html: exampleHtml(chapter),
    })),
    { id: "layer", title: "One level up: a layer of a network", html: layerHtml() },
    { id: "next", title: "What to try next", html: next },
  ];
  const inputs = given === undefined ? "a painted scene and a test chart" : `<code>${escapeHtml(given)}</code>`;
  return htmlPage({
    title: "rank1: filters, taken apart",
    heading: "Filters, taken apart",
    lead: `Many filters are a column times a row, or a sum of a few such products. Then they need not be laid over
a picture number by number. Here are ${chapters.length} of them on ${inputs}: what they consist of, what that saves,
and how long each way takes on this machine.`,
    beside: halves(chapters[0]!),
    sections,
    footer:
      "Written by <code>rank1 demo</code>. The pictures in full quality are in the folder of this page. To try filters by hand: the studio, <code>npm run studio</code> in rank1’s repository.",
  });
}

/** The input, and over its right half the last picture that was made of it. */
function halves({ before, after }: Chapter): string {
  const over = after.at(-1)!;
  return `<div class="halves" role="img" aria-label="${escapeHtml(`${before.alt}; right half: ${over.alt}`)}">
${[before, over].map((shot) => image(shot, "")).join("\n")}
</div>`;
}

// ── The idea ───────────────────────────────────────────────────────────────────────────────────────────────────────

const sides = [3, 7, 17, 33, 65];
const ranks = [1, 2, 4];

function idea(): string {
  const example = factorize("binomial:5");
  const rows = sides.map((k) => {
    const cells = ranks.map((r) => `<td${r * 2 * k < k * k ? ' class="less"' : ""}>${count(r * 2 * k)}</td>`);
    return `<tr><th scope="row">${k} × ${k}</th><td>${count(k * k)}</td>${cells.join("")}</tr>`;
  });
  const heads = ranks.map((r) => `<th scope="col">rank ${r}: ${2 * r}k</th>`);
  return `<div class="columns">
<div>
<p>A filter (kernel) is a table of numbers. It is laid over each pixel, its numbers are multiplied by the values under
them, and the products are added: k × k multiplications for every value of the result. This one softens:</p>
${drawing(example, example, "binomial:5")}
<p>But every number in it is one of the column times one of the row. So the picture may be filtered with the row, and
the result with the column: the same sums in another order, at 2k multiplications. Nothing is lost.</p>
</div>
<div>
<p>Every table is a sum of such products, and the smallest number of them is its <em>rank</em> r. A row pass and a
column pass for each cost r · 2k multiplications. That is less than k² when the rank is small and the filter large:</p>
<div class="scroll"><table>
<caption>Multiplications a value</caption>
<thead><tr><th scope="col">filter</th><th scope="col">as it stands: k²</th>${heads.join("")}</tr></thead>
<tbody>${rows.join("")}</tbody>
</table></div>
</div>
</div>`;
}

// ── All filters in one table ───────────────────────────────────────────────────────────────────────────────────────

function overview(chapters: readonly Chapter[], { backend, threads, processor, node }: Machine): string {
  const rows = chapters.map(({ example, exact, factors, chosen }) => {
    const { direct, separable } = factors.multiplications;
    const rank = factors.rank < exact.rank ? `${factors.rank} of ${exact.rank}` : `${exact.rank}`;
    return `<tr><th scope="row"><a href="#${example.id}">${escapeHtml(nameOf(example))}</a></th>
<td>${exact.kh} × ${exact.kw}</td><td class="rank">${rank}</td><td>${count(direct)} → ${count(separable)}</td>
<td class="words">${escapeHtml(chosen.plan.solver)}</td><td>${timeOf(chosen)}</td></tr>`;
  });
  return `<div class="scroll"><table class="glance">
<thead><tr><th scope="col">filter</th><th scope="col">size</th><th scope="col">rank</th>
<th scope="col">multiplications a value, as it stands → in passes</th><th scope="col" class="words">plan</th>
<th scope="col">time</th></tr></thead>
<tbody>${rows.join("\n")}</tbody>
</table></div>
<p class="note">Times are measured: the best of several warm runs (kernels compiled, threads
started); backend ${backend},
${plural(threads, "thread")}, ${escapeHtml(processor)}, Node ${escapeHtml(node)}. The plan is chosen by
predicted time, before anything runs. One multiplication is one multiply-accumulate. Where a plan is listed with its own
count, zeros of the filter are left out, and what strips of the picture compute twice is in.</p>`;
}

const nameOf = ({ filter, options: { tolerance } }: Chapter["example"]): string =>
  tolerance ? `${filter} --tolerance ${tolerance}` : filter;

const timeOf = ({ milliseconds: ms }: Trial): string => (ms === undefined ? "not timed" : milliseconds(ms));

// ── One filter ─────────────────────────────────────────────────────────────────────────────────────────────────────

function exampleHtml(chapter: Chapter): string {
  const { example, exact, factors, before, after, note, chosen } = chapter;
  const commands = example.commands.map((command) => escapeHtml(`npx rank1 ${command.replace("IN", before.file)}`));
  return `<p class="name"><code>${escapeHtml(nameOf(example))}</code></p>
<div class="columns even">
<div>
<p class="story">${escapeHtml(example.story)}</p>
${drawing(exact, factors, example.filter)}
<p>${verdict(chapter)}</p>
<details><summary>Every way with its time; rank, error and singular values</summary>
${ways(chapter)}
${facts(exact, factors)}</details>
<details><summary>The whole plan, and commands to go further</summary>
<pre tabindex="0">${escapeHtml(explain(chosen.plan))}</pre>
<pre tabindex="0">${commands.join("\n")}</pre></details>
</div>
<div>
<div class="pictures">
${[before, ...after].map(figure).join("\n")}
</div>
${note ? `<p class="note">${escapeHtml(note)}</p>` : ""}
</div>
</div>`;
}

function drawing(exact: FilterFactors, factors: FilterFactors, filter: string): string {
  const sign = factors.rank < exact.rank ? "about" : "equal to";
  const terms = factors.rank === 1 ? "one column times one row" : `a sum of ${factors.rank} columns times rows`;
  const alt = `The ${exact.kh} × ${exact.kw} table of ${filter}, ${sign} ${terms}: positive numbers orange, negative blue`;
  const svg = drawFactors(exact, factors);
  const [width, height] = svg.match(/(?<= (width|height)=")\d+/g)!;
  const size = `width="${width}" height="${height}" style="min-width:${Math.floor(0.5 * Number(width))}px"`;
  return `<p class="drawing"><img src="${dataUri("image/svg+xml", svg)}" ${size} alt="${escapeHtml(alt)}"></p>`;
}

const mostValues = 6;

function facts(exact: FilterFactors, factors: FilterFactors): string {
  const { kh, kw, rank, singularValues } = exact;
  const { direct, separable } = factors.multiplications;
  const kept = factors.rank < rank ? `, of which ${factors.rank} are kept` : "";
  const kind = rank === 1 ? " (one column times one row)" : rank === Math.min(kh, kw) ? " (full)" : "";
  const rows = [
    ["rank", `${rank}${kind}${kept}`],
    [
      "multiplications",
      `${count(direct)} as it stands, ${factors.rank} · (${kh} + ${kw}) = ${count(separable)} in passes`,
    ],
    ["error", factors.error === 0 ? "none: exact" : `${number(100 * factors.error, 3)} % of the filter’s norm`],
    ...(factors.exact && kh + kw <= 12 ? [["terms", termsText(factors)]] : []),
  ];
  const bars = singularValues.slice(0, mostValues).map((value, i) => {
    const kind = i < factors.rank ? "on" : "off";
    return `<li><span>${number(value)}</span><span class="track">${bar(value / singularValues[0]!, kind)}</span></li>`;
  });
  const more = singularValues.length - mostValues;
  const dropped = factors.rank < rank ? "; those in grey are dropped" : "";
  return `<div class="facts"><dl>
${rows.map(([name, text]) => `<div><dt>${name}</dt><dd>${text}</dd></div>`).join("\n")}
</dl>
<p class="label">singular values: how much each term adds${dropped}</p>
<ol class="values">${bars.join("\n")}</ol>
${more > 0 ? `<p class="note">… and ${more} more</p>` : ""}</div>`;
}

function termsText(factors: FilterFactors): string {
  const { gain, kept } = shownTerms(factors, factors);
  const sum = kept.map(termText).join(" + ");
  if (gain === 1) return sum;
  return `${fraction(gain)} · ${kept.length > 1 ? `(${sum})` : sum}`;
}

function termText({ column, row }: FilterFactors["terms"][number]): string {
  const list = (taps: readonly number[]): string => `[${taps.map(fraction).join(" ").replaceAll("-", "−")}]`;
  return `${list(column)} ⊗ ${list(row)}`;
}

/** Plans are plain text, which has an x for it. */
const summaryText = ({ summary }: Trial["plan"]): string => escapeHtml(summary).replaceAll(/(?<=\d) x /g, " × ");

/** The plans with their times, the chosen one first. */
function ways({ chosen, rejected }: Chapter): string {
  const trials = [chosen, ...rejected];
  const longest = Math.max(...trials.map(({ milliseconds: ms = 0 }) => ms));
  const rows = trials.map((trial) => {
    const { plan, milliseconds: ms } = trial;
    const values = plan.problem.y.shape.reduce((product, side) => product * side, 1);
    const kind = trial === chosen ? "on" : "off";
    return `<tr><th scope="row"><b>${escapeHtml(plan.solver)}</b> ${summaryText(plan)}${kind === "on" ? " <em>chosen</em>" : ""}
<span class="track">${ms === undefined ? "" : bar(ms / longest, kind)}</span></th>
<td>${count(plan.cost.multiplications / values)}</td><td>${timeOf(trial)}</td></tr>`;
  });
  return `<table class="ways">
<thead><tr><th scope="col">ways to compute it</th><th scope="col">multipli&shy;cations a value</th><th scope="col">time</th></tr></thead>
<tbody>${rows.join("\n")}</tbody>
</table>`;
}

/** What was chosen, how long it takes, and how it compares. */
function verdict({ chosen, rejected }: Chapter): string {
  const { solver } = chosen.plan;
  return `<b>${escapeHtml(solver)}</b> (${summaryText(chosen.plan)}) is chosen: ${timeOf(chosen)}. ${compared(chosen, rejected)}`;
}

function compared(chosen: Trial, rejected: readonly Trial[]): string {
  const timed = rejected.filter(({ milliseconds: ms }) => ms !== undefined);
  const rival = timed.sort((a, b) => a.milliseconds! - b.milliseconds!)[0];
  if (!rival) return "";
  const ratio = rival.milliseconds! / chosen.milliseconds!;
  const name = `${escapeHtml(rival.plan.solver)} (${summaryText(rival.plan)})`;
  if (ratio >= 1.1) return `The next best, ${name}, takes ${number(ratio, 2)} times as long here.`;
  if (ratio > 0.9) return `The next best, ${name}, takes about as long here.`;
  return `Here ${name} was ${number(1 / ratio, 2)} times as fast: plans are chosen by prediction, not by trial.`;
}

const figure = (shot: EmbeddedShot): string =>
  `<figure>${image(shot)}<figcaption>${escapeHtml(shot.caption)} <code>${escapeHtml(shot.file)}</code></figcaption></figure>`;

const image = ({ width, height, webp, alt }: EmbeddedShot, text = alt): string =>
  `<img src="${dataUri("image/webp", webp)}" width="${width}" height="${height}" alt="${escapeHtml(text)}">`;

// ── Onwards ────────────────────────────────────────────────────────────────────────────────────────────────────────

const onwards: readonly [command: string, does: string][] = [
  ["demo --image photo.jpg", "this page with your own picture"],
  ["filters", "all filters that have names"],
  ["factor '[[1,2,1],[2,4,2],[1,2,1]]'", "takes a filter of your own apart"],
  ["filter photo.jpg -o edges.png -f sobel", "filters a picture"],
  ["filter photo.jpg -o relief.png -f sobel-x --show signed", "shows which way each edge goes"],
  ["filter -f disk:9 --tolerance 0.05 --size 4000x3000x3 --explain", "shows what would be done, and why"],
  ["layer 112x112x32 --kernel 3x3 --out 64 --pads same", "shows what a layer costs, whole and in two stages"],
];

const next = `<dl class="commands">
${onwards.map(([command, does]) => `<div><dt><code>npx rank1 ${escapeHtml(command)}</code></dt><dd>${does}</dd></div>`).join("\n")}
</dl>`;
