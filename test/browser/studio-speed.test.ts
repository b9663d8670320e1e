// What the studio weighs, how fast a slider paints, and that sweeping it leaves nothing behind.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { expect } from "vitest";
import { folder, painted, settled, studioTest } from "./studio.ts";

declare global {
  /** Milliseconds of the page's tasks of 50 or more, and what its progress bar has shown. */
  var tasks: { long: number[]; progress: number[] };
}

const [firstBudget, budget, budgetWithModels] = [110_000, 184_000, 381_000];

studioTest(
  "loads at most 110 kB, gzipped, at first, 184 kB with its engine, and nothing from elsewhere",
  async ({ visit }) => {
    const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((path) =>
      /\.(js|css|html)$/.test(path),
    );
    const sizes = new Map(files.map((path) => [path, gzipSync(readFileSync(join(folder, path)), { level: 9 }).length]));
    const page = await visit("");
    const loaded = new Set(["index.html"]);
    page.context().on("request", (request) => loaded.add(new URL(request.url()).pathname.slice(1)));
    await page.reload({ waitUntil: "networkidle" });
    const first = [...loaded];
    await page.getByRole("tab", { name: "Picture" }).click();
    await painted(page);
    const sum = (paths: Iterable<string>): number =>
      [...paths].reduce((total, path) => total + (sizes.get(path) ?? 0), 0);
    // What reads, runs and separates models comes when a model is opened.
    console.log(
      `studio: ${sum(first)} bytes gzipped at first, ${sum(loaded)} with the engine, ${sum(files)} with models: ${JSON.stringify([...sizes])}`,
    );
    expect(sum(loaded)).toBeGreaterThan(80_000);
    expect(sum(first)).toBeLessThanOrEqual(firstBudget);
    expect(sum(loaded)).toBeLessThanOrEqual(budget);
    expect(sum(files)).toBeLessThanOrEqual(budgetWithModels);
    const html = readFileSync(join(folder, "index.html"), "utf8");
    expect(html).not.toMatch(/(src|href)="(\/|https?:)/);
    expect(html).not.toMatch(/<script(?![^>]*src=)|<style/);
  },
);

/** A picture of a megapixel, as a file; the page makes RGBA of it. */
const megapixel = sharp({ create: { width: 1024, height: 1024, channels: 3, background: "#446", noise: { type: "gaussian", mean: 128, sigma: 40 } } }).png({ compressionLevel: 1 }).toBuffer(); // biome-ignore format: one chain

interface Paint {
  /** When the worker had drawn the result, in milliseconds of the clock. */
  drawn: number;
  /** When the frame began that shows it. */
  shown: number;
}

/** Has the workers of a page tell of each result that they paint. */
async function watchPaints(page: Page): Promise<void> {
  const watch = (): void => {
    const channel = new BroadcastChannel("paints");
    const now = (): number => performance.timeOrigin + performance.now();
    const { prototype } = OffscreenCanvasRenderingContext2D;
    const put = prototype.putImageData;
    prototype.putImageData = function (this: OffscreenCanvasRenderingContext2D, ...args: unknown[]) {
      Reflect.apply(put, this, args);
      const drawn = now();
      requestAnimationFrame(() => channel.postMessage({ drawn, shown: now() } satisfies Paint));
    };
  };
  for (const worker of page.workers()) await worker.evaluate(watch);
}

/** Moves a slider to each value; the milliseconds from each input to its paint, and the page's longest task of 50 ms or more. */
async function sweep(
  page: Page,
  label: string,
  values: readonly number[],
): Promise<{ paints: Paint[]; longest: number }> {
  return page.getByLabel(label, { exact: true }).evaluate(async (slider: HTMLInputElement, values) => {
    const channel = new BroadcastChannel("paints");
    let longest = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
    });
    observer.observe({ type: "longtask" });
    const paints: Paint[] = [];
    for (const value of values) {
      // People move at any moment of a frame
      await new Promise(requestAnimationFrame);
      await new Promise((resolve) => setTimeout(resolve, 16 * Math.random()));
      const begin = performance.timeOrigin + performance.now();
      const painted = new Promise<Paint>((resolve) => {
        channel.onmessage = ({ data }) => data.drawn > begin && resolve(data);
      });
      slider.value = String(value);
      slider.dispatchEvent(new Event("input", { bubbles: true }));
      const { drawn, shown } = await painted;
      paints.push({ drawn: drawn - begin, shown: shown - begin });
    }
    await new Promise(requestAnimationFrame);
    observer.disconnect();
    channel.close();
    return { paints, longest };
  }, values);
}

const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))]!;

