// What all rivals share: how a call is timed, and how versions are found.
import { readFileSync } from "node:fs";

export async function timed(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

/** For synchronous libraries: no await stands inside the time. */
export function timedNow(work: () => void): Promise<number> {
  const start = performance.now();
  work();
  return Promise.resolve(performance.now() - start);
}

const versionAt = (path: string): string => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")).version;

/** The version of an installed package. Some hide their package.json from imports, so the file is read. */
export const versionOf = (name: string): string => versionAt(`node_modules/${name}/package.json`);

export const rank1Version = versionAt("../package.json");
