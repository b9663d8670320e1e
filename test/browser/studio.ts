// The studio as a browser gets it: built once for a file of tests, served with the headers under test, one page for each visit.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createEngine, type Filter, type FilterOptions } from "../../src/index.ts";
import { findings } from "./axe.ts";
import { launchBrowser, needBrowser } from "./chromium.ts";
import { isolation, serve } from "./site.ts";

export const folder = mkdtempSync(join(tmpdir(), "rank1-studio-"));

beforeAll(async () => {
  const root = join(import.meta.dirname, "..", "..", "web");
  // Under a test's own mode the bundler would keep what is for development
  process.env.NODE_ENV = "production";
  await build({ root, configFile: join(root, "vite.config.ts"), logLevel: "error", build: { outDir: folder, reportCompressedSize: false } }); // biome-ignore format: one call
}, 120_000);

let browser: Promise<Browser> | undefined;
const sites = new Map<string, Promise<string>>();

afterAll(async () => {
  await (await browser)?.close();
  rmSync(folder, { recursive: true, force: true });
});

declare global {
  /** The calls that the page waits for, and when the last of them began or ended. */
  var calls: { open: Set<number>; since: number };
}

/** Runs in the page before its scripts: keeps an account of what the worker is asked. */
function countCalls(): void {
  globalThis.calls = { open: new Set(), since: 0 };
  globalThis.Worker = class extends Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener("message", ({ data }) => {
        if (!("progress" in data)) calls.open.delete(data.id);
        calls.since = performance.now();
      });
    }
    private readonly own = new Set<number>();
    override terminate(): void {
      for (const id of this.own) calls.open.delete(id);
      super.terminate();
    }
    override postMessage(message: { id?: number }, rest?: object): void {
      if (message.id !== undefined) calls.open.add(message.id);
      if (message.id !== undefined) this.own.add(message.id);
      calls.since = performance.now();
      super.postMessage(message, rest as Transferable[]);
    }
  };
}

export interface Setting extends BrowserContextOptions {
  headers?: Record<string, string>;
}

export interface Visit {
  page: Page;
  /** Errors that nobody caught, and those on the console. */
  errors: string[];
}

async function visit(
  hash: string,
  { headers = isolation, ...options }: Setting,
): Promise<Visit & { context: BrowserContext }> {
  browser ??= launchBrowser();
  const key = JSON.stringify(headers);
  const site = sites.get(key) ?? serve(folder, headers);
  sites.set(key, site);
  const context = await (await browser).newContext({ viewport: { width: 1280, height: 900 }, ...options });
  await context.addInitScript(countCalls);
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") errors.push(message.text());
  });
  await page.goto(`${await site}${hash}`);
  return { page, errors, context };
}

/** A test with `visit`, which opens the studio at a hash (the filter view unless said); its pages close with the test, and none may have had an error. */
export const studioTest = test.extend<{ visit: (hash?: string, setting?: Setting) => Promise<Page> }>({
  visit: async ({ skip }, use) => {
    needBrowser(skip);
    const visits: Awaited<ReturnType<typeof visit>>[] = [];
    await use(async (hash = "#v=1&tab=filter", setting = {}) => {
      const one = await visit(hash, setting);
      visits.push(one);
      return one.page;
    });
    const errors = visits.flatMap((one) => one.errors);
    for (const { context } of visits) await context.close();
    expect(errors).toEqual([]);
  },
});

/** Waits until the picture view has a result. */
export async function painted(page: Page): Promise<void> {
  await page.waitForSelector("canvas.result:not(.waiting)");
}

/** Waits until the worker has had nothing to do for a while, and what it painted is on the page. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => calls.open.size === 0 && performance.now() - calls.since > 400);
}

export interface Pixels {
  width: number;
  height: number;
  data: Uint8ClampedArray;
}

/** Runs in a page: what a canvas shows, in base 64. Workers paint some of them, so that their pixels are read from a copy. */
export function canvasText(selector: string): { width: number; height: number; text: string } {
  const canvas = document.querySelector(selector) as HTMLCanvasElement;
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d")!;
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  let text = "";
  for (let i = 0; i < data.length; i += 8192) text += String.fromCharCode(...data.subarray(i, i + 8192));
  return { width, height, text: btoa(text) };
}

export const pixelsIn = ({ width, height, text }: ReturnType<typeof canvasText>): Pixels => ({
  ...{ width, height, data: new Uint8ClampedArray(Buffer.from(text, "base64")) },
});

export const pixelsOf = async (page: Page, selector: string): Promise<Pixels> =>
  pixelsIn(await page.evaluate(canvasText, selector));

/** Of a framed picture the inside. */
function inside({ width, height, data }: Pixels, inner: { width: number; height: number }): Uint8Array {
  const [left, top] = [(width - inner.width) / 2, (height - inner.height) / 2];
  const out = new Uint8Array(4 * inner.width * inner.height);
  for (let y = 0; y < inner.height; y++) {
    const start = 4 * ((y + top) * width + left);
    out.set(data.subarray(start, start + 4 * inner.width), 4 * y * inner.width);
  }
  return out;
}

const engine = createEngine({ threads: 1 });

/** Expects what Node makes of the inside of a framed picture, up to `off` grey levels. */
export async function expectFiltered(
  result: Pixels,
  framed: Pixels,
  filter: Filter,
  options: FilterOptions,
  off = 0,
): Promise<void> {
  const { width, height } = result;
  const image = { width, height, channels: 4, data: inside(framed, result) } as const;
  const { data } = await (await engine).filter(image, filter, { alpha: "keep", ...options });
  expect(width * height).toBe(768 * 512);
  let worst = 0;
  for (let i = 0; i < data.length; i++) worst = Math.max(worst, Math.abs(result.data[i]! - data[i]!));
  expect(worst).toBeLessThanOrEqual(off);
}

/** What axe finds on a page that is serious: rules, each with where and why. */
export async function seriousFindings(page: Page): Promise<string[][]> {
  const serious = (await findings(page)).filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ says }) => says);
}
