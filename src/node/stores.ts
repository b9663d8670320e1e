// Where files lie: in folders of this machine, or in a store that an address names (s3://bucket/name). A store's own code is
// loaded when an address of its kind comes.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { opendir, stat } from "node:fs/promises";
import { dirname, join, posix } from "node:path";
import { createAtomic, makeFoldersFor, readBytes, writeAtomic } from "./files.ts";
import { StopsAll, type Store } from "./store.ts";

/** Of a disk or folder and not of one name. */
const ofAll = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO"];

/** Writes a file of a folder that may have to be made. */
async function stopping(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await makeFoldersFor(path);
    await write();
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
    if (ofAll.includes(code ?? "")) throw new StopsAll((error as Error).message, { cause: error });
    throw error;
  }
}

/** Makes a whole file or nothing, of what `write` puts under the name that it gets; in folders of this machine alone. */
export const createFile = (path: string, write: (to: string) => Promise<void>, signal: AbortSignal): Promise<void> =>
  stopping(path, () => createAtomic(path, write, signal));

const files: Store = {
  async stat(path) {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
    });
    return found?.isFile() ? { size: found.size, version: String(Math.trunc(found.mtimeMs)) } : undefined;
  },

  async read(path, signal) {
    // Before it is read: what is written meanwhile is noticed the next time.
    const stamp = await this.stat(path).catch(() => undefined);
    const bytes = await readBytes(path, signal);
    return { bytes, stamp: stamp ?? { size: bytes.byteLength, version: "" } };
  },

  write: (path, data, signal) => stopping(path, () => writeAtomic(path, data, signal)),

  async *list(folder, signal) {
    for await (const entry of await opendir(folder)) {
      signal?.throwIfAborted();
      const path = join(folder, entry.name);
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) yield* this.list(path, signal);
      else if (entry.isFile() || (entry.isSymbolicLink() && (await leadsToFile(path)))) yield { path };
    }
  },
};

/**
 * Whether a link leads to a file, or should: one that leads nowhere is an input that fails, and not one that is left out. Links to
 * folders are not followed: they may lead round in a circle.
 */
export async function leadsToFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found === undefined || found.isFile();
}

/** Whether a path is an address in a store. */
export const isAddress = (path: string): boolean => path.startsWith("s3://");

/** Where a path leads. */
export async function storeOf(path: string): Promise<Store> {
  return isAddress(path) ? (await import("./s3.ts")).store : files;
}

/** The bytes of a file or object. */
export const bytesAt = async (path: string, signal?: AbortSignal): Promise<Uint8Array> =>
  (await (await storeOf(path)).read(path, signal)).bytes;

/** A name below a folder, which may be in a store. */
export const below = (folder: string, name: string): string =>
  isAddress(folder) ? `${folder.replace(/\/+$/, "")}/${name.replaceAll("\\", "/")}` : join(folder, name);

/** The folder of a path, which may be in a store. */
export function folderOf(path: string): string {
  return isAddress(path) ? `s3://${posix.dirname(path.slice("s3://".length))}` : dirname(path);
}

/** The SHA-256 of bytes, in as many hexadecimal digits as tell things apart that nobody has forged. */
export const hashOf = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 32);
};

/** The same of a file, which is not held. */
export async function hashOfFile(path: string, signal: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path, { signal, highWaterMark: 1 << 20 })) hash.update(part);
  return hash.digest("hex").slice(0, 32);
}
