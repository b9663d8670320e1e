// The studio's model view in a real browser: a file of one's own, hostile ones, and separating.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { loadModel } from "../../src/onnx/index.ts";
import { attribute, big, model, node, tensor, value } from "../onnx/build.ts";
import { painted, seriousFindings, studioTest } from "./studio.ts";

const weights = Float32Array.from({ length: 8 * 3 * 9 }, (_, i) => Math.sin(i * i));
/** A network of one convolution, from 3 channels to 8. */
const small = model({
  nodes: [
    node("Conv", ["x", "w"], ["h"], { attribute: [attribute("pads", { ints: big([1, 1, 1, 1]), type: 7n })] }),
    node("Relu", ["h"], ["y"]),
  ],
  initializers: [tensor("w", [8, 3, 3, 3], { rawData: new Uint8Array(weights.buffer) })],
  inputs: [value("x", [1, 3, 16, 16])],
  outputs: [value("y", [1, 8, 16, 16])],
});
const open = (page: Page, name: string, buffer: Uint8Array) =>
  page
    .locator("input[type=file][accept='.onnx']")
    .setInputFiles({ name, mimeType: "application/octet-stream", buffer: Buffer.from(buffer) });

describe("the model view", () => {
  studioTest("lists layers, draws their losses, and runs on a picture", async ({ visit }) => {
    const page = await visit("#v=1&tab=model");
    await open(page, "small.onnx", small);
    await page.getByRole("heading", { name: "small.onnx" }).waitFor();
    expect(await page.locator(".summary").textContent()).toContain("55.3 k");
    await page.getByRole("button", { name: /conv 3 × 3/ }).click();
    const chart = page.getByRole("img", { name: /^Error of the weights/ });
    await chart.waitFor();
    const said = await chart.getAttribute("aria-label");
    for (const split of ["depthwise", "spatial", "bottleneck"]) expect(said).toContain(`${split}: `);
    await page.getByRole("button", { name: "Run and time it" }).click();
    await page.getByText(/a run \(median of \d+/).waitFor();
    await page.getByText(/y, 1 × 8 × 16 × 16: from 0 to/).waitFor();
  });

  studioTest("gives a message for hostile files, and stays usable", async ({ visit }) => {
    const page = await visit("#v=1&tab=model");
    const alert = page.getByRole("alert");
    const hostile: [string, Uint8Array][] = [
      ["text.onnx", new TextEncoder().encode("this is no model")],
      ["cut.onnx", small.subarray(0, small.length >> 1)],
      ["empty.onnx", new Uint8Array()],
      ["unknown.onnx", model({ nodes: [node("Evil", ["x"], ["y"])], inputs: [value("x", [1])], outputs: [value("y", [1])] })],
      ["huge.onnx", model({ nodes: [node("Relu", ["x"], ["y"])], initializers: [tensor("w", [2 ** 30, 2 ** 20], { rawData: new Uint8Array(4) })], inputs: [value("x", [1])], outputs: [value("y", [1])] })],
    ]; // biome-ignore format: a table
    for (const [name, buffer] of hostile) {
      await open(page, name, buffer);
      await alert.filter({ hasText: `${name} could not be opened` }).waitFor();
    }
    await open(page, "small.onnx", small);
    await page.getByRole("heading", { name: "small.onnx" }).waitFor();
  });
});

describe("separating in the model view", () => {
  const section = (page: Page) => page.getByRole("region", { name: "Separate it" });
  const openExample = async (visit: (hash?: string) => Promise<Page>): Promise<Page> => {
    const page = await visit("#v=1&tab=model");
    await page.getByRole("button", { name: "Try it with the bundled network" }).click();
    await page.getByRole("heading", { name: "shapes.onnx" }).waitFor();
    return page;
  };

  studioTest(
    "rewrites the bundled network, says what that costs, and gives the file",
    { timeout: 240_000 },
    async ({ visit }) => {
      const page = await openExample(visit);
      await section(page).getByRole("radio", { name: "Its weights alone" }).check();
      await section(page).getByLabel("Depth multiplier of each layer").fill("5");
      await section(page).getByRole("button", { name: "Separate", exact: true }).focus();
      await page.keyboard.press("Enter");
      await section(page).getByRole("progressbar").waitFor();
      const link = section(page).getByRole("link", { name: /Download the separated model/ });
      await link.waitFor({ timeout: 200_000 });
      const text = (await section(page).textContent())!;
      expect(Number(/([\d.]+) ×fewer multiplications/.exec(text)![1])).toBeGreaterThan(1.05);
      const [, after, before] = /([\d.]+) %of 300 [^;]+; ([\d.]+) % before/.exec(text)!.map(Number) as [
        number,
        number,
        number,
      ];
      expect(before).toBeGreaterThan(88);
      expect(after).toBeGreaterThan(before / 2);
      expect(await section(page).getByRole("row").count()).toBeGreaterThan(3);
      const download = page.waitForEvent("download");
      await link.click();
      const file = readFileSync(await (await download).path());
      expect((await download).suggestedFilename()).toBe("shapes-separated.onnx");
      const loaded = await loadModel(new Uint8Array(file));
      expect(loaded.graph.nodes.length).toBeGreaterThan(10);
      expect(await seriousFindings(page)).toEqual([]);
    },
  );

  studioTest(
    "by the weights alone or by pictures of one's own, and both run on a picture",
    { timeout: 120_000 },
    async ({ visit }) => {
      const page = await visit("#v=1&tab=picture");
      await painted(page);
      await page.getByRole("tab", { name: "Model" }).click();
      await open(page, "small.onnx", small);
      await section(page).getByRole("radio", { name: "Its weights alone" }).check();
      await section(page).getByLabel("Depth multiplier of each layer").fill("2");
      await section(page).getByRole("button", { name: "Separate", exact: true }).click();
      await section(page).getByText("depthwise × 2, pointwise").waitFor({ timeout: 60_000 });
      await section(page).getByRole("button", { name: "Compare both on your picture" }).click();
      await section(page)
        .getByText(/y: they differ by [\d.]+ % on average/)
        .waitFor();

      const picture = readFileSync(join(import.meta.dirname, "../../web/public/chart.webp"));
      const broken = { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("no picture") };
      await section(page).getByRole("radio", { name: "Your pictures" }).check();
      const chooser = section(page).locator("input[type=file]:not([webkitdirectory])");
      const separate = () => section(page).getByRole("button", { name: "Separate", exact: true }).click();
      await chooser.setInputFiles([broken]);
      await separate();
      await page.getByRole("alert").filter({ hasText: "none of the files is a picture" }).waitFor();
      await chooser.setInputFiles([{ name: "chart.webp", mimeType: "image/webp", buffer: picture }, broken]);
      await section(page).getByLabel("Larger ones").selectOption("pieces");
      await section(page).getByLabel("Divide the multiplications by").fill("1.5");
      await separate();
      await section(page).getByText("Left out, no pictures: broken.png.").waitFor({ timeout: 60_000 });
      await section(page)
        .getByRole("img", { name: /^Damage by reduction: / })
        .waitFor();
    },
  );

  studioTest("can be cancelled, and begun again", { timeout: 120_000 }, async ({ visit }) => {
    const page = await openExample(visit);
    await section(page).getByRole("button", { name: "Separate", exact: true }).click();
    await section(page).getByRole("progressbar").waitFor();
    await section(page).getByRole("button", { name: "Cancel" }).click();
    await section(page)
      .getByRole("button", { name: "Separate", exact: true, disabled: false })
      .waitFor({ timeout: 60_000 });
    expect(await page.getByRole("alert").textContent()).toBe("");
    await page.getByRole("button", { name: "Run and time it" }).click();
    await page.getByText(/a run \(median of \d+/).waitFor();
  });
});
