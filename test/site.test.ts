// The pages of the site, made of the documents as they are: without the reference, the demo and the studio, which other tools make.
import { cpSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { brokenLinks } from "../site/links.ts";
import { documents, navigation, pageOf, renderPage } from "../site/pages.ts";
import { temporaryFolder } from "./node/folder.ts";

const root = join(import.meta.dirname, "..");
const temporary = temporaryFolder();

function write(folder: string, path: string, text: string): void {
  const file = join(temporary, folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

describe("the navigation", () => {
  it("lists every document once", () => {
    const all = globSync(["*.md", "docs/*.md", "bench/README.md"], { cwd: root });
    expect(documents.toSorted()).toEqual(all.map((path) => path.replaceAll("\\", "/")).toSorted());
  });

  it.each(documents)("stands on the page of %s, which is the current one", (path) => {
    const { html } = renderPage(root, path);
    expect(html.match(/aria-current/g)).toHaveLength(1);
    expect(html.match(/<li><a href/g)).toHaveLength(Object.values(navigation).flat().length);
  });
});

it("no page has a broken link, a missing picture or anything from elsewhere", () => {
  for (const path of documents) {
    const { html, files } = renderPage(root, path);
    write("whole", pageOf(path), html);
    for (const file of files) {
      if (pageOf(file) === file) cpSync(join(root, file), join(temporary, "whole", file), { recursive: true });
      else write("whole", pageOf(file), renderPage(root, file).html);
    }
  }
  const made = Object.values(navigation).flat();
  for (const { path } of made) if (!documents.includes(path)) write("whole", path, "");
  for (const path of ["style.css", "studio/icon.svg"]) write("whole", path, "");
  expect(brokenLinks(join(temporary, "whole"))).toEqual([]);
});

it.each([
  ["a page that is missing", '<a href="b.html">', "a.html: no file b.html"],
  ["a folder", '<a href="d">', "a.html: no file d"],
  ["an anchor that is missing", '<a href="d/c.html#x">', "a.html: no anchor d/c.html#x"],
  ["an anchor of the page itself", '<a href="#x">', "a.html: no anchor #x"],
  ["a picture from elsewhere", '<img alt="" src="https://a.b/c.png">', "a.html: <img> loads https://a.b/c.png"],
  ["a style from elsewhere", '<link rel="stylesheet" href="//a.b/c">', "a.html: <link> loads //a.b/c"],
  ["good links", '<a href="d/c.html#y">, <a href="https://a.b">, <p id="z"><a href="#z">', undefined],
])("the check judges %s", (name, html, problem) => {
  write(name, "a.html", html);
  write(name, "d/c.html", '<p id="y">');
  expect(brokenLinks(join(temporary, name))).toEqual(problem ? [problem] : []);
});

it("links between documents lead to their pages", () => {
  write("docs", "README.md", "# A `b`\n\n[c](docs/c.md#d-e), [code](x/y.ts), ![p](p.png), [out](https://a.b)\n");
  const { html, files } = renderPage(join(temporary, "docs"), "README.md");
  expect(html).toContain('<h1 id="a-b"><a href="#a-b">A <code>b</code></a></h1>');
  for (const link of ["docs/c.html#d-e", "x/y.ts.html", "https://a.b"]) expect(html).toContain(`<a href="${link}"`);
  expect(html).toContain('<img src="p.png"');
  expect(files).toEqual(["docs/c.md", "x/y.ts", "p.png"]);
});
