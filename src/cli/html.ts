// HTML pages that need no other file: their frame, their parts, and their style sheet for light and dark screens from 360
// pixels up, with a contrast of at least 4.5 to 1.
import { palettes, properties } from "./palette.ts";
import { number } from "./text.ts";

export interface Section {
  id: string;
  title: string;
  html: string;
}

export interface Page {
  title: string;
  heading: string;
  /** HTML, as everything below. */
  lead: string;
  /** What stands beside the heading. */
  beside?: string;
  sections: readonly Section[];
  footer: string;
}

/** The whole page: a heading, and sections each of a title and HTML. */
export function htmlPage({ title, heading, lead, beside = "", sections, footer }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${style}</style>
</head>
<body>
<header>
<div>
<p class="mark">rank1</p>
<h1>${escapeHtml(heading)}</h1>
<p class="lead">${lead}</p>
</div>
${beside}
</header>
<main>
${sections.map(({ id, title, html }) => `<section id="${id}">\n<h2>${title}</h2>\n${html}\n</section>`).join("\n")}
</main>
<footer><p>${footer}</p></footer>
</body>
</html>
`;
}

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

/** A cell of a `listTable`: HTML, and on narrow screens, where no head stands over it, what it is. */
export interface ListCell {
  html: string;
  /** "parameters", behind a number of them. */
  unit?: string;
  /** "loss", before it. */
  lead?: string;
}

/**
 * A table of many rows, each with a name (HTML). On narrow screens a row is its name, and under it what its cells say, one after the
 * other.
 */
export function listTable(heads: readonly string[], rows: readonly (readonly [string, ...ListCell[]])[]): string {
  const lines = rows.map(([name, ...cells]) => {
    const said = (place: "lead" | "unit", text?: string): string =>
      text ? ` data-${place}="${escapeHtml(text)}"` : "";
    const own = cells.map(({ html, lead, unit }) => `<td${said("lead", lead)}${said("unit", unit)}>${html}</td>`);
    return `<tr><th scope="row">${name}</th>${own.join("")}</tr>`;
  });
  return `<div class="scroll"><table class="layers list">
<thead><tr>${heads.map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>
<tbody>${lines.join("\n")}</tbody>
</table></div>`;
}

/** A table of texts, the first of each row its name. On narrow screens each row is a block of its own, cell under cell. */
export function stackedTable(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const [names, ...titles] = heads.map(escapeHtml);
  const lines = rows.map(([name, ...cells]) => {
    const own = cells.map((cell, i) => `<td data-head="${titles[i]}">${escapeHtml(cell)}</td>`);
    return `<tr><th scope="row">${escapeHtml(name!)}</th>${own.join("")}</tr>`;
  });
  return `<div class="scroll"><table class="layers stacked">
<thead><tr>${[names, ...titles].map((head) => `<th scope="col">${head}</th>`).join("")}</tr></thead>
<tbody>${lines.join("\n")}</tbody>
</table></div>`;
}

export const dataUri = (type: string, data: Uint8Array | string): string =>
  `data:${type};base64,${Buffer.from(data).toString("base64")}`;

/** A bar that fills a share (0 to 1) of its line. */
export const bar = (share: number, kind: "on" | "off"): string =>
  `<span class="bar ${kind}" style="width:${number(100 * share, 3)}%"></span>`;

export const style = `
:root { color-scheme: light dark; ${properties(palettes.light)} }
@media (prefers-color-scheme: dark) { :root { ${properties(palettes.dark)} } }
* { box-sizing: border-box }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto } }
body { margin: 0 auto; max-width: 1300px; padding: 0 clamp(16px, 4vw, 40px) 64px; background: var(--paper);
  color: var(--ink); font: 16px/1.55 ui-sans-serif, system-ui, sans-serif; overflow-wrap: break-word }
