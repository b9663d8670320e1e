// The notices of packages whose code is bundled: what each file says at its beginning, and the text of each licence.
import { existsSync, globSync, readFileSync } from "node:fs";
import { join } from "node:path";

interface Package {
  name: string;
  version: string;
  license: string;
}

/** How a licence begins that files quote in full. */
const openings: Readonly<Record<string, string>> = {
  "BSD-3-Clause": "Redistribution and use in source and binary forms",
};

/**
 * One text for all packages of which `files` (paths below `root`) come.
 *
 * @throws Error for a package of whose licence there is no text.
 */
export function thirdParty(root: string, files: Iterable<string>): string {
  const folders = new Map<string, string[]>();
  for (const file of [...files].toSorted()) {
    const [folder] = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
    if (folder) folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  const sections = [...folders].map(([folder, own]) =>
    section(
      join(root, folder),
      own.map((file) => join(root, file)),
    ),
  );
  return ["The files of this folder contain code of these packages.", ...sections].join(`\n\n${"=".repeat(80)}\n\n`);
}

function section(folder: string, files: readonly string[]): string {
  const { name, version, license }: Package = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const headers = [...new Set(files.map((file) => header(readFileSync(file, "utf8"))).filter(Boolean))];
  return [`${name} ${version}, ${license}`, ...headers, ...texts(folder, license, headers)].join("\n\n");
}

/** The comment that a file begins with. */
function header(text: string): string {
  const lines = text.split("\n");
  const end = lines.findIndex((line) => !line.startsWith("//"));
  return lines.slice(0, end).map((line) => line.slice(3)).join("\n"); // biome-ignore format: a chain
}

/** The package's own text, or that of every licence which it names and no header quotes. */
function texts(folder: string, license: string, headers: readonly string[]): string[] {
  const own = globSync("{LICENSE,LICENCE,NOTICE}*", { cwd: folder });
  if (own.length > 0) return own.toSorted().map((file) => readFileSync(join(folder, file), "utf8").trim());
  return license.split(/[()\s]+|\b(?:AND|OR)\b/).filter(Boolean).flatMap((id) => textOf(id, headers)); // biome-ignore format: a chain
}

function textOf(id: string, headers: readonly string[]): string[] {
  if (openings[id] && headers.some((header) => header.includes(openings[id]!))) return [];
  const file = join(import.meta.dirname, "licences", `${id}.txt`);
  if (!existsSync(file)) throw new Error(`scripts/licences/ has no text of ${id}`);
  return [readFileSync(file, "utf8").trim()];
}
