// The pages and drawings of the command line in a real browser: on a phone, on dark grounds, and in the studio's colours.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, expect, test } from "vitest";
import { drawFactors } from "../../src/cli/draw.ts";
import { modelPage } from "../../src/cli/inspect-page.ts";
import { palettes } from "../../src/cli/palette.ts";
import { separatePage } from "../../src/cli/separate-page.ts";
import { factorize } from "../../src/index.ts";
import { inspectModel, type LayerReport, loadModel, type Report } from "../../src/onnx/index.ts";
import { colourOf } from "../../web/src/colour.ts";
import { temporaryFolder } from "../node/folder.ts";
import { findings } from "./axe.ts";
import { launchBrowser, needBrowser } from "./chromium.ts";

const folder = temporaryFolder();
let browser: Promise<Browser> | undefined;
afterAll(async () => {
  await (await browser)?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A test with `show`, which opens a file of a text. */
const pageTest = test.extend<{ show: (name: string, text: string, setting: BrowserContextOptions) => Promise<Page> }>({
  show: async ({ skip }, use) => {
    needBrowser(skip);
    browser ??= launchBrowser();
    const contexts: { close(): Promise<void> }[] = [];
    await use(async (name, text, setting) => {
      const file = join(folder, name);
      writeFileSync(file, text);
      const context = await (await browser!).newContext(setting);
      contexts.push(context);
      const page = await context.newPage();
      await page.goto(pathToFileURL(file).href);
      return page;
    });
    for (const context of contexts) await context.close();
  },
});

const change = { before: 37_748_736, after: 12_345_678 };
const layer: LayerReport = {
  ...{ name: "/features/features.10/block/conv2/Conv_output_0_quantised", weight: [64, 64, 3, 3], loss: 0.0123 },
  ...{ decomposition: "cp", rank: 24, multiplications: change, parameters: change },
};
const report: Report = {
  layers: [layer, { ...layer, name: "conv", decomposition: undefined, rank: undefined, loss: undefined }],
  totals: { multiplications: change, parameters: change },
  goal: { kind: "reduce", value: 2.5 },
  reached: {
    ...{ reduction: 2.5, speedup: 1.5, milliseconds: { before: 3, after: 2 }, loss: 0.1, met: true },
    times: [{ pictures: 16, threads: 2, before: 88.1, after: 56.2 }],
  },
  lossFunction: "divergence",
  curve: [1, 2, 3, 4].map((reduction) => ({ reduction, loss: 1e-12 * 1000 ** reduction })),
  ...{ samples: 12, apart: true, seconds: 1, difference: 0, missing: [], assumed: {}, outputs: [] },
};

const widths = [360, 768, 1280];
pageTest.for(widths)("the report of a separation shows all of its tables: %i pixels", async (width, { show }) => {
  const viewport = { width, height: 800 };
  const page = await show("report.html", separatePage("net.onnx", report), { viewport });
  const hidden = await page.evaluate(() =>
    [...document.querySelectorAll(".scroll, html")].map((one) => one.scrollWidth - one.clientWidth),
  );
  for (const beyond of hidden) expect(beyond).toBeLessThanOrEqual(0);
  const texts = await page.locator(".curve text").evaluateAll((all) => all.map((one) => one.getBoundingClientRect()));
  for (const { height } of texts) expect(height).toBeGreaterThan(8);
  const labels = await page.locator(".curve text[text-anchor=end]").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().top)); // biome-ignore format: one line
  for (const [i, top] of labels.slice(1).entries()) expect(Math.abs(top - labels[i]!)).toBeGreaterThan(9);
  expect((await findings(page)).map(({ says }) => says)).toEqual([]);
});

const shapes = await inspectModel(await loadModel(readFileSync(join(import.meta.dirname, "../../assets/shapes.onnx"))));
const names = ["/features/denseblock1/denselayer1/conv2/Conv_output_0_quantised_dequantised", "conv"];
const inspection = {
  ...shapes,
  layers: shapes.layers.map((layer, i) => ({ ...layer, name: names[i % 2]! })),
};

pageTest.for(widths)("the page of a model shows all of its tables: %i pixels", async (width, { show }) => {
  const text = modelPage("a_model_of_a_long_name_quantised_and_without_a_hyphen.onnx", inspection, 0.5);
  for (const forcedColors of ["none", "active"] as const) {
    const page = await show("model.html", text, { viewport: { width, height: 800 }, forcedColors });
    const beyond = await page.evaluate(() =>
      [...document.querySelectorAll(".scroll, html")].map((one) => one.scrollWidth - one.clientWidth),
    );
    expect(Math.max(...beyond)).toBeLessThanOrEqual(0);
    const ground = (selector: string) => page.locator(selector).first().evaluate((one) => getComputedStyle(one).backgroundColor); // biome-ignore format: one line
    expect(await ground(".bar")).not.toBe(await ground("body"));
    if (forcedColors === "none") expect((await findings(page)).map(({ says }) => says)).toEqual([]);
  }
});

pageTest("a drawing is of other colours on a dark ground", async ({ show }) => {
  const svg = drawFactors(factorize("sobel-x"));
  for (const ground of ["light", "dark"] as const) {
    const page = await show("sobel.svg", svg, { colorScheme: ground });
    const fill = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((one) => getComputedStyle(one).fill);
    for (const part of ["zero", "negative", "positive"] as const)
      expect(await fill(`.${part}`)).toBe(rgb(palettes[ground][part]));
    expect(await fill("text")).toBe(rgb(palettes[ground].ink));
  }
});

const bytesOf = (colour: string): number[] => [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));
const rgb = (colour: string): string => `rgb(${bytesOf(colour).join(", ")})`;

test("pages, drawings and the studio have one palette", () => {
  const css = readFileSync(join(import.meta.dirname, "../../web/src/styles/base.css"), "utf8");
  const [light, dark] = css.split("@media (prefers-color-scheme: dark)") as [string, string];
  for (const [ground, text] of [
    ["light", light],
    ["dark", dark],
  ] as const) {
    const { channels: _, negative, zero, positive, quiet, ...others } = palettes[ground];
    const names = { ...others, "strong-line": quiet };
    for (const [name, colour] of Object.entries(names)) expect(text).toContain(`--${name}: ${colour};`);
    for (const [share, colour] of [[-1, negative], [0, zero], [1, positive]] as const) // biome-ignore format: one line
      expect(colourOf(share, ground === "dark")).toEqual(bytesOf(colour));
  }
  const sheets = readFileSync(join(import.meta.dirname, "../../web/src/styles/learn.css"), "utf8");
  for (const [i, colour] of palettes.light.channels.entries())
    expect(sheets).toContain(`light-dark(${colour}, ${palettes.dark.channels[i]})`);
});
