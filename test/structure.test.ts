// The house rules that no compiler checks: which folder may import which, no circles, what the entry point reaches, and
// the length of files; of src/, and of demo/ beside it, which the command line shows. The checker works on texts by path, so that made-up sources can show that it fails.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

type Sources = ReadonlyMap<string, string>;

interface Import {
  /** A path from src/ (or one that begins with demo/), or the name of a package or of a module of Node. */
  target: string;
  external: boolean;
  typeOnly: boolean;
}

/** What layers above a backend may import of it. */
const seam = ["backend/backend.ts", "backend/choose.ts", "backend/slices.ts", "backend/alpha.ts"];
/** What each part may import besides itself: parts, single files, modules, "npm" (all of them and Node's own). */
const arrows: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  words: [],
  tensor: ["errors", "words"],
  factor: ["errors", "words", "tensor"],
  plan: ["errors", "words", "tensor", "factor"],
  codegen: ["errors"],
  kernels: ["errors", "words", "tensor", "factor", "plan", "codegen"],
  backend: ["errors", "words", "tensor", "plan", "kernels", "codegen"],
  engine: ["errors", "words", "tensor", "factor", "plan", "kernels", ...seam],
  index: ["errors", "words", "tensor", "factor", "plan", "kernels", "backend/backend.ts", "engine"],
  graph: ["errors", "words", "tensor", "factor", "plan", "kernels", "backend/backend.ts", "engine"],
  onnx: ["errors", "words", "tensor", "factor", "plan", "kernels", "engine", "graph", "@bufbuild/protobuf/wire"],
  "onnx/index.ts": ["errors", "words", "tensor", "factor", "graph", "onnx", "separate"],
  separate: ["errors", "words", "tensor", "factor", "plan", "kernels", ...seam, "engine", "graph", "onnx"],
  ahead: ["errors", "words", "tensor", "factor", "plan", ...seam, "backend/wasm/code.ts", "engine", "graph", "onnx"],
  node: ["errors", "words", "tensor", "index", "plan/taps.ts", "npm"],
  // How numbers, pages and factors look is the command line's; what the demo says in them is the demo's.
  demo: ["words", "index", "onnx/index.ts", "node", "cli/text.ts", "cli/html.ts", "cli/draw.ts", "npm"],
  cli: [
    ...[
      "errors",
      "words",
      "index",
      "onnx/index.ts",
      "ahead/index.ts",
      "backend/wasm/peaks.ts",
      "backend/wasm/kernel-times.ts",
    ],
    ...["demo", "node", "npm"],
  ],
  batch: ["cli"],
};

const longest = 400;

/** "kernels/taps/wasm.ts" belongs to "kernels", "engine.ts" to "engine". */
const partOf = (path: string): string => path.split("/")[0]!.replace(/\.(ts|js)$/, "");

