// Every command line that a page of the documentation shows is one that rank1 takes.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { checkRenamed } from "../../src/cli/arguments.ts";
import { createProgram } from "../../src/cli/program.ts";

const root = join(import.meta.dirname, "../..");
const pages = ["README.md", ...globSync("docs/*.md", { cwd: root })];

/** The words after rank1 of each command on a page: lines of blocks, and code between words. */
function commandsIn(page: string): string[][] {
  const text = readFileSync(join(root, page), "utf8").replaceAll("\\\n", " ");
  const blocks = [...text.matchAll(/^```\w*\n(.*?)^```/gms)].map(([, block]) => block!).join("\n");
  const lines = [...blocks.matchAll(/^(?:npx )?rank1 ([^#<\n]+)/gm)].map(([, words]) => words!);
  const inline = [...text.matchAll(/`(?:npx )?rank1 ([^`<]+)`/g)].map(([, words]) => words!);
  return [...lines, ...inline].map((words) => words.trim().split(/\s+/));
}

it.each(pages)("%s", (page) => {
  const { commands } = createProgram(new AbortController().signal);
  for (const words of commandsIn(page)) {
    const shown = `rank1 ${words.join(" ")}`;
    expect(() => checkRenamed(words), shown).not.toThrow();
    const command = commands.find((one) => one.name() === words[0]);
    expect(command, shown).toBeDefined();
    const known = command!.options.flatMap(({ short, long }) => [short, long, "--help", "--all"]);
    for (const word of words.filter((one) => /^--?[a-z]/.test(one))) expect(known, shown).toContain(word.split("=")[0]);
  }
});

it("finds commands", () => expect(pages.flatMap(commandsIn).length).toBeGreaterThan(20));
