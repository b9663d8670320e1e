// Files of settings: an object in JSON that says its version.
import { checkOneOf, describe, InvalidArgumentError } from "../errors.ts";
import { readBytes, writeAtomic } from "./files.ts";

/** What such a file holds, without its version; `read` gets its bytes. Throws {@link InvalidArgumentError} that names what is wrong. */
export async function readSettings(path: string, read = readBytes): Promise<Record<string, unknown>> {
  const { version, ...settings } = parse(path, await read(path));
  checkOneOf(`${path} version`, String(version), ["1"]);
  return settings;
}

export async function writeSettings(path: string, settings: object, signal?: AbortSignal): Promise<void> {
  await writeAtomic(path, settingsText(settings), signal);
}

export const settingsText = (settings: object): string =>
  `${JSON.stringify({ version: 1, ...settings }, undefined, 2)}\n`;

function parse(path: string, bytes: Uint8Array): Record<string, unknown> {
  const expected = "an object in JSON";
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw new InvalidArgumentError({ parameter: path, expected, received: describe(value) });
  } catch (cause) {
    if (cause instanceof InvalidArgumentError) throw cause;
    throw new InvalidArgumentError({ parameter: path, expected, received: (cause as Error).message, cause });
  }
}
