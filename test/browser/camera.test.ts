// The example of a camera: frames of the browser's own test pattern come out filtered, by each filter that it offers.
import { readFileSync } from "node:fs";
import { build } from "esbuild";
import { afterAll, expect, test } from "vitest";
import { launchBrowser, needBrowser } from "./chromium.ts";
import { isolation, serve } from "./site.ts";

const example = readFileSync(new URL("../../examples/camera.html", import.meta.url), "utf8");
const [, script] = /<script type="module">([\s\S]*)<\/script>/.exec(example)!;

const started: { close(): Promise<void> }[] = [];
afterAll(() => Promise.all(started.map((browser) => browser.close())));

/** What a canvas shows: the sum of its colours, the largest step of green between neighbours, and whether it is opaque. */
interface Pixels {
  sum: number;
  step: number;
  opaque: boolean;
}

async function site(): Promise<string> {
  const rank1 = new URL("../../src/index.ts", import.meta.url).pathname;
  const contents = script!.replace('"rank1"', JSON.stringify(rank1));
  const options = { bundle: true, format: "esm", write: false, outdir: "/", splitting: true } as const;
  const { outputFiles } = await build({ ...options, stdin: { contents, resolveDir: import.meta.dirname } });
  const files = Object.fromEntries(outputFiles.map(({ path, contents }) => [path, contents]));
  const page = example.replace(/<script[\s\S]*<\/script>/, '<script type="module" src="/stdin.js"></script>');
  return serve({ "/index.html": page, ...files }, isolation);
}

test("a camera's frames are filtered and drawn", { timeout: 60_000 }, async ({ skip }) => {
  needBrowser(skip);
  const browser = await launchBrowser();
  started.push(browser);
  const context = await browser.newContext({ permissions: ["camera"] });
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", ({ message }) => errors.push(message));
  await page.goto(await site());
  const found: Pixels[] = [];
  for (const filter of ["identity", "gaussian:sigma=8", "sobel", "canny", "unsharp:amount=1,sigma=3"]) {
    await page.getByLabel("Filter").selectOption(filter);
    await page.getByRole("status").evaluate((line) => {
      line.textContent = "";
    });
    await page.getByText("ms a frame").waitFor();
    // The next frame is filtered by what was chosen, whatever was under way.
    await page.waitForTimeout(500);
    const pixels = await page.locator("canvas").evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      let [sum, step, opaque] = [0, 0, true];
      for (let i = 0; i < data.length; i += 4) {
        sum += data[i]! + data[i + 1]! + data[i + 2]!;
        opaque &&= data[i + 3] === 255;
        if (i % (4 * canvas.width) > 0) step = Math.max(step, Math.abs(data[i + 1]! - data[i - 3]!));
      }
      return { sum, step, opaque };
    });
    expect(pixels.opaque, filter).toBe(true);
    found.push(pixels);
  }
  const [plain, soft, edges, thin, sharp] = found as [Pixels, Pixels, Pixels, Pixels, Pixels];
  expect(plain.sum).toBeGreaterThan(0);
  expect(soft.sum / plain.sum).toBeCloseTo(1, 0);
  expect(soft.step).toBeLessThan(plain.step / 4);
  expect(edges.sum).toBeLessThan(plain.sum / 2);
  expect(thin.sum).toBeGreaterThan(0);
  expect(thin.sum).toBeLessThan(plain.sum / 2);
  expect(sharp.sum).toBeGreaterThan(plain.sum / 2);
  expect(errors).toEqual([]);
});
