// What tests of many inputs share: tiny pictures in folders, and what a folder holds.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { encodePicture } from "../../src/node/encode.ts";

/** Writes `count` different pictures in three folders; their names below `folder`. */
export async function tinyPictures(folder: string, count: number): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    const data = Uint8Array.from({ length: 24 * 16 * 3 }, (_, k) => (k * k * (i + 3)) >> 4);
    const bytes = await encodePicture({ width: 24, height: 16, channels: 3, data, alpha: false }, "png");
    const name = `${["a", "b", "c/d"][i % 3]}/${i}.png`;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
    names.push(name);
  }
  return names;
}

/** All files below a folder but the journal's, with what they hold. */
export function contents(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const all = files.map((entry) => relative(folder, join(entry.parentPath, entry.name)));
  const results = all.filter((name) => !name.startsWith(".rank1"));
  return Object.fromEntries(results.sort().map((name) => [name, readFileSync(join(folder, name), "base64")]));
}

/** The lines of a journal of one part, or of failures. */
export function lines(folder: string, name = "journal-1-of-1"): { name: string; input: unknown }[] {
  const text = readFileSync(join(folder, ".rank1", `${name}.jsonl`), "utf8");
  return text.trim().split("\n").map((line) => JSON.parse(line)); // biome-ignore format: a line
}

/** NODE_OPTIONS that load a file of this folder first, in workers too. */
export const preload = (name: string): string => `--import ${new URL(`./preload/${name}`, import.meta.url).href}`;
