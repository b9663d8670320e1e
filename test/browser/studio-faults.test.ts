// Faults that the studio had, each as what must hold in its place: in a real browser, as people meet them.
import type { Page } from "playwright-core";
import sharp from "sharp";
import { describe, expect } from "vitest";
import { painted, settled, studioTest } from "./studio.ts";

const rankOf = (page: Page) => page.locator(".rank .figure.strong b");

/** Pastes text into the grid of a filter, or its taps. */
const paste = (page: Page, text: string, name: RegExp = /values of the filter/) =>
  page.getByRole("grid", { name }).evaluate((element, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    element.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, text);

const gaussian = (side: number, digits?: number): string => {
  const taps = Array.from({ length: side }, (_, i) => Math.exp(-((i - (side >> 1)) ** 2) / (side * 0.8)));
  const sum = taps.reduce((total, tap) => total + tap, 0) ** 2;
  const text = (value: number): string => (digits === undefined ? String(value) : value.toFixed(digits));
  return taps.map((a) => taps.map((b) => text((a * b) / sum)).join("\t")).join("\n");
};

describe("the filter", () => {
  studioTest("comes back from its address as it was, at its rank", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter");
    await paste(page, gaussian(15));
    await expect.poll(() => rankOf(page).textContent()).toBe("1");
    await expect.poll(() => page.evaluate(() => location.hash)).toContain("15x15");
    const values = () => page.getByRole("grid", { name: /values of/ }).getByRole("gridcell").evaluateAll((cells) => cells.map((cell) => cell.getAttribute("aria-label"))); // biome-ignore format: one line
    const before = await values();
    await page.reload();
    await expect.poll(() => rankOf(page).textContent()).toBe("1");
    expect(await values()).toEqual(before);
  });

  studioTest("says which rank would do where numbers are rounded", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter");
    await paste(page, gaussian(31, 4));
    const said = page.locator(".enough");
    await expect
      .poll(() => said.textContent())
      .toMatch(/^1 term is within [\d.]+ %: 62 multiplications instead of 961\./);
    expect(Number(await rankOf(page).textContent())).toBeGreaterThan(3);
    await said.getByRole("button", { name: "Keep 1" }).click();
    await page.getByText("1 of", { exact: false }).first().waitFor();
    await said.getByRole("button", { name: /^Keep all/ }).waitFor();
  });

  studioTest("says what it understood of a paste, or what is wrong and where", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter");
    const notice = page.getByRole("alert");
    await paste(page, "K = [1 2 1; 2 4 2; 1 2 1]/16;");
    await notice.filter({ hasText: "Read as MATLAB: 3 × 3, times 0.0625." }).waitFor();
    expect(await page.getByLabel("Gain").inputValue()).toBe("0.0625");
    await paste(page, "1 2 3\n4 5");
    await notice.filter({ hasText: "Row 2 has 2 numbers, and row 1 has 3." }).waitFor();
    await paste(page, "hello world");
    await notice.filter({ hasText: "“hello” in row 1, column 1 is no number." }).waitFor();
    await page.getByText("Paste a filter as text").click();
    await page.getByLabel(/^Rows of numbers/).fill("np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]])");
    await page.getByRole("button", { name: "Take it", exact: true }).click();
    await notice.filter({ hasText: "Read as NumPy: 3 × 3." }).waitFor();
    await paste(page, "1 2 1 2 4 2 1 2 1");
    await notice.getByRole("button", { name: "Take it as 3 × 3" }).click();
    await page.getByRole("grid", { name: "values of the filter, 3 rows of 3" }).waitFor();
    await paste(page, "1 4 6 4 1", /taps of the row/);
    await page.getByRole("grid", { name: "values of the filter, 3 rows of 5" }).waitFor();
  });

  studioTest("is told in words that agree with the numbers", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter&filter=laplacian-4");
    await expect.poll(() => page.locator(".rank .figure").nth(1).textContent()).toBe(
      "1.33 ×as many multiplications in passes: they do not pay here",
    );
    await paste(page, "0 0\n0 0");
    await page.getByText("A filter of zeros has rank 0").waitFor();
    expect(await page.locator(".legend").textContent()).toBe("00");
  }); // biome-ignore format: one chain

  studioTest("is written over by what is typed after a double click", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter");
    const cell = page.getByRole("grid", { name: /values of/ }).getByRole("gridcell").nth(3); // biome-ignore format: one line
    await cell.dblclick();
    await page.keyboard.type("7");
    await page.keyboard.press("Enter");
    await expect.poll(() => cell.textContent()).toBe("7");
  });

  studioTest("lists its names in one line where there is little room", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter&filter=2x2:1,0,0,2", { viewport: { width: 360, height: 800 } });
    expect(await page.getByRole("toolbar", { name: "Filters by name" }).isVisible()).toBe(false);
    const names = page.getByRole("combobox", { name: "Filter" });
    expect(await names.evaluate((list: HTMLSelectElement) => list.selectedOptions[0]!.text)).toBe("own 2 × 2");
    expect(await names.locator("optgroup").count()).toBe(2);
    expect(await names.getByRole("option").count()).toBeGreaterThan(20);
    await names.selectOption("emboss");
    await expect.poll(() => page.evaluate(() => location.hash)).toContain("filter=emboss");
    expect(await names.inputValue()).toBe("emboss");
    expect((await names.boundingBox())!.height).toBeLessThan(60);
  });

  studioTest("has all its names in sight, at one stop of the tab key", async ({ visit }) => {
    for (const width of [1280, 768]) {
      const page = await visit("#v=1&tab=filter", { viewport: { width, height: 800 } });
      const names = page.getByRole("toolbar", { name: "Filters by name" });
      expect(await names.getByRole("group").count()).toBe(2);
      const boxes = await names.getByRole("button").evaluateAll((all) => all.map((one) => one.getBoundingClientRect().toJSON())); // biome-ignore format: one line
      expect(boxes.length).toBeGreaterThan(20);
      for (const { left, right } of boxes) expect([left >= 0, right <= width]).toEqual([true, true]);
      expect(await names.locator("[tabindex='0']").count()).toBe(1);
    }
    const page = await visit("#v=1&tab=filter&filter=box");
    await page.getByRole("button", { name: "box" }).focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Enter");
    await expect.poll(() => page.evaluate(() => location.hash)).toContain("filter=emboss");
  });
});

