// Learn as a reader opens it: one file from disk, without a network. Each screen is done by mouse, by keys alone and by touch.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { afterAll, describe, expect, test } from "vitest";
import { buildLearn, learnPage, learnSources } from "../../scripts/learn.ts";
import { lessons } from "../../web/src/learn/state.ts";
import { temporaryFolder } from "../node/folder.ts";
import { findings } from "./axe.ts";
import { launchBrowser, needBrowser } from "./chromium.ts";
import { firefoxPath, launchFirefox, noFirefox } from "./firefox.ts";

const budget = 60_000;
const file = join(temporaryFolder(), "learn.html");
const made = buildLearn().then((html) => writeFileSync(file, html));
const address = pathToFileURL(file).href;

let browser: Promise<Browser> | undefined;
afterAll(async () => {
  await (await browser)?.close();
  rmSync(file, { force: true });
});

/** A test with `open`, which opens the page at a screen; it may not load anything, nor have an error. */
const learnTest = test.extend<{ open: (screen?: string, setting?: BrowserContextOptions) => Promise<Page> }>({
  open: async ({ skip }, use) => {
    needBrowser(skip);
    await made;
    browser ??= launchBrowser();
    const context: { close(): Promise<void> }[] = [];
    const problems: string[] = [];
    await use(async (screen = "", setting = {}) => {
      const one = await (await browser!).newContext({ viewport: { width: 1280, height: 900 }, ...setting });
      context.push(one);
      const page = await one.newPage();
      page.setDefaultTimeout(15_000);
      page.on("pageerror", (error) => problems.push(error.message));
      page.on("console", (message) => message.type() === "error" && problems.push(message.text()));
      page.on("request", (request) => {
        if (!/^(file|data):/.test(request.url())) problems.push(`it loads ${request.url()}`);
      });
      await page.goto(`${address}${screen && `#${screen}`}`);
      return page;
    });
    for (const one of context) await one.close();
    expect(problems).toEqual([]);
  },
});

const done = (page: Page): Locator => page.locator(".tasks li.done");
/** All that a screen asks for is done, and its sentence stands there. */
async function learned(page: Page, words: RegExp): Promise<void> {
  await page.locator(".learned").getByText(words).waitFor();
  const all = await page.locator(".tasks li").count();
  await expect.poll(() => done(page).count()).toBe(all);
}
const group = (page: Page, name: string): Locator => page.getByRole("group", { name: new RegExp(`^${name}: row`) });

/** Drags what has a box by so many pixels. */
async function drag(page: Page, what: Locator, dx: number, dy: number): Promise<void> {
  const box = (await what.boundingBox())!;
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x + dx / 2, y + dy / 2);
  await page.mouse.move(x + dx, y + dy);
  await page.mouse.up();
}

async function press(page: Page, ...keys: string[]): Promise<void> {
  for (const key of keys) await page.keyboard.press(key);
}

/** Goes on by the Tab key until what has the focus is called so. */
async function tabTo(page: Page, name: RegExp): Promise<void> {
  const focused = () =>
    page.evaluate(() => {
      const one = document.activeElement as HTMLInputElement | null;
      return one?.getAttribute("aria-label") ?? one?.labels?.[0]?.textContent ?? one?.textContent ?? "";
    });
  for (let i = 0; i < 60; i++) {
    if (name.test(await focused())) return;
    await press(page, "Tab");
  }
  throw new Error(`no ${name} within 60 stops`);
}

test("docs/learn.html is made of these sources: npm run learn", () => {
  const page = readFileSync(learnPage, "utf8");
  expect(page).toContain(`sources ${learnSources()}`);
  // What it links to is where it lies
  expect(page).toContain('data-theory="theory.md"');
});

