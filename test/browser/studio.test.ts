// The studio's four views, each at its job, in a real browser: as people use it, by pointer and by keys alone.
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { type Filter, type FilterOptions, factorize } from "../../src/index.ts";
import { sumOf } from "../../web/src/state/state.ts";
import { isolation, permission } from "./site.ts";
import {
  canvasText,
  expectFiltered,
  painted,
  pixelsOf,
  type Setting,
  seriousFindings,
  settled,
  studioTest,
} from "./studio.ts";

declare global {
  /** Drops a picture on the stage. */
  var drop: () => void;
}

const grid = (page: Page) => page.getByRole("grid", { name: /values of the filter/ });
const valuesIn = async (page: Page): Promise<string[]> => grid(page).getByRole("gridcell").allInnerTexts();

describe("the filter view", () => {
  studioTest("factors what is chosen, typed, pasted and dragged", async ({ visit }) => {
    const page = await visit();
    await page.getByRole("button", { name: /^sobel-x/ }).click();
    expect(await valuesIn(page)).toEqual(["−1", "0", "1", "−2", "0", "2", "−1", "0", "1"]);
    const column = page.getByRole("grid", { name: "taps of the column" });
    expect(await column.getByRole("gridcell").allInnerTexts()).toEqual(["1", "2", "1"]);
    await column.getByRole("gridcell").nth(1).dblclick();
    await page.getByLabel("new value").fill("4");
    await page.keyboard.press("Enter");
    expect((await valuesIn(page)).slice(3, 6)).toEqual(["−4", "0", "4"]);
    await grid(page).getByRole("gridcell").nth(4).click();
    await page.keyboard.type("3");
    await page.keyboard.press("Enter");
    await page.getByText("is the rank of this 3 × 3 filter").waitFor();
    await expect.poll(() => page.locator(".rank .figure.strong b").textContent()).toBe("2");

    const cell = (await grid(page).getByRole("gridcell").nth(0).boundingBox())!;
    await page.mouse.move(cell.x + 20, cell.y + 20);
    await page.mouse.down();
    await page.mouse.move(cell.x + 20 + 5 * 8 + 2, cell.y + 20, { steps: 4 });
    await page.mouse.up();
    expect((await valuesIn(page))[0]).toBe("4");

    await grid(page).evaluate((element) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData("text", "1\t2\n3\t4");
      element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    });
    expect(await valuesIn(page)).toEqual(["1", "2", "3", "4"]);
  });

  studioTest("cuts the rank, with the library's error, and says so to screen readers", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter&filter=disk:radius=6");
    const { exactRank } = factorize("disk:radius=6");
    const { error, multiplications } = factorize("disk:radius=6", { rank: 2 });
    await page.getByLabel("Terms that are kept").fill("2");
    const said = page.getByRole("status").filter({ hasText: "Rank" });
    await said.filter({ hasText: `Rank 2 of ${exactRank}` }).waitFor({ state: "attached" });
    const text = (await said.textContent())!;
    expect(text).toContain(
      `${multiplications.direct} multiplications as it stands, ${multiplications.separable} in passes`,
    );
    expect(Number(/error ([\d.]+) %/.exec(text)![1])).toBeCloseTo(100 * error, 1);
    expect(await page.locator(".equation .term").count()).toBe(2);
  });
});

