// The walks of CONTRIBUTING.md, as data: what each writes and runs. A block of code below a line "`path`:" is a new file; one below
// "In `path`, after `line`…:" goes below that line, and one with "before" above it; blocks of sh are run.
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

export interface Edit {
  path: string;
  /** The line, without its indentation, beside which the text goes; a new file where absent. */
  line?: string;
  /** Above the line. */
  before: boolean;
  text: string;
}

export interface Walk {
  title: string;
  edits: Edit[];
  commands: string[];
}

const root = join(import.meta.dirname, "..");

/** The walks by their headings. Throws for a block of code that nobody says the place of. */
export function walksOf(text: string): Walk[] {
  const sections = text.split(/^## /m).filter((section) => section.startsWith("A new "));
  return sections.map((section) => {
    const title = section.slice(0, section.indexOf("\n"));
    const blocks = [...section.matchAll(/^([^\n]*)\n\n```(\w+)\n(.*?)^```$/gms)];
    if (blocks.length !== section.match(/^```\w+$/gm)?.length)
      throw new Error(`${title}: a block without a line above`);
    const walk: Walk = { title, edits: [], commands: [] };
    for (const [, above, language, code] of blocks as unknown as [string, string, string, string][]) {
      if (language === "sh") walk.commands.push(...code.trimEnd().split("\n"));
      else walk.edits.push(editOf(title, above, code));
    }
    return walk;
  });
}

function editOf(title: string, above: string, text: string): Edit {
  const [, path, place, line] = /^(?:In )?`([^`]+)`(?:, (after|before) `([^`]+)`(?:,.*)?)?:$/.exec(above) ?? [];
  if (path === undefined || above.startsWith("In ") !== (line !== undefined)) {
    throw new Error(`${title}: "${above}" says no place`);
  }
  return { path, line, before: place === "before", text };
}

/** Makes an edit below a folder. Throws where the file is there already, or where the line is not there exactly once. */
export function apply(folder: string, { path, line, before, text }: Edit): void {
  const file = join(folder, path);
  if (line === undefined) {
    if (existsSync(file)) throw new Error(`${path} exists`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return;
  }
  const lines = readFileSync(file, "utf8").split("\n");
  const places = lines.flatMap((one, i) => (one.trim() === line ? [i] : []));
  if (places.length !== 1) throw new Error(`${path} has the line "${line}" ${places.length} times`);
  lines.splice(places[0]! + (before ? 0 : 1), 0, ...text.split("\n").slice(0, -1));
  writeFileSync(file, lines.join("\n"));
}

/** A copy of the repository without what git ignores, with the packages that are installed here. */
export function copyRepository(folder: string): void {
  const left = new Set([".git", "node_modules", "dist", "rank1-demo", "coverage"]);
  for (const name of readdirSync(root).filter((one) => !left.has(one))) {
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (from) => !/node_modules|dist$/.test(from.slice(root.length)),
    });
  }
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"), "junction");
}