learnTest("is one file of at most 60 kB, gzipped", async ({ open }) => {
  await open();
  const html = readFileSync(file);
  const size = gzipSync(html, { level: 9 }).length;
  console.log(`Learn: ${size} bytes gzipped, ${html.length} as it is`);
  expect(size).toBeLessThanOrEqual(budget);
  expect(html.toString()).not.toMatch(/<(script|link|img)[^>]*(src|href)="(?!data:)/);
});

describe("by mouse", () => {
  learnTest("1. a window is dragged, and an output predicted", async ({ open }) => {
    const page = await open();
    const outputs = page.getByRole("table", { name: "The outputs, 7 × 7" });
    expect(await outputs.getByText("?", { exact: true }).count()).toBe(1);
    await drag(page, group(page, "Window"), -72, 36);
    await page.getByRole("group", { name: "Window: row 2, column 2." }).waitFor();
    const answer = page.getByLabel("The output in row 2, column 1 is");
    await answer.fill("12");
    await page.getByRole("button", { name: "Check" }).click();
    await page.getByText("Not 12.").waitFor();
    // What is asked for is not told
    expect(await page.locator(".sum b").textContent()).toBe("?");
    await answer.fill("21");
    await page.getByRole("button", { name: "Check" }).click();
    await learned(page, /a sum of nine products/);
    await page.getByRole("button", { name: "Fill in all outputs" }).click();
    expect((await outputs.getByRole("cell").allInnerTexts()).every((text) => /^−?\d+$/.test(text))).toBe(true);
  });

  learnTest("2. a table is split, and neighbours share sums", async ({ open }) => {
    const page = await open("split");
    await page.getByRole("button", { name: "Split it" }).click();
    expect(await page.locator(".counters .strong b").textContent()).toBe("12");
    await page.getByRole("button", { name: "Next output" }).click();
    expect(await page.locator(".counters b").allTextContents()).toEqual(["9", "6"]);
    expect(await page.locator("td.shared").count()).toBe(2);
    await learned(page, /3 \+ 3 gives the same number as 9/);
    // The whole picture: 9 · 49, and 3 · 63 + 3 · 49
    for (let i = 0; i < 60; i++) await page.getByRole("button", { name: "Next output" }).click();
    expect(await page.locator(".counters dl").textContent()).toContain("441 at once, 336 in two passes");
    await drag(page, group(page, "Window"), 36, 0);
    await page.getByRole("button", { name: "Start again" }).click();
    expect(await page.locator(".counters dl").textContent()).toContain("9 at once, 12 in two passes");
  });

  learnTest("3. a table is broken, and another one built", async ({ open }) => {
    const page = await open("rank");
    const said = page.locator(".verdict");
    expect(await said.textContent()).toContain("Rank 1");
    await page.getByRole("button", { name: "+ 1" }).click();
    expect(await said.textContent()).toMatch(/Rank 2.* = 12 multiplications, the table itself 9/);
    const cells = page.getByRole("grid").getByRole("gridcell");
    for (const i of [3, 5]) {
      await cells.nth(i).click();
      await page.getByRole("button", { name: "+ 1" }).click();
    }
    expect(await said.textContent()).toContain("Rank 1");
    await learned(page, /cannot make every table/);
    await page.getByRole("button", { name: "The box again" }).click();
    expect(await cells.allInnerTexts()).toEqual(Array(9).fill("1"));
  });

  learnTest("4. sliders say when it pays, and the browser is timed", async ({ open }) => {
    const page = await open("pays");
    const counts = page.locator(".bars").first();
    expect(await counts.textContent()).toMatch(/7 · 7 = 49.*1 · 2 · 7 = 14/);
    await page.getByLabel("Side of the table, k").fill("31");
    expect(await counts.textContent()).toMatch(/961.*62/);
    await page.getByText(/^Measured in this browser/).waitFor();
    await page.getByLabel("Rank, r").fill("4");
    await page.getByLabel("Side of the table, k").fill("7");
    expect(await page.locator(".ratio").first().textContent()).toMatch(/^In passes: 1.14 × more: it does not pay/);
    await page.getByLabel("Side of the table, k").fill("9");
    await learned(page, /49 becomes 14, and 961 becomes 62/);
    await page.getByLabel("Side of the table, k").fill("3");
    expect(await page.getByLabel("Rank, r").inputValue()).toBe("3");
  });

  learnTest("5. windows alone, then a needle", async ({ open }) => {
    const page = await open("channels");
    await drag(page, group(page, "Window"), 130, 0);
    await page.getByText("The place: row 3, column 8 of 8 × 8.").waitFor();
    await page.getByText("Windows alone", { exact: true }).click();
    expect(await page.locator(".says").textContent()).toContain("8 × 8 × 3 in all, in the order R G B");
    await page.getByText("Then needles", { exact: true }).click();
    await drag(page, group(page, "Needle"), -30, 30);
    await page.getByRole("button", { name: "Add a needle" }).click();
    expect(await page.locator(".says").textContent()).toMatch(/2 needles of 1 × 1 × 3 .* 8\s×\s8\s×\s2 in all/);
    await page.getByLabel(/^Depth multiplier/).fill("2");
    expect(await page.locator(".stack figcaption").allTextContents()).toContain("8 × 8 × 6: R R G G B B");
    expect(await page.locator(".says").textContent()).toContain("1 × 1 × 6");
    await learned(page, /12 − 5 \+ 1 = 8 places/);
  });

  learnTest("6. boxes are dragged to where it pays", async ({ open }) => {
    const page = await open("count");
    const totals = page.locator(".totals");
    expect(await totals.textContent()).toMatch(/ = 4,800.* = 4,992.*more: it does not pay/);
    const box = page.locator(".regular .area");
    const { width } = (await box.boundingBox())!;
    await drag(page, page.locator(".regular .edge"), width, 0);
    await expect.poll(() => page.getByLabel(/k$/).inputValue()).not.toBe("1");
    await page.getByLabel(/k$/).fill("2");
    await page.getByLabel(/k$/).fill("256");
    expect(await totals.textContent()).toMatch(/ = 1,228,800.*4,800 \+ 49,152 = 53,952.*22.8 × fewer/);
    await learned(page, /share one filter for each channel/);
    expect(await page.getByRole("link").count()).toBeGreaterThan(4);
  });
});

learnTest("by keys alone: all six screens", async ({ open }) => {
  const page = await open();
  const next = async (name: string): Promise<void> => {
    await tabTo(page, /^Next: /);
    await press(page, "Enter");
    await page.getByRole("heading", { level: 1 }).filter({ hasText: name }).waitFor();
    // One goes on reading at the heading
    await expect.poll(() => page.evaluate(() => document.activeElement!.tagName)).toBe("H1");
  };
  await tabTo(page, /^Window: row/);
  await press(page, "ArrowDown", "ArrowRight", "End", "Home");
  await tabTo(page, /^The output in row 2/);
  await page.keyboard.type("21");
  await press(page, "Enter");
  await learned(page, /nine products/);

  await next("three and three");
  await tabTo(page, /^Split it/);
  await press(page, "Enter");
  await tabTo(page, /^Window: row/);
  await press(page, "ArrowDown");
  await learned(page, /3 \+ 3/);

  await next("Not every table");
  await tabTo(page, /^row 2, column 2/);
  await page.keyboard.type("5");
  await press(page, "Enter");
  await expect.poll(() => done(page).count()).toBe(1);
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("gridcell");
  await press(page, "ArrowLeft");
  await page.keyboard.type("5");
  await press(page, "Enter");
  await expect.poll(() => page.evaluate(() => document.activeElement?.getAttribute("role"))).toBe("gridcell");
  await press(page, "ArrowRight", "ArrowRight");
  await page.keyboard.type("5");
  await press(page, "Enter");
  await learned(page, /cannot make every table/);

  await next("When does it pay");
  await tabTo(page, /^Side of the table/);
  await press(page, "End");
  await tabTo(page, /^Rank/);
  await press(page, "End");
  await page.keyboard.down("Shift");
  await tabTo(page, /^Side of the table/);
  await page.keyboard.up("Shift");
  await press(page, "Home", "ArrowRight", "ArrowRight");
  await tabTo(page, /^Rank/);
  await press(page, "End");
  await page.keyboard.down("Shift");
  await tabTo(page, /^Side of the table/);
  await page.keyboard.up("Shift");
  await press(page, "ArrowRight");
  await learned(page, /961 becomes 62/);

  await next("each channel alone");
  await tabTo(page, /^All at once/);
  await tabTo(page, /^Window: row/);
  await press(page, "End");
  await page.keyboard.down("Shift");
  await tabTo(page, /^All at once/);
  await page.keyboard.up("Shift");
  await press(page, "ArrowRight", "ArrowRight");
  await tabTo(page, /^Needle: row/);
  await press(page, "ArrowUp");
  await tabTo(page, /^Depth multiplier/);
  await press(page, "ArrowRight");
  await tabTo(page, /^Add a needle/);
  await press(page, "Enter");
  await learned(page, /8 places/);

  await next("Count both");
  await tabTo(page, /^Outputs at each place/);
  await press(page, "ArrowRight");
  await press(page, "End");
  await learned(page, /53,952/);
  await tabTo(page, /^The theory/);
});

learnTest("by touch, on a page of 360 pixels", async ({ open }) => {
  const page = await open("", { hasTouch: true, isMobile: true, viewport: { width: 360, height: 780 } });
  const session = await page.context().newCDPSession(page);
  const swipe = async (from: Locator, dx: number, dy: number): Promise<void> => {
    await from.scrollIntoViewIfNeeded();
    const box = (await from.boundingBox())!;
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const touch = (type: string, touchPoints: { x: number; y: number }[]) =>
      session.send("Input.dispatchTouchEvent", { type: type as "touchStart", touchPoints });
    await touch("touchStart", [{ x, y }]);
    await touch("touchMove", [{ x: x + dx / 2, y: y + dy / 2 }]);
    await touch("touchMove", [{ x: x + dx, y: y + dy }]);
    await touch("touchEnd", []);
  };
  await swipe(group(page, "Window"), 0, 90);
  await expect.poll(() => group(page, "Window").getAttribute("aria-label")).toMatch(/^Window: row [345], column 4/);
  /** Soon after a swipe, a browser may take a tap for the end of it. */
  const tap = (what: Locator, shows: Locator) =>
    expect
      .poll(async () => {
        if ((await shows.count()) === 0) await what.tap();
        return shows.count();
      })
      .toBeGreaterThan(0);
  const needles = page.getByText("Then needles", { exact: true });
  await tap(page.getByRole("button", { name: "5 Channels" }), needles);
  await tap(needles, group(page, "Needle"));
  const before = await page.getByText(/^The place/).textContent();
  await swipe(group(page, "Needle"), 40, 20);
  await expect.poll(() => page.getByText(/^The place/).textContent()).not.toBe(before);
});

describe("access", () => {
  const looks = [["light", 1280], ["dark", 360], ["light", 768]] as const; // biome-ignore format: one line
  learnTest.for(looks)("axe finds nothing: %s, %i pixels", async ([colorScheme, width], { open }) => {
    const page = await open("", { colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" });
    for (const one of lessons) {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, one);
      await page.locator(".path [aria-current]").and(page.getByRole("button", { name: String(lessons.indexOf(one) + 1) })).waitFor(); // biome-ignore format: one line
      if (one === "split") await page.getByRole("button", { name: "Split it" }).click();
      if (one === "pays") await page.getByText(/^Measured in/).waitFor();
      if (one === "channels") await page.getByText("Then needles", { exact: true }).click();
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth); // biome-ignore format: one line
      expect(wider).toBeLessThanOrEqual(0);
      expect((await findings(page)).map(({ says }) => says)).toEqual([]);
    }
  });

  learnTest("in forced colours bars, boxes and windows stay visible", async ({ open }) => {
    const page = await open("count", { forcedColors: "active" });
    const colours = (selector: string, property: string) =>
      page.locator(selector).evaluateAll((all, property) => [...new Set(all.map((one) => getComputedStyle(one).getPropertyValue(property)))], property); // biome-ignore format: one line
    const [paper] = await colours("body", "background-color");
    expect(await colours(".area", "background-color")).not.toContain(paper);
    await page.getByRole("button", { name: "4 When it pays" }).click();
    expect(await colours(".bar i", "background-color")).not.toContain(paper);
    await page.getByRole("button", { name: "3 Not every one" }).click();
    expect(await colours('.grid [role="gridcell"]', "background-color")).toEqual(await colours(".digits td", "background-color")); // biome-ignore format: one line
  });
});

describe("looks", () => {
  const tops = (page: Page, selector: string): Promise<number[]> =>
    page.locator(selector).evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().top)));

  learnTest("on a phone, what a step costs stands in sight of the button that takes it", async ({ open }) => {
    const page = await open("split", { viewport: { width: 360, height: 640 } });
    await page.getByRole("button", { name: "Split it" }).click();
    const step = page.getByRole("button", { name: "Next output" });
    await step.evaluate((one) => one.scrollIntoView({ block: "start" }));
    await step.click();
    const cost = (await page.getByText("products: 1 new sum of 3").boundingBox())!;
    expect(cost.y + cost.height).toBeLessThan(640);
  });

  learnTest("on a tablet, the screens' names and the sheets stand in one line each", async ({ open }) => {
    const page = await open("channels", { viewport: { width: 768, height: 900 } });
    await page.getByText("Then needles", { exact: true }).click();
    expect(new Set(await tops(page, ".path li")).size).toBe(1);
    expect(Math.max(...(await tops(page, ".stack")))).toBeLessThan(
      await page.locator(".stacks").evaluate((one) => one.getBoundingClientRect().top + one.clientHeight / 2),
    );
  });
});

learnTest("the address names the screen, through Back and a reload", async ({ open }) => {
  const page = await open();
  await page.getByRole("button", { name: "Next: Split" }).click();
  await expect.poll(() => page.evaluate(() => location.hash)).toBe("#split");
  await page.reload();
  await page.getByRole("heading", { name: "Nine products, or three and three" }).waitFor();
  await page.goBack();
  await page.getByRole("heading", { name: "A picture is numbers" }).waitFor();
});

test("in Firefox it opens and computes", { timeout: 300_000 }, async ({ skip }) => {
  skip(firefoxPath === undefined, noFirefox);
  await made;
  const page = await launchFirefox();
  try {
    await page.open(`${address}#split`);
    const counters = (): string => {
      const named = (text: string) => [...document.querySelectorAll("button")].find((one) => one.textContent === text);
      named("Split it")?.click();
      named("Next output")?.click();
      return document.querySelector(".counters")?.textContent ?? "";
    };
    await expect.poll(() => page.evaluate(counters), { timeout: 60_000 }).toContain("in two passes6 products");
    expect(page.errors).toEqual([]);
  } finally {
    await page.close();
  }
});