describe("the picture view", () => {
  const signed = { output: "u8", gain: 0.25, offset: 128 } as const;
  const low = factorize("disk:radius=4", { rank: 2 });
  const cases: [hash: string, filter: Filter, options: FilterOptions][] = [
    ["filter=sobel-x", "sobel-x", signed],
    ["filter=gaussian:sigma=2.4&border=edge", "gaussian:sigma=2.4", { border: "edge" }],
    ["filter=emboss&flip=1&border=wrap&picture=chart", "emboss", { border: "wrap", flip: true }],
    ["filter=sobel-y&type=u8&border=constant", "sobel-y", { output: "u8", border: "constant" }],
    ["filter=disk:radius=4&rank=2", { kh: low.kh, kw: low.kw, values: sumOf(low, 1) }, {}],
  ];

  studioTest("filters as Node does", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture");
    await painted(page);
    for (const [hash, filter, options] of cases) {
      await page.evaluate((hash) => {
        location.hash = hash;
      }, `#v=1&tab=picture&${hash}`);
      await page.getByText(new RegExp(`^${hash.includes("chart") ? "A test chart" : "A painted"}`)).waitFor();
      await settled(page);
      // Sums of real taps may round either way after the studio has summed its terms
      const [result, framed] = [await pixelsOf(page, "canvas.result"), await pixelsOf(page, ".layer-of > canvas")];
      await expectFiltered(result, framed, filter, options, typeof filter === "string" ? 0 : 1);
    }
  });

  studioTest("takes a picture from a file and refuses what is none", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=box:size=3");
    await painted(page);
    const file = page.locator("input[type=file]");
    await file.setInputFiles({ name: "notes.png", mimeType: "image/png", buffer: Buffer.from("no picture") });
    await page.getByRole("alert").filter({ hasText: "could not be read as a picture" }).waitFor();
    await file.setInputFiles(join(import.meta.dirname, "..", "..", "docs", "images", "sobel.png"));
    await page.getByText(/^sobel\.png, /).waitFor();
    expect(await page.getByRole("alert").textContent()).toBe("");
    expect(await page.evaluate(() => location.hash)).not.toContain("picture=own");
  });

  studioTest("takes a picture that is pasted or dropped", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=box:size=3");
    await painted(page);
    await page.evaluate(async () => {
      const fileOf = async (side: number, name: string): Promise<DataTransfer> => {
        const canvas = new OffscreenCanvas(side, side);
        canvas.getContext("2d")!.fillRect(0, 0, side, side / 2);
        const transfer = new DataTransfer();
        transfer.items.add(new File([await canvas.convertToBlob()], name, { type: "image/png" }));
        return transfer;
      };
      document.body.dispatchEvent(
        new ClipboardEvent("paste", { clipboardData: await fileOf(48, "pasted.png"), bubbles: true }),
      );
      const dropped = { dataTransfer: await fileOf(64, "dropped.png"), bubbles: true, cancelable: true };
      globalThis.drop = () => document.querySelector(".stage")!.dispatchEvent(new DragEvent("drop", dropped));
    });
    await page.getByText(/^pasted\.png, 48 × 48\./).waitFor();
    await settled(page);
    expect((await pixelsOf(page, "canvas.result")).width).toBe(48);
    await page.evaluate(() => drop());
    await page.getByText(/^dropped\.png, 64 × 64\./).waitFor();
    await settled(page);
    expect((await pixelsOf(page, "canvas.result")).width).toBe(64);
  });

  studioTest("shows what the camera sees until it is stopped", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=sobel-x", { permissions: ["camera"] });
    await painted(page);
    await page.getByRole("button", { name: "Camera" }).click();
    await page.getByText(/^The camera, 640 × 480\./).waitFor();
    const seen = async (): Promise<string> => (await page.evaluate(canvasText, "canvas.result")).text;
    const before = await seen();
    await expect.poll(seen).not.toBe(before);
    await page.getByRole("button", { name: "Stop the camera" }).click();
    await settled(page);
    const last = await seen();
    await page.waitForTimeout(300);
    expect(await seen()).toBe(last);
  });

  studioTest("puts one pixel's sums side by side, by the arrow keys", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=binomial:size=5&pixel=100,50");
    await painted(page);
    const sums = page.locator(".pixel .sum b");
    const before = await sums.allInnerTexts();
    expect(before[0]).toBe(before[1]);
    await page.getByRole("group", { name: /^Pixel 100, 50/ }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("Shift+ArrowDown");
    await page.getByRole("heading", { name: "Pixel 101, 60" }).waitFor();
    const { width, data } = await pixelsOf(page, "canvas.result");
    expect(Math.round(Number((await sums.allInnerTexts())[0]))).toBe(data[4 * (60 * width + 101) + 1]);
  });

  studioTest("shows differences with a legend, and times every plan", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=box:size=5");
    await painted(page);
    await page.getByText("Difference", { exact: true }).click();
    await page.locator(".legend").waitFor();
    await page.getByRole("button", { name: "Time all plans" }).click();
    const measured = page.locator(".plan tbody tr:not(.out) td:nth-child(4)");
    await expect.poll(async () => (await measured.allInnerTexts()).every((text) => text.endsWith(" ms")), { timeout: 10_000 }).toBe(true); // biome-ignore format: one line
    expect(await measured.count()).toBeGreaterThan(1);

    await page.getByLabel("size").fill("31");
    await expect.poll(async () => (await measured.allTextContents()).at(-1)).toBe("–");
    await page.getByRole("button", { name: "Time all plans" }).click();
    await page.getByRole("button", { name: "Stop timing" }).click();
    await page.getByRole("button", { name: "Time all plans" }).waitFor();
    expect((await measured.allTextContents()).at(-1)).toBe("–");
  });

  studioTest("says that the camera was refused", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture", { permissions: [] });
    await painted(page);
    await page.getByRole("button", { name: "Camera" }).click();
    await page.getByRole("alert").filter({ hasText: "The camera was refused" }).waitFor();
  });
});

studioTest("the layer view counts the textbook's example, and steps through it", async ({ visit }) => {
  const page = await visit("#v=1&tab=layer");
  const sums = page.getByRole("region", { name: "Multiplications" });
  expect(await sums.textContent()).toMatch(/1,228,800[\s\S]*53,952[\s\S]*4,800 \+ 49,152/);
  await page.getByRole("button", { name: "1. Depthwise" }).click();
  await page.getByText("3 filters of 5 × 5: each channel is filtered alone.").waitFor();
  await page.getByLabel("Depth multiplier").fill("2");
  await expect.poll(() => sums.textContent()).toContain("9,600 + 98,304");
  await page.getByRole("button", { name: "12 × 12 × 3, 5 × 5" }).click();
  await page.getByText(/^Measured here: .* as it stands/).waitFor();
  await page.getByRole("button", { name: "Play" }).click();
  const place = page.getByRole("slider", { name: "Place" });
  const before = await place.inputValue();
  await expect.poll(() => place.inputValue()).not.toBe(before);
});