describe("the picture", () => {
  const box = async (page: Page, selector: string) => (await page.locator(selector).boundingBox())!;

  studioTest("zooms and moves inside its frame, with its result", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=box:size=5");
    await painted(page);
    const frame = await box(page, ".frame");
    const zoom = page.getByLabel("Zoom", { exact: true });
    for (const [value, wide] of [["0.25", 0.25], ["1", 1], ["8", 8]] as const) {
      await zoom.selectOption(value);
      await expect.poll(async () => (await box(page, "canvas.result")).width).toBeCloseTo(768 * wide, 0);
      expect(await box(page, ".frame")).toEqual(frame);
      const [whole, inside] = [await box(page, ".layer-of > canvas"), await box(page, "canvas.result")];
      expect(whole.width / inside.width).toBeCloseTo((768 + 46) / 768, 2);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      expect(width).toBeLessThanOrEqual(1280);
    }
    const before = await box(page, "canvas.result");
    await page.mouse.move(frame.x + frame.width * 0.2, frame.y + 150);
    await page.mouse.down();
    await page.mouse.move(frame.x + frame.width * 0.2 + 60, frame.y + 110, { steps: 5 });
    await page.mouse.up();
    const after = await box(page, "canvas.result");
    expect([after.x - before.x, after.y - before.y]).toEqual([60, -40]);
    expect(await page.evaluate(() => location.hash)).not.toContain("pixel");
    await page.mouse.dblclick(frame.x + frame.width * 0.2, frame.y + 150);
    await expect.poll(() => zoom.inputValue()).toBe("fit");
    await page.getByRole("group", { name: /^Pixel/ }).focus();
    await page.keyboard.press("+");
    await expect.poll(() => zoom.inputValue()).toBe("1");
    await page.keyboard.press("0");
    await expect.poll(() => zoom.inputValue()).toBe("fit");
    await page.mouse.move(frame.x + 100, frame.y + 100);
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -200);
    await page.keyboard.up("Control");
    await expect.poll(async () => (await box(page, "canvas.result")).width).toBeGreaterThan(frame.width * 1.5);
  }); // biome-ignore format: a table

  studioTest("works out the sum of the pixel under the pointer, beside it", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=sobel-x&type=i16");
    await painted(page);
    const picture = await box(page, "canvas.result");
    const sums = page.locator(".pixel .sum b");
    const seen = new Set<string>();
    for (const [x, y] of [[100, 60], [300, 200], [600, 400]] as const) {
      await page.mouse.move(picture.x + ((x + 0.5) / 768) * picture.width, picture.y + ((y + 0.5) / 512) * picture.height);
      await page.getByRole("heading", { name: `Pixel ${x}, ${y}` }).waitFor();
      const [direct, passes] = await sums.allInnerTexts();
      expect(direct).toBe(passes);
      const cells = await page.locator(".pixel .numbers").first().locator("span").allInnerTexts();
      const weights = [-1, 0, 1, -2, 0, 2, -1, 0, 1];
      const sum = cells.reduce((total, text, i) => total + Number(text) * weights[i]!, 0);
      expect(Number(direct!.replace("−", "-"))).toBe(sum);
      seen.add(cells.join());
    }
    expect(seen.size).toBe(3);
    const [stage, pixel] = [await box(page, ".stage"), await box(page, ".pixel")];
    expect(pixel.x).toBeGreaterThan(stage.x + stage.width - 1);
    expect(Math.abs(pixel.y - stage.y)).toBeLessThan(20);
    await page.waitForTimeout(400);
    expect(await page.evaluate(() => location.hash)).not.toContain("pixel");
  }); // biome-ignore format: long lines

  /** A picture whose right half is transparent, and a large one. */
  const pictures = async (page: Page, width: number, height: number, name: string): Promise<void> => {
    const bytes = await page.evaluate(
      async ([width, height]) => {
        const canvas = new OffscreenCanvas(width!, height!);
        const context = canvas.getContext("2d")!;
        context.fillStyle = "#f00";
        context.fillRect(0, 0, width! / 2, height!);
        return [...new Uint8Array(await (await canvas.convertToBlob()).arrayBuffer())];
      },
      [width, height],
    );
    await page.locator("input[type=file]").setInputFiles({ name, mimeType: "image/png", buffer: Buffer.from(bytes) });
    await page.getByText(new RegExp(`^${name}`)).waitFor();
    await settled(page);
  };

  studioTest("shows a chequerboard, and not the original, through what is transparent", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=identity");
    await painted(page);
    await pictures(page, 64, 64, "half.png");
    await page.getByText("Result", { exact: true }).first().click();
    const over = page.locator(".over");
    expect(await over.evaluate((element) => getComputedStyle(element).backgroundImage)).toContain("conic-gradient");
    const [a, b] = [(await over.boundingBox())!, await box(page, "canvas.result")];
    expect(a).toEqual(b);
  });

  studioTest("is shown pass by pass when it is large, as a piece, and saved as a file", async ({ visit }) => {
    const page = await visit("#v=1&tab=picture&filter=box:size=3&pixel=2000,5&border=edge");
    await painted(page);
    await pictures(page, 2200, 2000, "large.png");
    const passes = page.getByRole("region", { name: "Pass by pass" });
    await passes.scrollIntoViewIfNeeded();
    await expect.poll(() => passes.locator("canvas").evaluateAll((all) => all.map((one) => (one as HTMLCanvasElement).width))).toEqual([1024, 1024, 1024]); // biome-ignore format: one line
    await passes.getByText("A piece of it, around the pixel that was picked.").waitFor();
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Save the result" }).click();
    expect((await download).suggestedFilename()).toBe("large-box.png");
    const { width, height } = await sharp(await (await download).path()).metadata();
    expect([width, height]).toEqual([2200, 2000]);
  });
});

