// A real browser for tests: Chromium where the machine has one. Its tests are skipped, with the reason, where it has none.
import { existsSync } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { afterAll, test } from "vitest";
import type { createEngine } from "../../src/index.ts";
import type { runCases } from "./cases.ts";

declare global {
  /** What test pages offer to `page.evaluate`. */
  var rank1: { createEngine: typeof createEngine; runCases: typeof runCases };
}

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = [process.env.RANK1_CHROMIUM ?? "", ...places].find((path) => existsSync(path));
const missing = `no browser in ${places.join(", ")} or $RANK1_CHROMIUM`;

/** The sandbox needs rights that containers lack; the rest keeps the browser from calling home. */
const args = [
  ...["--use-fake-device-for-media-stream", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
  ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
];

export interface OpenPage {
  page: Page;
  /** Warnings on its console so far, in order. */
  warnings: string[];
}

let started: Promise<BrowserContext> | undefined;
const pages = new Map<string, Promise<OpenPage>>();

afterAll(async () => {
  const context = await started;
  await context?.close();
  await context?.browser()?.close();
});

export const launchBrowser = (): Promise<Browser> => chromium.launch({ executablePath, args });

/** A browser with an unpacked extension, which only profiles on disk can have. */
export const launchWithExtension = (extension: string, profile: string): Promise<BrowserContext> =>
  chromium.launchPersistentContext(profile, {
    executablePath,
    headless: false,
    args: [...args, "--headless=new", `--disable-extensions-except=${extension}`, `--load-extension=${extension}`],
  });

const launch = async (): Promise<BrowserContext> => (await launchBrowser()).newContext();

/** Skips a test where there is no browser. */
export function needBrowser(skip: (condition: boolean, note: string) => void): void {
  skip(executablePath === undefined, missing);
}

async function load(url: string): Promise<OpenPage> {
  started ??= launch();
  const page = await (await started).newPage();
  const warnings: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "warning") warnings.push(message.text());
  });
  await page.goto(url);
  if ((await page.evaluate(() => typeof rank1)) === "undefined") throw new Error(`no rank1 on ${url}`);
  return { page, warnings };
}

/** A test with `open`, which gives the page at an address; tests of one file share it. */
export const browserTest = test.extend<{ open: (url: string) => Promise<OpenPage> }>({
  open: async ({ skip }, use) => {
    needBrowser(skip);
    await use((url) => {
      const page = pages.get(url) ?? load(url);
      pages.set(url, page);
      return page;
    });
  },
});