header { display: grid; grid-template-columns: minmax(0, 1fr); gap: 24px 48px; align-items: center; padding: clamp(32px, 6vw, 64px) 0 0 }
header:has(dl) { align-items: start }
.halves { position: relative; width: fit-content }
.halves img { display: block; max-width: 100%; height: auto; border-radius: 8px }
.halves img + img { position: absolute; inset: 0; clip-path: polygon(58% 0, 100% 0, 100% 100%, 42% 100%) }
.mark { margin: 0; color: var(--accent); font-weight: 700; letter-spacing: .04em }
h1 { overflow-wrap: anywhere; margin: 4px 0 16px; font-size: clamp(32px, 6vw, 54px); line-height: 1.08; letter-spacing: -.02em }
.lead { max-width: 44em; margin: 0; font-size: clamp(17px, 2vw, 20px); color: var(--soft); text-wrap: pretty }
section { margin-top: clamp(28px, 3vw, 36px); scroll-margin-top: 16px }
section + section { border-top: 1px solid var(--line); padding-top: clamp(24px, 3vw, 32px) }
h2 { margin: 0 0 8px; font-size: clamp(23px, 3.4vw, 31px); line-height: 1.2; letter-spacing: -.01em; text-wrap: balance }
p { max-width: 44em }
a { color: var(--accent) }
code, pre { font: .92em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
.name { margin: 0; color: var(--soft) }
.story { margin: 6px 0 }
.note, .label, caption, figcaption { color: var(--soft); font-size: 14px }
.label { margin: 16px 0 4px }
.columns { display: grid; gap: 16px 48px; align-items: start }
.columns > * { min-width: 0 }
.drawing { margin: 8px 0 8px -12px; max-width: none; overflow-x: auto }
.drawing img { display: block; max-width: 100%; height: auto }
.pictures { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 12px 16px; align-content: start }
.pictures figcaption { flex-direction: column; margin-top: 2px; line-height: 1.35 }
figure { margin: 0; min-width: 0 }
figure img { display: block; max-width: 100%; height: auto; border-radius: 4px }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px; margin-top: 6px }
h3 { margin: 16px 0 0; font-size: 18px; line-height: 1.3 }
.stage { max-width: 46em }
.flow { display: grid; grid-template: 104px auto / repeat(3, minmax(0, 1fr)); gap: 6px 28px; padding: 12px 0 8px }
.flow > div { position: relative; display: grid; grid-row: span 2; grid-template-rows: subgrid }
.flow > div + div::before { content: "→"; position: absolute; left: -22px; top: 40px; color: var(--soft) }
.flow svg { max-width: 100%; height: auto; align-self: center }
.flow span { font-size: 14px; line-height: 1.35 }
.sheet { stroke: var(--paper); stroke-width: 1 }
.grid { stroke: var(--paper); stroke-width: .7; opacity: .55; fill: none }
.channel0 { fill: var(--channel0) }
.channel1 { fill: var(--channel1) }
.channel2 { fill: var(--channel2) }
.mixed { fill: var(--channel3) }
.dot { fill: var(--soft) }
.stage figcaption { border-top: 1px solid var(--line); padding-top: 6px; font-variant-numeric: tabular-nums }
.stage figcaption b { color: var(--ink) }
.sum { font-size: 18px }
.sum b { color: var(--accent) }
.scroll { overflow-x: auto }
table { border-collapse: collapse; width: 100% }
caption { text-align: left; padding-bottom: 4px }
th, td { padding: 7px 0 7px 16px; border-bottom: 1px solid var(--line); text-align: right; vertical-align: top;
  font-weight: 400; font-variant-numeric: tabular-nums }
