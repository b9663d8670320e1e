// The package as applications get it: installed beside them, bundled by Vite or esbuild without special settings, loaded in
// a browser; and required by CommonJS in Node.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BuildOptions, build } from "esbuild";
import type { InlineConfig } from "vite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildPackage } from "../../scripts/build.ts";
import { createEngine, type EngineInfo } from "../../src/index.ts";
import type * as faceOfModels from "../../src/onnx/index.ts";
import { attribute, model, node, value } from "../onnx/build.ts";
import { browserTest, type OpenPage } from "./chromium.ts";
import { documented, isolation, pageOf, serve } from "./site.ts";

declare global {
  /** What the application offers to `page.evaluate`, beside rank1. */
  var onnx: typeof faceOfModels;
}

const root = join(import.meta.dirname, "..", "..");
const app = mkdtempSync(join(tmpdir(), "rank1-app-"));
const installed = join(app, "node_modules", "rank1");

beforeAll(async () => {
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(root, "package.json"), join(installed, "package.json"));
  await buildPackage(join(installed, "dist"));
  writeFileSync(join(app, "package.json"), '{ "type": "module" }');
  writeFileSync(
    join(app, "main.js"),
    'import { createEngine } from "rank1";\nimport * as onnx from "rank1/onnx";\nObject.assign(globalThis, { rank1: { createEngine }, onnx });\n',
  );
  writeFileSync(join(app, "index.html"), pageOf("/main.js"));
}, 120_000);
afterAll(() => rmSync(app, { recursive: true, force: true }));

const expected = createEngine({ backend: "reference" }).then((engine) => engine.filter(picture(), "box:7"));

function picture() {
  const data = new Uint8Array(120_000).map((_, i) => (i * i) >> 3);
  return { width: 400, height: 300, channels: 1, data };
}

/** Runs calls that want two threads in the page, until workers are given up or time is; checks the last result. */
async function tryOut({ page }: OpenPage, milliseconds: number, createWorker?: string): Promise<EngineInfo> {
  const argument = { ...picture(), data: Array.from(picture().data), milliseconds, createWorker };
  const { data, info } = await page.evaluate(async ({ milliseconds, createWorker, ...picture }) => {
    const make = createWorker === undefined ? undefined : () => new Worker(createWorker, { type: "module" });
    const engine = await rank1.createEngine({ threads: 2, createWorker: make });
    const image = { ...picture, data: Uint8Array.from(picture.data) };
    const end = performance.now() + milliseconds;
    while (engine.info().threads === 2 && performance.now() < end) await engine.filter(image, "box:7");
    return { data: Array.from((await engine.filter(image, "box:7")).data), info: engine.info() };
  }, argument);
  expect(data).toEqual(Array.from((await expected).data));
  return info;
}

/** The page runs a model of an operator that is loaded when a model names it. */
async function expectModel({ page }: OpenPage): Promise<void> {
  const blocksize = attribute("blocksize", { i: 2n, type: 2n });
  const nodes = [node("SpaceToDepth", ["x"], ["y"], { attribute: [blocksize] })];
  const bytes = model({ nodes, inputs: [value("x", [1, 1, 2, 2])], outputs: [{ name: "y" }] });
  const found = await page.evaluate(async (bytes) => {
    const loaded = await onnx.loadModel(Uint8Array.from(bytes));
    const { y } = await loaded.run({ x: { shape: [1, 1, 2, 2], data: Float32Array.of(1, 2, 3, 4) } });
    loaded.dispose();
    return { shape: [...y!.shape], data: Array.from(y!.data, Number) };
  }, Array.from(bytes));
  expect(found).toEqual({ shape: [1, 4, 1, 1], data: [1, 2, 3, 4] });
}

/** The page's worker runs rank1's script, and models load what they need. */
async function expectThreads(opened: OpenPage, createWorker?: string): Promise<void> {
  const info = await tryOut(opened, 200, createWorker);
  expect(info).toMatchObject({ backend: "wasm", threads: 2, reason: "WebAssembly SIMD is available" });
  const handlers = () => Promise.all(opened.page.workers().map((worker) => worker.evaluate(() => typeof onmessage)));
  await expect.poll(handlers, { timeout: 10_000 }).toEqual(["function"]);
  expect(opened.warnings).toEqual([]);
  await expectModel(opened);
}