/** Puts a picture of one megapixel in the place of the bundled one, and watches how it is painted. */
async function openMegapixel(page: Page): Promise<void> {
  await painted(page);
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "mega.png", mimeType: "image/png", buffer: await megapixel });
  await page.getByText(/^mega\.png, 1,024 × 1,024/).waitFor();
  await watchPaints(page);
}

/** Milliseconds from a slider's input until its result is painted: the goal, and what a busy machine may take. */
const [paintGoal, paintLimit] = [16, 40];

studioTest("a slider paints a megapixel in the time of a frame", async ({ visit }) => {
  const page = await visit("#v=1&tab=picture&filter=box:size=3");
  await openMegapixel(page);
  const values = Array.from({ length: 15 }, (_, i) => 3 + i);
  await sweep(page, "size", values);
  await sweep(page, "size", values);
  const said = (times: number[]): string => `median ${quantile(times, 0.5).toFixed(1)} ms, 95th percentile ${quantile(times, 0.95).toFixed(1)} ms`; // biome-ignore format: one line
  let best = Infinity;
  // Other programs may steal time from some rounds, but not from all
  for (let round = 0; round < 12 && best > paintGoal; round++) {
    const { paints, longest } = await sweep(page, "size", [...values, ...values]);
    const [drawn, shown] = [paints.map((paint) => paint.drawn), paints.map((paint) => paint.shown)];
    best = Math.min(best, quantile(drawn, 0.5));
    console.log(`slider to paint, 1 megapixel RGBA: ${said(drawn)}; to the frame that shows it: ${said(shown)}; longest task ${longest.toFixed(0)} ms`); // biome-ignore format: one line
  }
  expect(best).toBeLessThan(paintLimit);
});

studioTest("no task blocks the page while the rank of a megapixel's filter moves", async ({ visit }) => {
  const page = await visit("#v=1&tab=picture&filter=disk:radius=6");
  await openMegapixel(page);
  const ranks = [5, 4, 3, 2, 1, 2, 3, 4, 5, 6];
  // Other programs may steal time from some rounds, but not from all
  await expect.poll(async () => {
    const { longest, paints } = await sweep(page, "Terms that are kept", ranks);
    expect(paints).toHaveLength(ranks.length);
    return longest;
  }).toBe(0); // biome-ignore format: one condition
});

studioTest("100 sweeps of a slider leave the heap flat", async ({ visit }) => {
  const page = await visit("#v=1&tab=picture&filter=box:size=3");
  await painted(page);
  const session = await page.context().newCDPSession(page);
  const heap = async (): Promise<number> => {
    await session.send("HeapProfiler.collectGarbage");
    return (await session.send("Runtime.getHeapUsage")).usedSize;
  };
  await watchPaints(page);
  const small = [4, 9];
  for (let i = 0; i < 10; i++) await sweep(page, "size", small);
  const before = await heap();
  for (let i = 0; i < 100; i++) await sweep(page, "size", small);
  const growth = (await heap()) - before;
  console.log(`heap after 100 sweeps: ${(growth / 1024).toFixed(0)} KiB more`);
  expect(growth).toBeLessThan(1 << 20);
});

studioTest("12 megapixels are filtered with progress, and no task blocks the page", async ({ visit }) => {
  const page = await visit("#v=1&tab=picture&filter=box:size=3");
  await painted(page);
  await page.evaluate(() => {
    globalThis.tasks = { long: [], progress: [] };
    new PerformanceObserver((list) => tasks.long.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: "longtask" }); // biome-ignore format: one line
    new MutationObserver(() => {
      const bar = document.querySelector("progress");
      if (bar) tasks.progress.push(bar.value);
    }).observe(document.querySelector(".stage")!, { subtree: true, childList: true, attributes: true });
  });
  const buffer = await sharp({ create: { width: 4000, height: 3000, channels: 3, background: "#364" } }).png().toBuffer(); // biome-ignore format: one chain
  const slider = page.getByLabel("size", { exact: true });
  let round = 0;
  // Other programs may steal time from some rounds, but not from all
  await expect.poll(async () => {
    await page.evaluate(() => Object.assign(tasks, { long: [], progress: [] }));
    const name = `large-${++round}.png`;
    await page.locator("input[type=file]").setInputFiles({ name, mimeType: "image/png", buffer });
    await page.getByText(new RegExp(`^${name}, 4,000 × 3,000`)).waitFor();
    await slider.fill(String(3 + round));
    await settled(page);
    expect(await page.locator("canvas.result").evaluate((canvas: HTMLCanvasElement) => canvas.width)).toBe(4000);
    return page.evaluate(() => ({ long: tasks.long, reported: tasks.progress.length > 0 }));
  }).toEqual({ long: [], reported: true }); // biome-ignore format: one condition
});