describe("the layer", () => {
  studioTest("has its kernels between input and output, in the library's order of channels", async ({ visit }) => {
    const page = await visit("#v=1&tab=layer&layer=12x3x5x2x256x1x1");
    const colours = (name: RegExp) => page.getByRole("img", { name }).locator("g[class]").evaluateAll((all) => all.map((one) => one.getAttribute("class")).reverse()); // biome-ignore format: one line
    await page.getByRole("button", { name: "1. Depthwise" }).click();
    expect(await colours(/^Out: 8 × 8 × 6/)).toEqual([0, 0, 1, 1, 2, 2].map((channel) => `channel${channel}`));
    const kernels = page.locator(".kernels");
    expect(await kernels.getByRole("img").count()).toBe(3);
    await kernels.getByText("and 3 more like these").waitFor();
    // A window on each sheet; of the regular layer and the pointwise one, a single one through all
    const edges = page.getByRole("img", { name: /^In: / }).locator("path.behind");
    const windows = page.getByRole("img", { name: /^In: / }).locator("rect.outline");
    expect([await windows.count(), await edges.count()]).toEqual([3, 0]);
    await page.getByRole("button", { name: "2. Pointwise" }).click();
    expect([await windows.count(), await edges.count()]).toEqual([6, 1]);
    expect(await colours(/^Filter 1 of 256/)).toEqual([0, 0, 1, 1, 2, 2].map((channel) => `channel${channel}`));
  });

  studioTest("has one count wherever it stands, sizes that fit, and a real table", async ({ visit }) => {
    const page = await visit("#v=1&tab=layer&layer=12x3x11x1x256x1x4");
    expect(await page.getByLabel("Dilation").inputValue()).toBe("1");
    await page.getByLabel("Input, height and width").fill("6");
    await expect.poll(() => page.getByLabel("Filters (kernels), height and width").inputValue()).toBe("6");
    await page.getByRole("button", { name: "12 × 12 × 3, 5 × 5" }).click();
    await page.getByText(/^Measured here/).waitFor();
    expect(await page.locator(".product b").textContent()).toBe("1,228,800");
    // Plans follow a moment after the sizes.
    await expect.poll(() => page.locator(".plan .chosen td").first().textContent()).toMatch(/^1,\d{3},\d{3}$/);
    await page.getByLabel("Output channels").fill("1");
    await page.getByText("as many: it does not pay here").waitFor();
    const table = page.getByRole("region", { name: "A real table of weights" });
    await table.getByText("Its rank is 9").waitFor();
    await page.getByLabel("Depth multiplier").fill("8");
    await expect.poll(() => table.textContent()).toMatch(/the error of this table is [0-9.]+ %/);
    expect(await page.getByText(/do not fit/).count()).toBe(0);
  });
});

