// The studio's picture view in Firefox: it starts without an error, and filters as Node does.
import { afterAll, describe, expect, test } from "vitest";
import { type Firefox, firefoxPath, launchFirefox, noFirefox } from "./firefox.ts";
import { isolation, serve } from "./site.ts";
import { canvasText, expectFiltered, folder, pixelsIn } from "./studio.ts";

let browser: Promise<Firefox> | undefined;
afterAll(async () => (await browser)?.close());

const site = serve(folder, isolation);

/** It starts slowly where other tests run beside it. */
const patient = { timeout: 90_000 };

describe("in Firefox", () => {
  test("the picture view filters as Node does", { timeout: 300_000 }, async ({ skip }) => {
    skip(firefoxPath === undefined, noFirefox);
    browser ??= launchFirefox();
    const page = await browser;
    await page.open(`${await site}#v=1&tab=picture&filter=gaussian:sigma=2.4&border=edge`);
    const solver = (): string => /Filtered in .* by (.+?)\./.exec(document.body.textContent!)?.[1] ?? "";
    await expect.poll(() => page.evaluate(solver), patient).not.toBe("");
    const engine = () => document.querySelector(".engine")!.textContent;
    expect(await page.evaluate(engine)).toMatch(/^WebAssembly, \d+ threads?$/);
    const canvas = (selector: string) => page.evaluate(canvasText, selector);
    // Workers paint canvases, which show that a frame or more after the page says so: until then they are empty.
    const painted = async (selector: string): Promise<ReturnType<typeof canvasText>> => {
      await expect.poll(async () => /^A*=*$/.test((await canvas(selector)).text), patient).toBe(false);
      return canvas(selector);
    };
    const [result, framed] = [await painted("canvas.result"), pixelsIn(await painted(".layer-of > canvas"))];
    await expectFiltered(pixelsIn(result), framed, "gaussian:sigma=2.4", { border: "edge" });

    await page.evaluate(() => {
      const slider = [...document.querySelectorAll("label")].find((label) => label.textContent === "sigma")!
        .control as HTMLInputElement;
      slider.value = "1";
      slider.dispatchEvent(new Event("input", { bubbles: true }));
    });
    await expect.poll(async () => (await canvas("canvas.result")).text, patient).not.toBe(result.text);
    await expectFiltered(pixelsIn(await canvas("canvas.result")), framed, "gaussian:sigma=1", { border: "edge" });
    expect(page.errors).toEqual([]);
  });
});
