// Compiled filters in pages under a policy that lets WebAssembly alone be compiled, from files, and bundled by Vite and esbuild.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileFilter } from "../../src/ahead/index.ts";
import { createEngine } from "../../src/index.ts";
import { launchBrowser, launchWithExtension, needBrowser } from "./chromium.ts";
import { firefoxPath, launchFirefox, noFirefox } from "./firefox.ts";
import { pageOf, permission, serve } from "./site.ts";

const hosts = join(import.meta.dirname, "..", "hosts", "node_modules");
const [width, height] = [64, 48];
const data = Uint8Array.from({ length: width * height * 4 }, (_, i) => (i * i) >> 5);
const picture = { width, height, channels: 4, dtype: "u8" } as const;
const app = mkdtempSync(join(tmpdir(), "rank1-compiled-"));
afterAll(() => rmSync(app, { recursive: true, force: true }));

let files: Record<string, string | Uint8Array>;
let expected: number[];
const script = `import { load } from "./filter.js";
const run = await load();
const data = Uint8Array.from({ length: ${data.length} }, (_, i) => (i * i) >> 5);
globalThis.found = JSON.stringify(Array.from(run({ data, width: ${width}, height: ${height} }).data));
`;

beforeAll(async () => {
  // Of integers: browsers differ in whether multiply-adds are fused.
  const { files: compiled } = await compileFilter("gaussian:sigma=2", picture);
  for (const [name, content] of Object.entries(compiled)) writeFileSync(join(app, name), content);
  writeFileSync(join(app, "main.js"), script);
  writeFileSync(join(app, "index.html"), pageOf("/main.js"));
  files = { ...Object.fromEntries(Object.entries(compiled).map(([name, content]) => [`/${name}`, content])), "/main.js": script, "/index.html": pageOf("/main.js") }; // biome-ignore format: a line
  const engine = await createEngine({ threads: 1 });
  expected = Array.from((await engine.filter({ ...picture, data }, "gaussian:sigma=2")).data);
  engine.dispose();
});

declare global {
  /** The page's result, as one text. */
  var found: string | undefined;
}

async function expectInChromium(url: string): Promise<void> {
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(url);
    await page.waitForFunction(() => globalThis.found);
    expect(JSON.parse((await page.evaluate(() => globalThis.found))!)).toEqual(expected);
  } finally {
    await browser.close();
  }
}

describe("a compiled filter", () => {
  test("runs in Chromium under 'wasm-unsafe-eval', from files", async ({ skip }) => {
    needBrowser(skip);
    await expectInChromium(await serve(files, permission));
  });

  test("runs in Chromium, built by Vite", async ({ skip }) => {
    needBrowser(skip);
    const { build, preview } = await import("vite");
    const options = { root: app, logLevel: "warn", preview: { port: 0, host: "127.0.0.1", headers: permission }, build: { target: "es2022" } } as const; // biome-ignore format: a line
    await build(options);
    const served = await preview(options);
    await expectInChromium(served.resolvedUrls!.local[0]!).finally(() => served.close());
  });

  test("runs in Chromium, bundled by esbuild with its code beside it", async ({ skip }) => {
    needBrowser(skip);
    const { outputFiles } = await build({
      entryPoints: [join(app, "main.js")],
      bundle: true,
      write: false,
      format: "esm",
    });
    await expectInChromium(
      await serve({ ...files, "/main.js": outputFiles[0]!.contents, "/filter.js": "" }, permission),
    );
  });

  test("runs in Chromium, built by webpack", async ({ skip }) => {
    needBrowser(skip);
    const path = join(hosts, "webpack", "lib", "index.js");
    skip(!existsSync(path), "test/hosts is not installed");
    const { default: webpack } = await import(path);
    const output = { path: join(app, "packed"), filename: "main.js", module: true, publicPath: "/" };
    const options = {
      mode: "production",
      context: app,
      entry: "./main.js",
      output,
      experiments: { outputModule: true },
    };
    const stats = await promisify(webpack)(options);
    expect(stats.hasErrors(), stats.toString()).toBe(false);
    const packed = readdirSync(output.path).map((name) => [`/${name}`, readFileSync(join(output.path, name))] as const);
    await expectInChromium(
      await serve({ ...Object.fromEntries(packed), "/index.html": pageOf("/main.js") }, permission),
    );
  });

  test("runs in a page of a Chrome extension (manifest 3)", { timeout: 60_000 }, async ({ skip }) => {
    needBrowser(skip);
    const policy = { extension_pages: "script-src 'self' 'wasm-unsafe-eval'" };
    const manifest = { manifest_version: 3, name: "rank1", version: "1", content_security_policy: policy, background: { service_worker: "worker.js" } }; // biome-ignore format: a line
    const folder = mkdtempSync(join(tmpdir(), "rank1-extension-"));
    for (const [name, content] of Object.entries({ ...files, "/manifest.json": JSON.stringify(manifest), "/worker.js": "" })) writeFileSync(join(folder, name), content); // biome-ignore format: a line
    const context = await launchWithExtension(folder, join(folder, "profile"));
    try {
      const worker = context.serviceWorkers()[0] ?? (await context.waitForEvent("serviceworker"));
      const page = await context.newPage();
      await page.goto(new URL("/index.html", worker.url()).href);
      await page.waitForFunction(() => globalThis.found);
      expect(JSON.parse((await page.evaluate(() => globalThis.found))!)).toEqual(expected);
    } finally {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test("runs in Firefox under 'wasm-unsafe-eval'", { timeout: 120_000 }, async ({ skip }) => {
    skip(firefoxPath === undefined, noFirefox);
    const browser = await launchFirefox();
    try {
      await browser.open(await serve(files, permission));
      const found = () => globalThis.found;
      await expect.poll(() => browser.evaluate(found), { timeout: 60_000 }).toBeTruthy();
      expect(JSON.parse((await browser.evaluate(found))!)).toEqual(expected);
    } finally {
      await browser.close();
    }
  });
});
