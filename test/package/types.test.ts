// The packed types under the compilers that users have, from the oldest that is supported to the newest, with every library
// file checked: without the types of browsers and Node, and with them.
import { execFile } from "node:child_process";
import { copyFileSync, cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { temporaryFolder } from "../node/folder.ts";
import { install, pack } from "./pack.ts";

const folder = temporaryFolder();
const app = join(folder, "app");
const modules = join(import.meta.dirname, "../../node_modules");

/** By the names in package.json's devDependencies. */
const compilers = { "typescript-5.0": "5.0.", "typescript-5": "5.9.", "typescript-6": "6.0.", typescript: "7.0." };
const settings = [
  { module: "node16", moduleResolution: "node16" },
  { module: "nodenext", moduleResolution: "nodenext" },
  { module: "esnext", moduleResolution: "bundler" },
];

beforeAll(async () => {
  const { tarball } = await pack(folder);
  install(tarball, app);
  for (const file of ["consumer.ts", "platforms.ts", "page.ts"])
    copyFileSync(join(import.meta.dirname, "programs", file), join(app, file));
  writeFileSync(join(app, "package.json"), '{ "type": "module" }');
  for (const name of ["@types/node", "undici-types"])
    cpSync(join(modules, name), join(app, "node_modules", name), { recursive: true });
}, 60_000);

/** What a compiler says of some files: nothing, where all is well. */
function compile(compiler: string, files: readonly string[], options: object): Promise<string> {
  const common = { noEmit: true, strict: true, skipLibCheck: false, target: "es2022", lib: ["es2023"], types: [] };
  const config = join(app, `${compiler}-${files[0]}-${Object.values(options).join("-")}.json`);
  writeFileSync(config, JSON.stringify({ compilerOptions: { ...common, ...options }, files }));
  const args = [join(modules, compiler, "bin", "tsc"), "-p", config];
  return new Promise((resolve) =>
    execFile(process.execPath, args, (error, stdout, stderr) => resolve(`${stdout}${stderr}${error?.code ?? ""}`)),
  );
}

describe.each(Object.entries(compilers))("%s", (compiler, version) => {
  it(`is ${version}x`, () => {
    const { version: found } = JSON.parse(readFileSync(join(modules, compiler, "package.json"), "utf8"));
    expect(found.startsWith(version), found).toBe(true);
  });

  it.each(settings)("needs no library: $module, $moduleResolution", async (options) => {
    expect(await compile(compiler, ["consumer.ts"], options)).toBe("");
  });

  it("takes what pages have", async () => {
    const options = { ...settings[2], lib: ["es2023", "dom"] };
    expect(await compile(compiler, ["page.ts", "platforms.ts"], options)).toBe("");
  });
});

it.each(Object.keys(compilers).slice(1))("%s takes what Node has", async (compiler) => {
  expect(await compile(compiler, ["platforms.ts"], { ...settings[1], types: ["node"] })).toBe("");
});

it("a wrong program is found out", async () => {
  writeFileSync(join(app, "wrong.ts"), 'import { createEngine } from "rank1";\ncreateEngine({ threads: "two" });\n');
  expect(await compile("typescript-5.0", ["wrong.ts"], settings[1]!)).toContain("Type 'string' is not assignable");
});
