// Pages: one HTML file each that needs nothing else, on light and on dark screens.
import { style } from "./style.ts";
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

export const dataUri = (type: string, data: Uint8Array | string): string =>
  `data:${type};base64,${Buffer.from(data).toString("base64")}`;

/** A bar that fills a share (0 to 1) of its line. */
export const bar = (share: number, kind: "on" | "off"): string =>
  `<span class="bar ${kind}" style="width:${number(Math.max(0.4, 100 * share), 3)}%"></span>`;
