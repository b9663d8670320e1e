// Weights that lie beside a model, from one folder that the user names. What a model says is never trusted as a path.
import { constants } from "node:fs";
import { open, realpath } from "node:fs/promises";
import { join } from "node:path";
import { describe, InvalidArgumentError } from "../errors.ts";
import { checkFolder } from "./files.ts";

/**
 * Reads files of `folder` by the names that a model gives them: names of plain files inside it, not through `..`, not
 * absolute, and neither symbolic nor hard links.
 */
export function externalFolder(folder: string): (location: string) => Promise<Uint8Array> {
  return async (location) => {
    await checkFolder(folder);
    const parts = location.split("/");
    if (parts.some((part) => !/^[^\\:\0]+$/.test(part) || part === "." || part === "..")) {
      throw refused(location, "the name of a file inside a folder", "another path");
    }
    const path = join(await realpath(folder), ...parts);
    try {
      return await readPlain(path, location);
    } catch (error) {
      if (error instanceof InvalidArgumentError) throw error;
      throw refused(location, `a readable file in ${folder}`, (error as Error).message, error);
    }
  };
}

/** Windows knows neither: a link is found by its real path, and nothing waits for a pipe's writer. */
const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** Opened first and checked after, so that what is checked is what is read. */
async function readPlain(path: string, location: string): Promise<Uint8Array> {
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = await file.stat();
    const plain = stats.isFile() && stats.nlink === 1 && (await realpath(path)) === path;
    if (!plain) throw refused(location, "a plain file", "a link or no file");
    return await file.readFile();
  } finally {
    await file.close();
  }
}

function refused(location: string, expected: string, received: string, cause?: unknown): InvalidArgumentError {
  return new InvalidArgumentError({ parameter: `external data ${describe(location)}`, expected, received, cause });
}
