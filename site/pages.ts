// The pages of the site, made of the repository's documents: Markdown becomes HTML, links between documents become links
// between pages, and each page has the navigation.
import { readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path/posix";
import GithubSlugger from "github-slugger";
import { Marked, type Tokens } from "marked";

export interface Entry {
  title: string;
  /** A document from the root of the repository, or a page that other tools make. */
  path: string;
}

/** The navigation: every page of the site, under headings. */
export const navigation: Readonly<Record<string, readonly Entry[]>> = {
  rank1: [
    { title: "Overview", path: "README.md" },
    { title: "API reference", path: "api/index.html" },
    { title: "Learn", path: "docs/learn.html" },
    { title: "Demo", path: "demo/index.html" },
    { title: "Studio (needs a web server)", path: "studio/index.html" },
  ],
  Guides: [
    { title: "Filters", path: "docs/filters.md" },
    { title: "Layers", path: "docs/layers.md" },
    { title: "Models", path: "docs/models.md" },
    { title: "Separating a model", path: "docs/separating.md" },
    { title: "Many pictures, many machines", path: "docs/batch.md" },
    { title: "Pages and bundlers", path: "docs/deploying.md" },
    { title: "The GPU", path: "docs/webgpu.md" },
    { title: "Errors", path: "docs/errors.md" },
    { title: "Theory", path: "docs/theory.md" },
  ],
  Benchmarks: [
    { title: "Filters", path: "docs/benchmarks.md" },
    { title: "Layers", path: "docs/benchmarks-layers.md" },
    { title: "Models", path: "docs/benchmarks-models.md" },
    { title: "Threads", path: "docs/benchmarks-threads.md" },
    { title: "How to measure", path: "bench/README.md" },
  ],
  Project: [
    { title: "Architecture", path: "docs/architecture.md" },
    { title: "Contributing", path: "CONTRIBUTING.md" },
    { title: "What changed", path: "CHANGELOG.md" },
    { title: "Security", path: "SECURITY.md" },
  ],
};

/** Documents of the navigation. */
export const documents: readonly string[] = Object.values(navigation)
  .flat()
  .map(({ path }) => path)
  .filter((path) => path.endsWith(".md"));

/** The page of a document; files that are no documents, such as pictures, keep their names. */
export const pageOf = (path: string): string =>
  path === "README.md" ? "index.html" : path.replace(/\.md$/, ".html").replace(/\.(ts|js)$/, ".$1.html");

export interface Page {
  html: string;
  /** Files from the root of the repository that the page shows or links to: pictures and sources. */
  files: string[];
}

/** The page of a document, or of a source file. */
export function renderPage(root: string, path: string): Page {
  const text = readFileSync(join(root, path), "utf8");
  const title = /^# (.*)$/m.exec(text)?.[1] ?? path;
  if (!path.endsWith(".md"))
    return { html: frame(path, path, accessible(`<h1>${path}</h1>\n<pre>${escaped(text)}</pre>`)), files: [] };
  const { body, files } = bodyOf(path, text);
  return { html: frame(path, title, body), files };
}

function bodyOf(path: string, text: string): { body: string; files: string[] } {
  const files: string[] = [];
  const slugger = new GithubSlugger();
  const rewrite = (href: string): string => {
    if (/^(https?:|#)/.test(href)) return href;
    const [file, anchor] = href.split("#") as [string, string?];
    const target = normalize(join(dirname(path), file));
    if (target.startsWith("..")) throw new Error(`${path} links to ${href}, outside the repository`);
    if (!documents.includes(target)) files.push(target);
    return linkFrom(path, target) + (anchor ? `#${anchor}` : "");
  };
  const marked = new Marked({
    walkTokens: (token) => {
      if (token.type === "link" || token.type === "image") token.href = rewrite(token.href);
    },
    renderer: {
      heading({ tokens, depth }: Tokens.Heading): string {
        const html = this.parser.parseInline(tokens);
        const id = slugger.slug(html.replace(/<[^>]*>/g, ""));
        return `<h${depth} id="${id}"><a href="#${id}">${html}</a></h${depth}>\n`;
      },
    },
  });
  const html = marked.parse(text, { async: false });
  return { body: accessible(html), files };
}

/** What may be wider than the page can be scrolled by keys; a column without a name has no heading. */
const accessible = (html: string): string =>
  html
    .replaceAll("<pre>", '<pre tabindex="0">')
    .replace(/<thead>\s*<tr>\s*(<th><\/th>\s*)+<\/tr>\s*<\/thead>/g, "")
    .replaceAll("<th></th>", "<td></td>")
    .replace(/<table>.*?<\/table>/gs, '<div class="wide" tabindex="0">$&</div>');

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");

/** From one page to another: both by their documents. */
const linkFrom = (from: string, to: string): string => relative(dirname(pageOf(from)), pageOf(to)) || pageOf(to);

/** A whole page. Documents that the navigation lists stand there as the current one. */
function frame(path: string, title: string, body: string): string {
  const link = ({ title, path: to }: Entry): string =>
    `<li><a href="${linkFrom(path, to)}"${to === path ? ' aria-current="page"' : ""}>${title}</a></li>`;
  const lists = Object.entries(navigation).map(
    ([heading, entries]) => `<h2>${heading}</h2>\n<ul>\n${entries.map(link).join("\n")}\n</ul>`,
  );
  const name = title === "rank1" ? title : `${title} - rank1`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(name)}</title>
<link rel="icon" href="${linkFrom(path, "studio/icon.svg")}" type="image/svg+xml">
<link rel="stylesheet" href="${linkFrom(path, "style.css")}">
</head>
<body>
<header><a href="${linkFrom(path, "README.md")}">rank1</a> <a href="#contents">Contents</a></header>
<main>
${body}
</main>
<nav id="contents" aria-label="Contents">
${lists.join("\n")}
</nav>
</body>
</html>
`;
}
