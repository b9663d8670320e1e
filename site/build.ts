// Builds the site into site/dist: the documents, the API reference (TypeDoc), the demo and the studio, linked by relative
// addresses. `npm run site` in the root installs what it needs and runs this. Fails on broken links.
import { execFileSync } from "node:child_process";
import { copyFileSync, cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { Application, Converter } from "typedoc";
import { build as buildStudio } from "vite";
import { buildLearn } from "../scripts/learn.ts";
import { brokenLinks } from "./links.ts";
import { documents, pageOf, renderPage } from "./pages.ts";

const root = dirname(import.meta.dirname);
const dist = join(import.meta.dirname, "dist");

function write(path: string, text: string): void {
  mkdirSync(dirname(join(dist, path)), { recursive: true });
  writeFileSync(join(dist, path), text);
}

/** Documents, and the pictures and sources that they name. */
function writeDocuments(): void {
  const files = new Set<string>();
  for (const path of documents) {
    const page = renderPage(root, path);
    write(pageOf(path), page.html);
    for (const file of page.files) files.add(file);
  }
  for (const file of files) {
    if (pageOf(file) === file) cpSync(join(root, file), join(dist, file), { recursive: true });
    else write(pageOf(file), renderPage(root, file).html);
  }
  copyFileSync(join(import.meta.dirname, "style.css"), join(dist, "style.css"));
}

/** By what users import, in place of TypeDoc's names for the files. */
const modules: Readonly<Record<string, string>> = {
  index: "rank1",
  onnx: "rank1/onnx",
  node: "rank1/node",
  batch: "rank1/batch",
};
/** TypeDoc takes whole addresses only: this one becomes a relative one. */
const home = "https://rank1.invalid/";

async function writeReference(): Promise<void> {
  const app = await Application.bootstrap({
    entryPoints: ["index.ts", "onnx/index.ts", "node/index.ts", "batch/index.ts"].map((path) =>
      join(root, "src", path),
    ),
    ...{ tsconfig: join(import.meta.dirname, "tsconfig.json"), basePath: join(root, "src") },
    ...{ name: "rank1 API", readme: "none", titleLink: home, navigationLinks: { Overview: home } },
    ...{ customCss: join(import.meta.dirname, "api.css"), favicon: join(root, "web", "public", "icon.svg") },
    ...{ disableSources: true, hideGenerator: true, excludeInternal: true, excludePrivate: true },
    ...{ logLevel: "Warn", validation: { notExported: false } },
  });
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const module of project.children ?? []) module.name = modules[module.name] ?? module.name;
  });
  const project = await app.convert();
  if (!project || app.logger.hasErrors()) throw new Error("TypeDoc failed");
  await app.generateDocs(project, join(dist, "api"));
  for (const path of globSync("api/**/*.html", { cwd: dist })) {
    const text = readFileSync(join(dist, path), "utf8");
    write(path, text.replaceAll(home, relative(dirname(path), "index.html")));
  }
}

function writeDemo(): void {
  const folder = join(dist, "demo");
  const args = [join(root, "src", "cli", "main.ts"), "demo", "-o", `${folder}/`, "--quiet"];
  execFileSync(process.execPath, args, { stdio: "inherit" });
  const page = join(folder, "index.html");
  const text = readFileSync(page, "utf8");
  writeFileSync(page, text.replace(/<body[^>]*>/, '$&\n<p><a href="../index.html">rank1</a></p>'));
}

/** Links of the page lead to the pages of the site. */
async function writeLearn(): Promise<void> {
  const links = 'data-theory="theory.html" data-studio="../studio/index.html"';
  const text = (await buildLearn()).replace('data-theory="theory.md"', links);
  write("docs/learn.html", text.replace("<body>", '$&\n<p><a href="../index.html">rank1</a></p>'));
}

rmSync(dist, { recursive: true, force: true });
writeDocuments();
await writeLearn();
await writeReference();
writeDemo();
await buildStudio({ root: join(root, "web"), build: { outDir: join(dist, "studio") }, logLevel: "warn" });
const problems = brokenLinks(dist);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`The site is in ${relative(process.cwd(), dist)}: open index.html there, or serve the folder.`);