/** Comments may quote imports. The character before // keeps addresses of the web whole. */
const withoutComments = (text: string): string =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`\\])\/\/.*$/gm, "$1");

const statements = /^\s*(?:import|export)\s+(type\s)?(?:[\w$\s{},*]*?\sfrom\s*)?["']([^"']+)["'];?/gm;
const dynamic = /\bimport\(\s*(?:["']([^"']+)["'])?/g;

function importsOf(path: string, text: string): Import[] {
  const code = withoutComments(text);
  const named = (target = "(not a literal)", typeOnly = false): Import => {
    const external = !target.startsWith(".");
    return { target: external ? target : fromSource(join(dirname(path), target)), external, typeOnly };
  };
  return [
    ...[...code.matchAll(statements)].map(([, type, target]) => named(target, type !== undefined)),
    ...[...code.matchAll(dynamic)].map(([, target]) => named(target)),
  ];
}

/** demo/ lies beside src/: paths from one to the other lead through the folder above both. */
const fromSource = (path: string): string => path.replace(/^\.\.\/demo\//, "demo/").replace(/^src\//, "");

/** Every broken rule, as a sentence. */
function violations(sources: Sources): string[] {
  const graph = new Map([...sources].map(([path, text]) => [path, importsOf(path, text)]));
  return [...graph]
    .flatMap(([path, imports]) => imports.flatMap((one) => wrongArrow(path, one, sources)))
    .concat(circles(graph), reachedBy("index.ts", graph), shapes(sources));
}

function wrongArrow(path: string, { target, external }: Import, sources: Sources): string[] {
  const part = partOf(path);
  const allowed = arrows[path] ?? arrows[part];
  if (!allowed) return [`${path}: no rule says what ${part} may import`];
  if (external) {
    const fine = allowed.includes("npm") || allowed.includes(target);
    return fine ? [] : [`${path} imports ${target}: ${part} imports no such package`];
  }
  if (!sources.has(target)) return [`${path} imports ${target}, which does not exist`];
  if (/^kernels\/(case|\w[\w-]*\/cases)\.ts$/.test(target) && !path.endsWith("/cases.ts"))
    return [`${path} imports ${target}: test shapes are found by tests alone`];
  const fine = partOf(target) === part || allowed.includes(partOf(target)) || allowed.includes(target);
  return fine ? [] : [`${path} imports ${target}: ${part} may import ${allowed.join(", ") || "nothing"}`];
}

/** Circles of imports, of types too. */
function circles(graph: ReadonlyMap<string, Import[]>): string[] {
  const found: string[] = [];
  const finished = new Set<string>();
  const visit = (path: string, trail: string[]): void => {
    if (trail.includes(path)) {
      found.push(`circle: ${[...trail.slice(trail.indexOf(path)), path].join(" -> ")}`);
      return;
    }
    if (finished.has(path)) return;
    for (const { target, external } of graph.get(path) ?? []) {
      if (!external) visit(target, [...trail, path]);
    }
    finished.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** The entry point serves browsers: no package, nothing of Node, also not for types alone. */
function reachedBy(entry: string, graph: ReadonlyMap<string, Import[]>): string[] {
  const reached = new Set([entry]);
  for (const path of reached) {
    for (const { target, external } of graph.get(path) ?? []) if (!external) reached.add(target);
  }
  return [...reached].flatMap((path) => {
    if (partOf(path) === "node") return [`${entry} reaches ${path}`];
    const outside = (graph.get(path) ?? []).filter(({ external }) => external);
    return outside.map(({ target }) => `${entry} reaches ${target} through ${path}`);
  });
}

function tooLong(sources: Sources): string[] {
  return [...sources].flatMap(([path, text]) => {
    const lines = text.trimEnd().split("\n").length;
    return lines > longest ? [`${path} has ${lines} lines, more than ${longest}`] : [];
  });
}

function shapes(sources: Sources): string[] {
  const busy = ["index.ts", "onnx/index.ts", "ahead/index.ts", "node/index.ts", "batch/index.ts"].flatMap((entry) => {
    const rest = withoutComments(sources.get(entry) ?? "")
      .replaceAll(/^export (?:type )?(?:\*|\{[^}]*\}) from "[^"]+";/gm, "")
      .trim();
    return rest ? [`${entry} does more than export: ${rest.split("\n")[0]}`] : [];
  });
  return [...tooLong(sources), ...busy];
}

describe("the checker", () => {
  const check = (files: Record<string, string>): string[] => violations(new Map(Object.entries(files)));
  const base = { "errors.ts": "", "tensor.ts": "", "engine.ts": "", "node/files.ts": "", "backend/pool.ts": "" };

  it.each<[string, Record<string, string>, string | undefined]>([
    ["a right arrow", { "engine.ts": 'import { a } from "./tensor.ts";' }, undefined],
    ["a wrong arrow", { "tensor.ts": 'import { a } from "./engine.ts";' }, "tensor.ts imports engine.ts"],
    ["a wrong arrow of types", { "tensor.ts": 'import type { A } from "./engine.ts";' }, "tensor.ts imports engine.ts"],
    ["a wrong arrow over lines", { "tensor.ts": 'import {\n  a,\n  b,\n} from "./engine.ts";' }, "imports engine.ts"],
    ["a wrong arrow by export", { "tensor.ts": 'export * from "./engine.ts";' }, "imports engine.ts"],
    ["a wrong arrow for effect", { "tensor.ts": 'import "./engine.ts";' }, "imports engine.ts"],
    ["a wrong arrow at run time", { "tensor.ts": 'const a = await import("./engine.ts");' }, "imports engine.ts"],
    ["an import in a comment", { "tensor.ts": '/*\nimport "./engine.ts"\n*/\n// import("sharp")' }, undefined],
    [
      "an address in a text",
      { "tensor.ts": 'const a = "https://a"; await import("./engine.ts");' },
      "imports engine.ts",
    ],
    [
      "kernels and the assembler",
      { "kernels/a.ts": 'import "../codegen/assembler.ts";', "codegen/assembler.ts": "" },
      undefined,
    ],
    [
      "kernels and the pool",
      { "kernels/a.ts": 'import "../backend/pool.ts";' },
      "kernels/a.ts imports backend/pool.ts",
    ],
    [
      "engines and linear memory",
      { "engine/a.ts": 'import "../backend/wasm/memory.ts";', "backend/wasm/memory.ts": "" },
      "engine/a.ts imports backend/wasm/memory.ts",
    ],
    [
      "a kernel and its test shapes",
      { "kernels/taps/kernel.ts": 'import "./cases.ts";', "kernels/taps/cases.ts": "" },
      "kernels/taps/kernel.ts imports kernels/taps/cases.ts: test shapes are found by tests alone",
    ],
    [
      "test shapes and what they are made of",
      { "kernels/taps/cases.ts": 'import "../case.ts";', "kernels/case.ts": "" },
      undefined,
    ],
    ["the command line and a part", { "cli/main.ts": 'import "../engine.ts";' }, "cli/main.ts imports engine.ts"],
    ["the command line and a package", { "cli/main.ts": 'import { Command } from "commander";' }, undefined],
    ["the command line and the demo", { "cli/a.ts": 'import "../../demo/a.ts";', "demo/a.ts": "" }, undefined],
    ["the demo and the public face", { "demo/a.ts": 'import "../src/index.ts";', "index.ts": "" }, undefined],
    ["the demo and a part", { "demo/b/a.ts": 'import "../../src/engine.ts";' }, "demo/b/a.ts imports engine.ts"],
    ["a part and the demo", { "node/a.ts": 'import "../../demo/a.ts";', "demo/a.ts": "" }, "imports demo/a.ts"],
    ["models and their package", { "onnx/a.ts": 'import "@bufbuild/protobuf/wire";' }, undefined],
    ["models and another package", { "onnx/a.ts": 'import "@bufbuild/protobuf";' }, "imports @bufbuild/protobuf:"],
    ["a package in the core", { "tensor.ts": 'import sharp from "sharp";' }, "tensor.ts imports sharp"],
    [
      "a module of Node in the core",
      { "backend/pool.ts": 'import { a } from "node:os";' },
      "backend/pool.ts imports node:os",
    ],
    [
      "an import by a variable",
      { "backend/pool.ts": "await import(name);" },
      "backend/pool.ts imports (not a literal)",
    ],
    ["a missing file", { "engine.ts": 'import "./gone.ts";' }, "engine.ts imports gone.ts, which does not exist"],
    ["a new folder", { "new/a.ts": 'import "../errors.ts";' }, "no rule says what new may import"],
    [
      "a circle of three",
      {
        "backend/a.ts": 'import "./b.ts";',
        "backend/b.ts": 'import "./c.ts";',
        "backend/c.ts": 'export { a } from "./a.ts";',
      },
      "circle: backend/a.ts -> backend/b.ts -> backend/c.ts -> backend/a.ts",
    ],
    [
      "a circle of types",
      { "backend/a.ts": 'import "./b.ts";', "backend/b.ts": 'import type { A } from "./a.ts";' },
      "circle: backend/a.ts -> backend/b.ts -> backend/a.ts",
    ],
    ["a file that imports itself", { "backend/a.ts": 'import "./a.ts";' }, "circle: backend/a.ts -> backend/a.ts"],
    [
      "an entry that reaches Node",
      { "index.ts": 'export { a } from "./engine.ts";', "engine.ts": 'import type { A } from "./node/files.ts";' },
      "index.ts reaches node/files.ts",
    ],
    [
      "an entry that reaches a package",
      { "index.ts": 'export { a } from "./engine.ts";', "engine.ts": 'import "zod";' },
      "index.ts reaches zod through engine.ts",
    ],
    [
      "an entry of exports",
      { "index.ts": '// Exports.\nexport {\n  a,\n  type B,\n} from "./engine.ts";\n' },
      undefined,
    ],
    [
      "an entry with code",
      { "index.ts": "export const a = 1;" },
      "index.ts does more than export: export const a = 1;",
    ],
    ["models with code", { "onnx/index.ts": "export const a = 1;" }, "onnx/index.ts does more than export"],
    ["a file of 400 lines", { "engine.ts": "a;\n".repeat(400) }, undefined],
    ["a longer file", { "engine.ts": "a;\n".repeat(401) }, "engine.ts has 401 lines"],
  ])("judges %s", (_name, files, expected) => {
    const found = check({ ...base, ...files });
    if (expected === undefined) expect(found).toEqual([]);
    else expect(found.join("\n")).toContain(expected);
  });
});

/** What is written in a folder of the project; packages that are installed there are not. */
function read(folder: string): Sources {
  const root = fileURLToPath(new URL(`../${folder}/`, import.meta.url));
  const paths = globSync("**/*.{ts,tsx,js,py}", { cwd: root, exclude: (path) => path.includes("node_modules") });
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), "utf8")]));
}

describe("src/ and demo/", () => {
  const demo = [...read("demo")].map(([path, text]) => [`demo/${path}`, text] as const);
  const sources = new Map([...read("src"), ...demo]);
  const paths = [...sources.keys()];

  it("was read", () => {
    expect(paths).toEqual(
      expect.arrayContaining(["index.ts", "engine/engine.ts", "backend/wasm/worker.js", "demo/examples.ts"]),
    );
    const edges = paths.flatMap((path) => importsOf(path, sources.get(path)!));
    expect(edges.length).toBeGreaterThan(paths.length);
  });

  it("keeps every rule", () => expect(violations(sources)).toEqual([]));
});

describe("web/", () => {
  const sources = read("web/src");
  /** What pages of users have, too; everything else of the studio is its own, or comes with the bundled network. */
  const packages = ["rank1", "rank1/onnx", "preact", "preact/hooks", "@preact/signals"];
  // How counts are worded is the same everywhere.
  const bundled = ["../../demo/drawing/shapes/", "../../assets/", "../../src/words.ts"];

  it("imports rank1 by its public names only, and nothing else but its view library and the bundled network", () => {
    const imports = [...sources].flatMap(([path, text]) => importsOf(path, text).map((one) => ({ path, ...one })));
    expect(imports.length).toBeGreaterThan(sources.size);
    const wrong = imports.filter(({ external, target }) =>
      external
        ? !packages.includes(target)
        : !sources.has(target) && !bundled.some((folder) => target.startsWith(folder)),
    );
    expect(wrong.map(({ path, target }) => `${path} imports ${target}`)).toEqual([]);
  });

  it("has no circles", () => {
    expect(circles(new Map([...sources].map(([path, text]) => [path, importsOf(path, text)])))).toEqual([]);
  });
});

describe("packages/rank1-queue/", () => {
  const sources = read("packages/rank1-queue/src");

  it("imports rank1 by its public name, and else its own dependencies alone", () => {
    const imports = [...sources].flatMap(([path, text]) => importsOf(path, text).map((one) => ({ path, ...one })));
    const packages = ["rank1/batch", "bullmq", "commander"];
    const wrong = imports.filter(({ external, target }) =>
      external ? !packages.includes(target) && !target.startsWith("node:") : !sources.has(target),
    );
    expect(wrong.map(({ path, target }) => `${path} imports ${target}`)).toEqual([]);
  });

  it("is small: the queue is BullMQ's, the work rank1's", () => {
    const lines = [...sources.values()].reduce((sum, text) => sum + text.trimEnd().split("\n").length, 0);
    expect(lines).toBeLessThanOrEqual(500);
  });
});

it.each([
  ["web/src", "picture/stage.tsx"],
  ["test", "engine/layers.test.ts"],
  ["bench", "layers/rivals/list.ts"],
  ["packages", "rank1-queue/src/work.ts"],
  ["scripts", "build.ts"],
  ["training", "shapes/train.py"],
])("%s/ has no file that is too long", (folder, one) => {
  const sources = read(folder);
  expect(sources.has(one)).toBe(true);
  expect(tooLong(sources)).toEqual([]);
});