th:first-child { padding-left: 0; text-align: left }
thead th { color: var(--soft); font-size: 14px; line-height: 1.35; vertical-align: bottom }
.words { text-align: left }
tbody th:first-child { min-width: 5.5em }
.less { color: var(--accent); font-weight: 600 }
.ways { table-layout: fixed }
.ways th:nth-child(2) { width: 7.5em }
.ways th:nth-child(3) { width: 6.5em }
.ways td { white-space: nowrap }
.ways em { color: var(--accent); font-style: normal; font-weight: 600 }
.layers td, .glance td { white-space: nowrap }
.list td:last-child { white-space: normal }
.layers th:first-child { width: 30%; min-width: 10em; overflow-wrap: anywhere }
.curve { width: 640px; max-width: 100%; height: auto }
.curve text { font-size: 12px; font-family: inherit }
@media (max-width: 899px) {
  .stacked thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
  .stacked tbody, .stacked tr, .stacked th { display: block }
  .stacked tr { padding: 8px 0; border-bottom: 1px solid var(--line) }
  .stacked tr > * { width: auto; padding: 0; border: 0 }
  .stacked th:first-child { width: auto; font-weight: 600 }
  .stacked td { display: grid; grid-template-columns: auto 1fr; gap: 16px; white-space: normal }
  .stacked td:empty { display: none }
  .stacked td::before { content: attr(data-head); color: var(--soft) }
  .list thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
  .list tr { display: flex; flex-wrap: wrap; gap: 0 14px; padding: 7px 0; border-bottom: 1px solid var(--line) }
  .list th, .list td { padding: 0; border: 0 }
  .list tbody th:first-child { width: 100% }
  .list .track { margin-bottom: 4px }
  .list td { color: var(--soft); font-size: 15px }
  .list td:empty { display: none }
  .list td[data-lead]::before { content: attr(data-lead) " " }
  .list td[data-unit]::after { content: " " attr(data-unit) }
  .glance thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
  .glance tr { display: flex; flex-wrap: wrap; gap: 0 14px; padding: 8px 0;
    border-bottom: 1px solid var(--line) }
  .glance th, .glance td { padding: 0; border: 0 }
  .glance tbody th { flex: 1 0 calc(100% - 6em) }
  .glance td { order: 2; font-size: 15px }
  .glance td:last-child { order: 1 }
  .glance .rank::before { content: "rank " }
}
.track { display: block; margin-top: 4px; min-height: 8px }
.bar { display: block; min-width: 3px; height: 8px; border-radius: 2px; background: var(--quiet) }
.bar.on { background: var(--accent) }
@media (forced-colors: active) {
  .bar { forced-color-adjust: none; background: CanvasText }
  .bar.on { background: Highlight }
}
dl { margin: 0 }
dl div { padding: 7px 0; border-bottom: 1px solid var(--line) }
dt { color: var(--soft); font-size: 14px }
dd { margin: 0 }
dl:not(.commands) > div:has(+ div > dt:empty) { border-bottom: 0; padding-bottom: 0 }
dt:empty + dd { color: var(--soft); font-size: 14px }
.values { list-style: none; margin: 0; padding: 0 }
.values li { display: grid; grid-template-columns: 5em 1fr; gap: 12px; align-items: center;
  font-variant-numeric: tabular-nums; font-size: 14px; line-height: 1.7 }
.values li span:first-child { text-align: right }
.values .track { margin: 0 }
details { margin-top: 8px }
summary { cursor: pointer; color: var(--accent) }
pre { margin: 8px 0 0; padding: 14px 16px; overflow-x: auto; background: var(--sunk); border-radius: 6px; font-size: 13px }
.commands { display: grid; gap: 0 48px }
.commands dt { color: var(--ink); font-size: 16px }
.commands dd { color: var(--soft) }
footer { margin-top: 64px; color: var(--soft); font-size: 14px }
@media (max-width: 699px) {
  .curve text { font-size: 20px }
}
@media (min-width: 900px) {
  header { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr) }
  .columns { grid-template-columns: minmax(0, 1.25fr) minmax(0, 1fr) }
  .ways th:nth-child(2) { width: 13em }
  .columns.even, .commands { grid-template-columns: repeat(2, minmax(0, 1fr)) }
}`;
