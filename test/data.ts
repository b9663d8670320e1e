// The data that some tests read, which lies beside the project, and why those do not run where it is missing.
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const folder = resolve(fileURLToPath(new URL("..", import.meta.url)), process.env.RANK1_DATA ?? "../shared/data");

/** A file or folder of the data. */
export const dataPath = (...parts: string[]): string => join(folder, ...parts);

/** For `skipIf`, and to end a title: why tests of a file or folder do not run here; empty where they do. */
export function withoutData(...parts: string[]): string {
  const path = dataPath(...parts);
  return existsSync(path) ? "" : `: skipped, ${path} is missing`;
}
