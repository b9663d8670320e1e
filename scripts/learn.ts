// Writes docs/learn.html: the six screens of Learn as one file that opens from disk, with its script and its style sheets
// inside. `npm run learn`. A test fails while the page is older than its sources.
import { createHash } from "node:crypto";
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const root = join(import.meta.dirname, "..");
const web = join(root, "web", "src");

/** Where the page stands. */
export const learnPage = join(root, "docs", "learn.html");

/** What the screens themselves are made of, as text of a fixed length: the page says it. */
export function learnSources(): string {
  const hash = createHash("sha256");
  for (const path of globSync("learn/*", { cwd: web }).toSorted()) hash.update(readFileSync(join(web, path)));
  return hash
    .update(readFileSync(join(web, "styles", "learn.css")))
    .digest("hex")
    .slice(0, 16);
}

/** The whole page. */
export async function buildLearn(): Promise<string> {
  const { outputFiles } = await build({
    ...{ absWorkingDir: root, logLevel: "error", write: false, outdir: "learn" },
    ...{ bundle: true, minify: true, format: "esm", target: "es2023", legalComments: "none" },
    ...{ jsx: "automatic", jsxImportSource: "preact", alias: { rank1: join(root, "src", "index.ts") } },
    entryPoints: { page: join(web, "learn", "main.tsx") },
  });
  const styles = ["base", "parts", "filter", "learn", "forced"].map(
    (name) => `@import "${join(web, "styles", `${name}.css`)}";`,
  );
  const css = await build({
    ...{ logLevel: "error", write: false, bundle: true, minify: true, outdir: "learn" },
    stdin: { contents: styles.join("\n"), loader: "css", resolveDir: web },
  });
  // A text within the script that looked like the end of it would be
  const script = outputFiles[0]!.text.trim().replaceAll("</script", "<\\/script");
  const comment = `<!-- made by npm run learn; sources ${learnSources()} -->`;
  return readFileSync(join(web, "learn", "page.html"), "utf8")
    .replace("<html", () => `${comment}\n<html`)
    .replace("<style></style>", () => `<style>${css.outputFiles[0]!.text.trim()}</style>`)
    .replace('<script type="module"></script>', () => `<script type="module">${script}</script>`);
}

if (import.meta.main) {
  writeFileSync(learnPage, await buildLearn());
  console.log(`The page is docs/learn.html: open it in a browser.`);
}
