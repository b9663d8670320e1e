// Learn as the studio's first view: what a visitor without an address sees, and the way on to the other views.
import { expect } from "vitest";
import { seriousFindings, studioTest } from "./studio.ts";

studioTest("the studio begins with Learn, and its address holds the screen", async ({ visit }) => {
  const page = await visit("");
  await page.getByRole("heading", { level: 1, name: "A picture is numbers" }).waitFor();
  expect(await page.getByRole("tab", { selected: true }).textContent()).toBe("Learn");
  const hash = () => page.evaluate(() => location.hash);
  await page.getByRole("button", { name: "6 Count" }).click();
  await expect.poll(hash).toContain("tab=learn&screen=count");
  await page.reload();
  await page.getByRole("heading", { level: 1, name: "Count both" }).waitFor();
  await page.getByRole("button", { name: /^Count a layer/ }).click();
  await expect.poll(() => page.getByRole("tab", { selected: true }).textContent()).toBe("Layer");
  await expect.poll(hash).toContain("tab=layer");
  await page.goBack();
  await page.getByRole("heading", { level: 1, name: "Count both" }).waitFor();
});

studioTest("it keeps what was done while other views are shown, and no engine starts for it", async ({ visit }) => {
  const page = await visit("#v=1&tab=learn&screen=split", { viewport: { width: 360, height: 800 } });
  await page.getByRole("button", { name: "Split it" }).click();
  expect(page.workers()).toHaveLength(0);
  await page.getByRole("tab", { name: "Filter" }).click();
  await page.getByRole("tab", { name: "Learn" }).click();
  await page.getByRole("button", { name: "Put it together" }).waitFor();
  expect(await page.locator(".tasks .done").count()).toBe(1);
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wider).toBeLessThanOrEqual(0);
  expect(await seriousFindings(page)).toEqual([]);
});
