// CONTRIBUTING.md is followed on a copy of the repository: its files are written, its lines added, its commands run.
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { dataPath } from "./data.ts";
import { temporaryFolder } from "./node/folder.ts";
import { apply, copyRepository, walksOf } from "./walk.ts";

const walks = walksOf(readFileSync(join(import.meta.dirname, "../CONTRIBUTING.md"), "utf8"));
const folder = temporaryFolder();

beforeAll(() => {
  copyRepository(folder);
  for (const edit of walks.flatMap(({ edits }) => edits)) apply(folder, edit);
}, 60_000);

/** In the copy; what this run of tests says to itself is left out. */
function run(command: string): Promise<{ code: number; output: string }> {
  const env = Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV$|FORCE_COLOR$)/.test(name));
  const options = {
    cwd: folder,
    env: { ...Object.fromEntries(env), RANK1_DATA: dataPath(), NO_COLOR: "1" },
    shell: true,
  };
  return new Promise((resolve) => {
    execFile(command, options, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: `${stdout}${stderr}` });
    });
  });
}

it("finds the walks", () => {
  expect(walks.map(({ title }) => title)).toEqual(["A new kernel family", "A new ONNX operator", "A new command"]);
  for (const { title, edits, commands } of walks) expect([edits.length, commands.length], title).not.toContain(0);
});

describe.each(walks)("$title", ({ commands }) => {
  it.each(commands)("%s", async (command) => {
    const { code, output } = await run(command);
    expect(code, output).toBe(0);
    if (command.includes("vitest")) expect(output).toMatch(/ Tests {2}\d+ passed/);
    if (command.startsWith("node bench/")) expect(output).toMatch(/difference/);
    if (command.endsWith("info")) expect(output).toMatch(/^backend +(wasm|reference) /m);
  });
});

describe("all of them together", () => {
  it("have the right types", async () => {
    const { code, output } = await run("npm run types");
    expect(code, output).toBe(0);
  });

  it("are formatted as everything else", async () => {
    const paths = [...new Set(walks.flatMap(({ edits }) => edits.map(({ path }) => path)))];
    const { code, output } = await run(`npx biome check --vcs-enabled=false ${paths.join(" ")}`);
    expect(code, output).toBe(0);
  });

  it("keep the rules of the house", async () => {
    const { code, output } = await run("npx vitest run test/structure.test.ts");
    expect(code, output).toBe(0);
  });
});

describe("a walk is read strictly", () => {
  const wrong = (text: string) => () => walksOf(`## A new thing\n\n${text}`);

  it.each([
    ["a block that nobody says the place of", "Then:\n\n```ts\na;\n```\n", /"Then:" says no place/],
    ["a block right below a text", "`a.ts`:\n```ts\na;\n```\n", /without a line above/],
    ["an edit without a line", "In `a.ts`:\n\n```ts\na;\n```\n", /says no place/],
  ])("%s", (_, text, message) => expect(wrong(text)).toThrow(message));

  it("a line that is not there, or twice, and a file that is there", () => {
    const edit = { path: "package.json", before: false, text: "" };
    expect(() => apply(folder, edit)).toThrow("package.json exists");
    expect(() => apply(folder, { ...edit, line: "gone" })).toThrow('has the line "gone" 0 times');
    expect(() => apply(folder, { ...edit, line: "}," })).toThrow(/has the line "}," \d+ times/);
  });
});