/** The page's engine does without workers, and says why, once. */
async function expectOneThread(opened: OpenPage, reason: RegExp): Promise<void> {
  const info = await tryOut(opened, 10_000);
  expect(info).toMatchObject({ backend: "wasm", threads: 1, reason: expect.stringMatching(reason) });
  expect(opened.warnings).toEqual([expect.stringMatching(reason)]);
  // They end a moment after they are given up.
  await expect.poll(() => opened.page.workers(), { timeout: 10_000 }).toEqual([]);
}

async function bundle(options: BuildOptions): Promise<Record<string, Uint8Array | string>> {
  const common: BuildOptions = { bundle: true, write: false, outdir: app, absWorkingDir: app, logLevel: "silent" };
  const { outputFiles } = await build({ entryPoints: ["main.js"], ...common, ...options });
  const type = options.format === "esm" ? "module" : "text/javascript";
  const files = outputFiles!.map(({ path, contents }) => [path.slice(app.length), contents] as const);
  return { "/index.html": pageOf("/main.js", type), ...Object.fromEntries(files) };
}

describe("Vite with the documented headers", () => {
  const server = { port: 0, host: "127.0.0.1" };
  const options: InlineConfig = { root: app, logLevel: "warn", server, preview: server };
  beforeAll(() => writeFileSync(join(app, "vite.config.js"), documented("`vite.config.js`")));

  browserTest("builds an application with threads", async ({ open }) => {
    const { build, preview } = await import("vite");
    await build(options);
    expect(readdirSync(join(app, "dist", "assets"))).toContainEqual(expect.stringMatching(/^worker.*\.js$/));
    const served = await preview(options);
    await expectThreads(await open(served.resolvedUrls!.local[0]!)).finally(() => served.close());
  });

  browserTest("serves an application with threads while it is developed", async ({ open }) => {
    const { createServer } = await import("vite");
    const served = await (await createServer(options)).listen();
    await expectThreads(await open(served.resolvedUrls!.local[0]!)).finally(() => served.close());
  });
});

it("nginx is told to send the same headers", () => {
  const lines = [...documented("nginx").matchAll(/^add_header (\S+) (\S+) always;$/gm)];
  expect(Object.fromEntries(lines.map(([, name, value]) => [name, value]))).toEqual(isolation);
});

const worker = "node_modules/rank1/dist/wasm/worker.js";
const missing = /a worker could not be started \(its script could not be loaded\)/;

describe("esbuild", () => {
  browserTest("bundles a module with threads, where the worker's script lies beside it", async ({ open }) => {
    const files = await bundle({ format: "esm", entryPoints: { main: "main.js", worker } });
    await expectThreads(await open(await serve(files, isolation)));
  });

  browserTest("splits a module, so that rare operators load when a model names one", async ({ open }) => {
    const files = await bundle({ format: "esm", splitting: true, entryPoints: { main: "main.js", worker } });
    expect(Object.keys(files)).toContainEqual(expect.stringMatching(/^\/rarest-.*\.js$/));
    await expectThreads(await open(await serve(files, isolation)));
  });

  browserTest("bundles a module with one thread, where the worker's script is missing", async ({ open }) => {
    const files = await bundle({ format: "esm" });
    await expectOneThread(await open(await serve(files, isolation)), missing);
  });

  browserTest("bundles a classic script with one thread, or with createWorker", async ({ open }) => {
    const files = await bundle({ format: "iife", entryPoints: { main: "main.js", "elsewhere/thread": worker } });
    const opened = await open(await serve(files, isolation));
    await expectOneThread(opened, /a worker could not be started \(.*URL/);
    opened.warnings.length = 0;
    await expectThreads(opened, "/elsewhere/thread.js");
  });
});

describe("a page whose workers do not start runs with one thread", () => {
  browserTest.for<[string, Record<string, string>]>([
    ["where its policy forbids workers", { "content-security-policy": "worker-src 'none'" }],
    ["where the server answers with a page instead", {}],
  ])("%s", async ([_, headers], { open }) => {
    const files = await bundle({ format: "esm" });
    const html = { ...files, "/worker.js": files["/index.html"]! };
    await expectOneThread(await open(await serve(html, { ...isolation, ...headers })), /a worker could not be started/);
  });
});

it("CommonJS requires the package", () => {
  const code = 'console.log(Object.keys({ ...require("rank1"), ...require("rank1/onnx") }).sort().join())';
  const printed = execFileSync(process.execPath, ["--input-type=commonjs", "-e", code], { cwd: app, encoding: "utf8" });
  expect(printed).toMatch(/createEngine.*loadModel/);
});
