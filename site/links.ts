// Checks a folder of pages: every link within it must lead to a file that is there, and to an anchor that the file has; no
// page may load anything from elsewhere.
import { globSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path/posix";

/** Every problem, as a sentence. */
export function brokenLinks(folder: string): string[] {
  const pages = globSync("**/*.html", { cwd: folder }).map((path) => path.replaceAll("\\", "/"));
  const texts = new Map(pages.map((page) => [page, readFileSync(join(folder, page), "utf8")]));
  return pages.flatMap((page) => problemsOf(folder, page, texts));
}

function problemsOf(folder: string, page: string, texts: ReadonlyMap<string, string>): string[] {
  const text = texts.get(page)!.replace(/<script(?![^>]*\ssrc=)[^>]*>.*?<\/script>/gs, "");
  const tags = [...text.matchAll(/<(\w+)\s[^>]*?\b(?:href|src)="([^"]*)"/g)];
  return tags.flatMap(([, tag, address]) => {
    const link = address!.replaceAll("&amp;", "&");
    if (/^(data|mailto):/.test(link)) return [];
    if (/^(\w+:|\/\/)/.test(link)) return tag === "a" ? [] : [`${page}: <${tag}> loads ${link}`];
    const [path, anchor] = link.split("#") as [string, string?];
    const target = path === "" ? page : join(dirname(page), decodeURIComponent(path.replace(/\?.*/, "")));
    if (!statSync(join(folder, target), { throwIfNoEntry: false })?.isFile()) return [`${page}: no file ${link}`];
    const inside = texts.get(target);
    const found = !anchor || inside === undefined || hasAnchor(inside, decodeURIComponent(anchor));
    return found ? [] : [`${page}: no anchor ${link}`];
  });
}

const hasAnchor = (text: string, id: string): boolean => text.includes(` id="${id}"`) || text.includes(` name="${id}"`);
