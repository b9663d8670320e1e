// Learn as the studio's first view: what a visitor without an address sees, and the way on to the other views.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Page } from "playwright-core";
import { afterAll, expect } from "vitest";
import { buildLearn } from "../../scripts/learn.ts";
import { lessons, titles } from "../../web/src/learn/state.ts";
import { temporaryFolder } from "../node/folder.ts";
import { seriousFindings, studioTest } from "./studio.ts";

const file = join(temporaryFolder(), "learn-alone.html");
afterAll(() => rmSync(file, { force: true }));

/** Of everything on a screen of Learn what it is, and how it is drawn, apart from where and how large. */
async function drawn(page: Page): Promise<Record<string, string>[]> {
  await page.locator(".lesson").waitFor();
  await page.locator(".waiting").waitFor({ state: "detached" });
  return page.locator(".lesson, .lesson *, .lead, .tasks *").evaluateAll((all) =>
    all.map((one) => {
      const style = getComputedStyle(one);
      const parts = "background-color border-block border-inline color cursor display font fill margin opacity outline overflow padding position stroke translate visibility"; // biome-ignore format: one line
      const values = parts.split(" ").map((name) => [name, style.getPropertyValue(name)]);
      return { ...Object.fromEntries(values), name: `${one.tagName} ${one.getAttribute("class") ?? ""}` };
    }),
  );
}

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

studioTest("its screens look as they do alone: no other view's style reaches them", async ({ visit }) => {
  writeFileSync(file, await buildLearn());
  const page = await visit("");
  const alone = await page.context().newPage();
  for (const lesson of lessons) {
    await page.evaluate((hash) => {
      location.hash = hash;
    }, `#v=1&tab=learn&screen=${lesson}`);
    await expect.poll(() => page.locator(".path [aria-current]").textContent()).toBe(`${lessons.indexOf(lesson) + 1} ${titles[lesson]}`); // biome-ignore format: one line
    await alone.goto(`${pathToFileURL(file).href}#${lesson}`);
    expect(await drawn(page), lesson).toEqual(await drawn(alone));
  }
});

studioTest("the cells under its frames are all as wide, however long their numbers", async ({ visit }) => {
  const page = await visit("#v=1&tab=learn&screen=split", { viewport: { width: 360, height: 800 } });
  await page.getByRole("button", { name: "Split it" }).click();
  const next = page.getByRole("button", { name: "Next output" });
  for (let i = 0; i < 30; i++) await next.click();
  await page.getByRole("cell", { name: "−26" }).first().waitFor();
  for (const width of [360, 768, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    const spreads = await page.locator(".digits table").evaluateAll((tables) =>
      tables.map((table) => {
        const widths = [...table.querySelectorAll("td")].map((cell) => cell.getBoundingClientRect().width);
        return Math.max(...widths) - Math.min(...widths);
      }),
    );
    expect(Math.max(...spreads), `${width}`).toBeLessThan(0.5);
  }
});