describe("the page", () => {
  studioTest("has a title for each view, and a main landmark", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter&filter=box");
    const titles = new Set<string>();
    for (const name of ["Filter", "Picture", "Layer", "Model"]) {
      await page.getByRole("tab", { name }).click();
      await expect.poll(() => page.title()).toMatch(new RegExp(`^${name}`));
      titles.add(await page.title());
      expect(await page.getByRole("main").count()).toBe(1);
      expect(await page.getByRole("main").getByRole("tabpanel").count()).toBe(1);
    }
    expect(titles.size).toBe(4);
    expect([...titles][0]).toBe("Filter: box – rank1 studio");
  });

  studioTest("stays when files are dropped on any view, and takes those that it knows", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter");
    const drop = (name: string, type: string) =>
      page.evaluate(
        async ([name, type]) => {
          const canvas = new OffscreenCanvas(40, 30);
          canvas.getContext("2d")!.fillRect(0, 0, 20, 20);
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([await canvas.convertToBlob()], name!, { type: type! }));
          const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
          document.querySelector("#view")!.dispatchEvent(event);
          return event.defaultPrevented;
        },
        [name, type],
      );
    for (const view of ["Filter", "Layer"]) {
      await page.getByRole("tab", { name: view }).click();
      expect(await drop("notes.txt", "text/plain")).toBe(true);
      await page.getByRole("alert").filter({ hasText: "notes.txt is neither a picture nor an ONNX file" }).waitFor();
    }
    expect(await drop("own.png", "image/png")).toBe(true);
    await page.getByText(/^own\.png, 40 × 30/).waitFor();
    await page.getByRole("tab", { name: "Filter" }).click();
    expect(await drop("bad.onnx", "")).toBe(true);
    await page.getByRole("alert").filter({ hasText: "bad.onnx could not be opened" }).waitFor();
    expect(await page.getByRole("tab", { selected: true }).textContent()).toBe("Model");
  });

  studioTest("keeps bars and colours of numbers where colours are forced", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter&filter=disk:radius=3&rank=2", { forcedColors: "active" });
    const colours = (selector: string) => page.locator(selector).evaluateAll((all) => all.map((one) => getComputedStyle(one).backgroundColor)); // biome-ignore format: one line
    const canvas = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    for (const selector of [".bar i", ".spectrum i:not(.dropped)", ".grid [role=gridcell]"])
      expect((await colours(selector)).filter((colour) => colour === canvas)).toEqual([]);
    expect(new Set(await colours(".grid.cells [role=gridcell]")).size).toBeGreaterThan(2);
  });

  studioTest("loads no engine before a view needs one", async ({ visit }) => {
    const page = await visit("#v=1&tab=filter");
    await page.getByRole("grid").first().waitFor();
    await page.waitForTimeout(300);
    expect(page.workers()).toHaveLength(0);
    await page.getByRole("tab", { name: "Picture" }).click();
    await painted(page);
    await settled(page);
    expect(page.workers().length).toBeGreaterThan(0);
    expect(await page.locator(".engine").textContent()).toMatch(/^WebAssembly/);
  });
});
