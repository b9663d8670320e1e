// The packed package: what linters of packages say of it, and that what it names is in it.
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path/posix";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { beforeAll, describe, expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { temporaryFolder } from "../node/folder.ts";
import { install, type Packed, pack } from "./pack.ts";

const folder = temporaryFolder();
let packed: Packed;
let installed: string;
const textOf = (path: string): string => readFileSync(join(installed, path), "utf8");

beforeAll(async () => {
  packed = await pack(folder);
  installed = install(packed.tarball, join(folder, "app"));
}, 60_000);

it("publint has nothing to say", async () => {
  const { buffer, byteOffset, byteLength } = readFileSync(packed.tarball);
  const tarball = buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  expect(pkg.name).toBe("rank1");
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

it("types are right wherever ES modules are: attw knows no other problems", () => {
  const attw = join(import.meta.dirname, "../../node_modules/@arethetypeswrong/cli/dist/index.js");
  const { stdout, stderr } = spawnSync(process.execPath, [attw, packed.tarball, "--format", "json"], {
    encoding: "utf8",
  });
  expect(stderr).toBe("");
  const { analysis } = JSON.parse(stdout);
  expect(Object.keys(analysis.entrypoints)).toEqual([
    ".",
    "./onnx",
    "./compile",
    "./node",
    "./batch",
    "./package.json",
  ]);
  const found = analysis.problems.map((p: Record<string, string>) => `${p.kind} ${p.entrypoint} ${p.resolutionKind}`);
  expect(found.toSorted()).toEqual([
    // There are ES modules only. Node has required them since version 22; compilers as old as these rules do not know that.
    "CJSResolvesToESM . node16-cjs",
    "CJSResolvesToESM ./batch node16-cjs",
    "CJSResolvesToESM ./compile node16-cjs",
    "CJSResolvesToESM ./node node16-cjs",
    "CJSResolvesToESM ./onnx node16-cjs",
    // Compilers that know no "exports" find the main entry alone.
    "NoResolution ./batch node10",
    "NoResolution ./compile node10",
    "NoResolution ./node node10",
    "NoResolution ./onnx node10",
  ]);
});

describe("what is packed", () => {
  it("is all that package.json names, and no sources", () => {
    const { main, types, bin, sideEffects } = manifest;
    const named = [main, types, bin.rank1, ...sideEffects, ...Object.values(manifest.exports).flatMap(paths)];
    expect(packed.files).toEqual(expect.arrayContaining(named.map((path) => normalize(path))));
    expect(packed.files).toEqual(expect.arrayContaining(["README.md", "LICENSE", "SECURITY.md", "CHANGELOG.md"]));
    expect(packed.files.filter((path) => /^(src|test|web|scripts)\//.test(path))).toEqual([]);
  });

  it("asks for nothing that only work on rank1 needs, and brings its examples as programs", () => {
    const { scripts, devDependencies, dependencies } = JSON.parse(textOf("package.json"));
    expect([scripts, devDependencies]).toEqual([undefined, undefined]);
    expect(dependencies).toEqual(manifest.dependencies);
    const example = join(installed, "dist", "examples", "layers.js");
    const { status, stdout, stderr } = spawnSync(process.execPath, [example], { encoding: "utf8" });
    expect([status, stderr, stdout.split("\n")[0]]).toEqual([0, "", "[ 1, 8, 8, 256 ]"]);
  });

  it("holds what its documents link to", () => {
    const documents = packed.files.filter((path) => path.endsWith(".md"));
    const links = documents.flatMap((path) =>
      [...textOf(path).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g)].map(([, target]) => [path, target!] as const),
    );
    expect(links.length).toBeGreaterThan(20);
    const broken = links.filter(([path, target]) => {
      const inside = join(dirname(path), target);
      return !packed.files.some((file) => file === inside || file.startsWith(`${inside}/`));
    });
    expect(broken).toEqual([]);
  });

  it("imports nothing but Node's modules and its dependencies, those from the command line only", () => {
    const scripts = packed.files.filter((path) => /^dist\/(?!examples).*\.js$/.test(path));
    const names = scripts.flatMap((path) =>
      [...textOf(path).matchAll(/^(?:import|export) .*?"([^".][^"]*)";$|\bimport\("([^".][^"]*)"\)/gm)].map(
        ([, from, dynamic]) => (from ?? dynamic)!,
      ),
    );
    const packages = new Set(names.filter((name) => !name.startsWith("node:")));
    expect([...packages].toSorted()).toEqual(Object.keys(manifest.dependencies).toSorted());
  });

  it("runs without any other package", () => {
    const code =
      'console.log(typeof (await import("rank1")).createEngine, typeof (await import("rank1/onnx")).loadModel)';
    const run = { cwd: join(folder, "app"), encoding: "utf8" } as const;
    expect(execFileSync(process.execPath, ["--input-type=module", "-e", code], run)).toBe("function function\n");
  });

  it("has the licences of the code that is bundled", () => {
    const text = textOf("dist/THIRD-PARTY.txt");
    expect(text.match(/^@?[\w/-]+ \d+\.\d+\.\d+, .*$/gm)).toEqual([
      expect.stringMatching(/^@bufbuild\/protobuf [\d.]+, \(Apache-2\.0 AND BSD-3-Clause\)$/),
    ]);
    expect(text).toContain("Copyright 2008 Google Inc.  All rights reserved.\n\nRedistribution and use in source");
    expect(text).toContain("TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION");
  });
});

/** The files that a value of "exports" names. */
function paths(value: string | Record<string, string>): string[] {
  return typeof value === "string" ? [value] : Object.values(value);
}