describe("addresses", () => {
  studioTest("hold what is shown, through Back and a reload", async ({ visit }) => {
    const page = await visit();
    const hash = () => page.evaluate(() => location.hash);
    await page.getByRole("button", { name: /^scharr-x/ }).click();
    await expect.poll(hash).toBe("#v=1&tab=filter&filter=scharr-x");
    await page.getByRole("tab", { name: "Picture" }).click();
    await expect.poll(hash).toBe("#v=1&tab=picture&filter=scharr-x");
    await page.getByLabel("Border", { exact: true }).selectOption("wrap");
    await expect.poll(hash).toBe("#v=1&tab=picture&filter=scharr-x&border=wrap");
    await page.reload();
    await painted(page);
    expect(await page.getByLabel("Border", { exact: true }).inputValue()).toBe("wrap");
    await page.goBack();
    await expect.poll(() => page.getByLabel("Border", { exact: true }).inputValue()).toBe("reflect");
    // Longer than the address takes to follow: what was gone back to must not be written as something new.
    await page.waitForTimeout(400);
    await page.goBack();
    await expect.poll(() => page.getByRole("tab", { selected: true }).textContent()).toBe("Filter");
    await page.goForward();
    await expect.poll(() => page.getByRole("tab", { selected: true }).textContent()).toBe("Picture");
  });

  studioTest("that cannot be read give the start and a notice", async ({ visit }) => {
    const page = await visit("#v=1&filter=nothing");
    await page.getByRole("alert").filter({ hasText: "there is no filter named nothing" }).waitFor();
    expect(await valuesIn(page)).toHaveLength(9);
  });
});

describe("settings", () => {
  const settings: [string, Record<string, string>, RegExp][] = [
    ["an isolated page under the documented policy", { ...isolation, ...permission }, /^WebAssembly, \d+ threads?$/],
    ["a page that is not isolated", {}, /^WebAssembly, 1 thread$/],
    [
      "a policy without WebAssembly",
      { "content-security-policy": "script-src 'self'; worker-src 'self'" },
      /^JavaScript$/,
    ],
  ];
  studioTest.for(settings)("%s", async ([, headers, engine], { visit }) => {
    const page = await visit("#v=1&tab=picture&filter=sobel-x", { headers } satisfies Setting);
    await painted(page);
    expect(await page.locator(".engine").textContent()).toMatch(engine);
    const slow = engine.test("JavaScript");
    expect(await page.getByRole("alert").textContent()).toMatch(slow ? /may not compile WebAssembly/ : /^$/);
  });
});

describe("access", () => {
  const looks = [["light", 1280], ["dark", 360]] as const; // biome-ignore format: one line
  studioTest.for(looks)("axe finds nothing serious: %s, %i pixels", async ([colorScheme, width], { visit }) => {
    const page = await visit("#v=1&tab=filter&filter=laplacian-of-gaussian&rank=1", {
      ...{ colorScheme, viewport: { width, height: 800 }, reducedMotion: "reduce" },
    });
    for (const tab of ["Filter", "Picture", "Layer", "Model"]) {
      await page.getByRole("tab", { name: tab }).click();
      if (tab === "Picture") await painted(page);
      if (tab === "Layer") await page.getByText(/^Measured here/).waitFor();
      const { scrollWidth, clientWidth } = await page.evaluate(() => {
        const { scrollWidth, clientWidth } = document.documentElement;
        return { scrollWidth, clientWidth };
      });
      expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
      expect(await seriousFindings(page)).toEqual([]);
    }
  });

  studioTest("everything is done by keys alone", async ({ visit }) => {
    const page = await visit();
    const press = async (...keys: string[]) => {
      for (const key of keys) await page.keyboard.press(key);
    };
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? ""); // biome-ignore format: one line
    const tabTo = async (label: RegExp): Promise<void> => {
      for (let i = 0; i < 80; i++) {
        if (label.test(await focused())) return;
        await press("Tab");
      }
      throw new Error(`no ${label} within 80 stops`);
    };
    await tabTo(/^row 1, column 1: 1$/);
    await tabTo(/^Filter$|row 1, column 1: 1$/);
    await press("Tab", "Tab");
    await page
      .getByRole("grid", { name: /values of the filter/ })
      .getByRole("gridcell")
      .first()
      .focus();
    await press("ArrowDown", "ArrowRight", "Enter", "Control+A");
    await page.keyboard.type("-7.5");
    await press("Enter");
    expect(await valuesIn(page)).toContain("−7.5");
    await page.keyboard.press("Delete");
    expect(await valuesIn(page)).not.toContain("−7.5");
    await page.getByRole("tab", { name: "Filter" }).focus();
    await press("ArrowRight");
    await painted(page);
    expect(await focused()).toBe("Picture");
    await tabTo(/^Pixel \d+, \d+/);
    await press("ArrowDown");
    await page.getByRole("heading", { name: "Pixel 384, 257" }).waitFor();
    await press("ArrowLeft");
    await page.getByRole("heading", { name: "Pixel 383, 257" }).waitFor();
  });
});
