// The studio's model view in a real browser: a file of one's own, hostile ones, and separating.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { describe, expect } from "vitest";
import { loadModel } from "../../src/onnx/index.ts";
import { dataPath, withoutData } from "../data.ts";
import { attribute, big, model, node, tensor, value } from "../onnx/build.ts";
import { painted, seriousFindings, settled, studioTest } from "./studio.ts";

/** A network of one or two 3 × 3 convolutions: the channels of its picture, of what is between, and of the result. */
function network(side: number, ...channels: number[]): Uint8Array {
  const pads = { attribute: [attribute("pads", { ints: big([1, 1, 1, 1]), type: 7n })] };
  const layers = channels
    .slice(1)
    .map((outputs, i) => ({ outputs, inputs: channels[i]!, from: `h${i}`, to: `h${i + 1}` }));
  const weightsOf = (length: number): Uint8Array =>
    new Uint8Array(Float32Array.from({ length }, (_, i) => Math.sin(i * i) / 5).buffer);
  return model({
    nodes: [
      ...layers.map(({ from, to }) => node("Conv", [from, `w${to}`], [to], pads)),
      node("Relu", [layers.at(-1)!.to], ["y"]),
    ],
    initializers: layers.map(({ inputs, outputs, to }) => tensor(`w${to}`, [outputs, inputs, 3, 3], { rawData: weightsOf(outputs * inputs * 9) })),
    inputs: [value("h0", [1, channels[0]!, side, side])],
    outputs: [value("y", [1, channels.at(-1)!, side, side])],
  }); // biome-ignore format: one model
}
const small = network(16, 3, 8);

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
    const spectra = await page.getByRole("img", { name: /^Singular values/ }).getAttribute("aria-label");
    for (const split of ["depthwise, pointwise", "column, row", "bottleneck"]) {
      expect(said).toMatch(new RegExp(`${split}: [\\d.]+ % at 25 %`));
      expect(spectra).toMatch(new RegExp(`${split}: [\\d.]+ at 25 %`));
    }
    await page.getByRole("button", { name: "Run and time it" }).click();
    await page.getByText(/a run \(median of \d+/).waitFor();
    await page.getByText(/y, 1 × 8 × 16 × 16: from 0 to/).waitFor();
  });

  studioTest(
    "a large model is open at once; what its splits lose follows, and stops for another",
    async ({ visit }) => {
      const page = await visit("#v=1&tab=model");
      await open(page, "large.onnx", network(16, 3, 240, 240, 240, 240));
      await page.getByRole("heading", { name: "large.onnx" }).waitFor();
      const layers = page.getByRole("region", { name: "Layers" });
      await layers.getByRole("progressbar", { name: "Estimating what splits lose" }).waitFor();
      expect(await layers.getByRole("button", { name: /conv 3 × 3/ }).count()).toBe(4);
      await layers.getByText("…", { exact: true }).first().waitFor();
      // A run is neither held up nor slowed by what is still to be estimated
      await page.getByRole("button", { name: "Run and time it" }).click();
      await page.getByText(/a run \(median of \d+/).waitFor();
      await layers.getByRole("progressbar").waitFor({ state: "detached", timeout: 60_000 });
      expect(await layers.getByText(/% lost$/).count()).toBe(4);
      await open(page, "large-again.onnx", network(16, 3, 240, 240, 240, 240));
      await layers.getByRole("progressbar").waitFor();
      await open(page, "small.onnx", small);
      await page.getByRole("heading", { name: "small.onnx" }).waitFor();
      await layers.getByText(/% lost$/).waitFor();
      await settled(page);
      expect(await layers.getByText(/% lost$/).count()).toBe(1);
      expect(await page.getByRole("alert").textContent()).toBe("");
    },
  );

  const zoo = withoutData("zoo") === "" ? readdirSync(dataPath("zoo")).filter((name) => name.endsWith(".onnx")) : [];

  studioTest("opens published models, or says why not", { timeout: 300_000 }, async ({ visit, skip }) => {
    skip(zoo.length === 0, withoutData("zoo"));
    const page = await visit("#v=1&tab=model");
    const alert = page.getByRole("alert");
    for (const name of zoo) {
      await open(page, name, readFileSync(dataPath("zoo", name)));
      const heading = page.getByRole("heading", { name, exact: true });
      await expect.poll(async () => (await heading.isVisible()) || (await alert.textContent()) !== "", { timeout: 60_000 }).toBe(true); // biome-ignore format: a line
    }
  });

  studioTest("gives a message for hostile files, and stays usable", async ({ visit }) => {
    const page = await visit("#v=1&tab=model");
    const alert = page.getByRole("alert");
    const hostile: [string, Uint8Array][] = [
      ["text.onnx", new TextEncoder().encode("this is no model")],
      ["cut.onnx", small.subarray(0, small.length >> 1)],
      ["empty.onnx", new Uint8Array()],
      ["huge.onnx", model({ nodes: [node("Relu", ["x"], ["y"])], initializers: [tensor("w", [2 ** 30, 2 ** 20], { rawData: new Uint8Array(4) })], inputs: [value("x", [1])], outputs: [value("y", [1])] })],
    ]; // biome-ignore format: a table
    for (const [name, buffer] of hostile) {
      await open(page, name, buffer);
      await alert.filter({ hasText: `${name} could not be opened` }).waitFor();
    }
    // What nobody computes is shown all the same.
    const unknown = model({
      nodes: [node("Evil", ["x"], ["y"])],
      inputs: [value("x", [1])],
      outputs: [value("y", [1])],
    });
    await open(page, "unknown.onnx", unknown);
    await page.getByText("It cannot run: nobody here computes Evil.").waitFor();
    await open(page, "small.onnx", small);
    await page.getByRole("heading", { name: "small.onnx" }).waitFor();
  });
});

studioTest("a run is cancelled at once, and leaves nothing", async ({ visit }) => {
  const page = await visit("#v=1&tab=picture");
  await painted(page);
  await page.getByRole("tab", { name: "Model" }).click();
  await open(page, "heavy.onnx", network(512, 3, 128, 128));
  const run = page.getByRole("button", { name: "Run and time it", disabled: false });
  await run.click();
  await page.getByRole("region", { name: "Run it" }).getByRole("button", { name: "Cancel" }).click();
  await run.waitFor();
  await settled(page);
  expect(await page.getByText(/a run \(median of \d+/).count()).toBe(0);
  expect(await page.getByRole("alert").textContent()).toBe("");
});

studioTest("a model and a picture can be dropped, and be taken away as commands", async ({ visit }) => {
  const page = await visit("#v=1&tab=model");
  const dropped = (name: string, type: string, bytes: Uint8Array) =>
    page.locator(".model-view").evaluate(
      (element, { name, type, text }) => {
        const dataTransfer = new DataTransfer();
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        dataTransfer.items.add(new File([bytes], name, { type }));
        element.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
      },
      { name, type, text: Buffer.from(bytes).toString("base64") },
    );
  await dropped("small.onnx", "", small);
  await page.getByRole("heading", { name: "small.onnx" }).waitFor();
  await dropped("chart.webp", "image/webp", readFileSync(join(import.meta.dirname, "../../web/public/chart.webp")));
  await page.getByText(/^On “chart\.webp”/).waitFor();
  await page.getByLabel("Values go in as").selectOption("−1 to 1");
  await page.getByRole("radio", { name: "Its weights alone" }).check();
  await page.getByRole("radio", { name: "Command line" }).check();
  const said = await page.getByRole("region", { name: "Copy" }).locator("pre").textContent();
  expect(said).toContain("run small.onnx photo.jpg --mean 0.5,0.5,0.5 --std 0.5,0.5,0.5");
  expect(said).toContain("separate small.onnx -o small-separated.onnx --rank 4");
});

const faces = ["models", "ultraface-slim-320.onnx"] as const;
studioTest.skipIf(withoutData(...faces))(`UltraFace finds faces${withoutData(...faces)}`, async ({ visit }) => {
  const page = await visit("#v=1&tab=model");
  await open(page, "faces.onnx", readFileSync(dataPath(...faces)));
  await page.getByRole("heading", { name: "faces.onnx" }).waitFor();
  await page.getByText(/^On “A painted landscape”/).waitFor();
  await page.getByLabel("Another picture…").first().setInputFiles(dataPath("images", "faces-1.jpg"));
  await page.getByText(/^On “faces-1\.jpg”/).waitFor();
  await page.getByRole("button", { name: "Run and time it" }).click();
  const found = page.getByText(/^\d+ boxes found, with scores from/);
  await found.waitFor();
  expect(Number.parseInt((await found.textContent())!, 10)).toBeGreaterThan(35);
  expect(await page.locator(".boxes rect").count()).toBe(Number.parseInt((await found.textContent())!, 10));
});

studioTest("the bundled network is asked about shapes, and answers with their names", async ({ visit }) => {
  const page = await visit("#v=1&tab=model");
  await page.getByRole("button", { name: "Try it with the bundled network" }).click();
  await page.getByText(/^On “A drawn \w+”/).waitFor();
  await page.getByRole("button", { name: "Run and time it" }).click();
  await page.getByText(/a run \(median of \d+/).waitFor();
  const drawn = /A drawn (\w+)/.exec((await page.getByText(/^On “A drawn/).textContent())!)![1]!;
  const named = await page.locator(".scores li span:first-child").allTextContents();
  expect(named).toHaveLength(5);
  expect(named).toContain(drawn);
  expect(named.join()).not.toContain("class");

  const amounts = () => page.locator(".layers .kind b").allTextContents();
  const shares = async () => (await page.locator(".layers li .amount:nth-of-type(4)").allTextContents()).map(Number.parseFloat); // biome-ignore format: one line
  const before = await amounts();
  await page.getByRole("radio", { name: "Dearest first" }).check();
  const sorted = await shares();
  expect(sorted).toEqual(sorted.toSorted((a, b) => b - a));
  expect((await amounts()).toSorted()).toEqual(before.toSorted());
  await page.getByRole("radio", { name: "As they run" }).check();
  await page.getByRole("button", { name: /conv 3 × 3/ }).first().click();
  await page.getByRole("img", { name: /^24 of 24 kernels, 3 × 3/ }).waitFor();
  await page.getByText("24 kernels, 3 × 3: of 3 channels, the first.").waitFor();
}); // biome-ignore format: long lines

studioTest("says how much of a model is separable already", async ({ visit }) => {
  const page = await visit("#v=1&tab=model");
  const weights = (shape: number[]) => tensor(`w${shape[3]}`, shape, { rawData: new Uint8Array(4 * shape.reduce((product, side) => product * side, 1)) }); // biome-ignore format: one line
  const bytes = model({
    nodes: [
      node("Conv", ["x", "w3"], ["h"], { attribute: [attribute("group", { i: 8n, type: 2n })] }),
      node("Conv", ["h", "w1"], ["y"]),
    ],
    initializers: [weights([8, 1, 3, 3]), weights([16, 8, 1, 1])],
    inputs: [value("x", [1, 8, 16, 16])],
    outputs: [value("y", [1, 16, 14, 14])],
  });
  await open(page, "mobile.onnx", bytes);
  await page.getByText("100 % of the multiplications are depthwise or pointwise already: little to gain.").waitFor();
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
      const text = (await section(page).textContent())!.replaceAll("\u00a0", " ");
      // The same count above and below, and words that agree with the times
      const all = /([\d.]+ k)parameters/.exec((await page.locator(".summary").textContent())!)![1];
      expect(text).toContain(`parameters; ${all} before`);
      const [, factor, word, first, second] = /([\d.]+) ×(as fast|as slow|the time) in this browser: ([\d.]+) ms → ([\d.]+) ms/.exec(text)!; // biome-ignore format: one line
      const ratio = Number(first) / Number(second);
      expect(Math.abs(Number(factor) / Math.max(ratio, 1 / ratio) - 1)).toBeLessThan(0.02);
      if (word !== "the time") expect(word === "as fast").toBe(ratio > 1);
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
      await page.getByLabel("Larger pictures").selectOption("pieces");
      await section(page).getByLabel("Divide the multiplications by").fill("1.5");
      await separate();
      await section(page).getByText("Left out, no pictures: broken.png.").waitFor({ timeout: 60_000 });
      await section(page)
        .getByRole("img", { name: /^Loss by reduction: / })
        .waitFor();
    },
  );

  studioTest("puts pictures that two models make on both sides of a divider", { timeout: 120_000 }, async ({ visit }) => {
    const page = await visit("#v=1&tab=model");
    await open(page, "same-size.onnx", network(24, 3, 3));
    expect(await page.getByLabel("Larger pictures").inputValue()).toBe("pieces");
    await section(page).getByRole("radio", { name: "Its weights alone" }).check();
    await section(page).getByLabel("Depth multiplier of each layer").fill("1");
    await section(page).getByRole("button", { name: "Separate", exact: true }).click();
    await section(page).getByRole("button", { name: "Compare both on your picture" }).click({ timeout: 60_000 });
    await section(page).getByText(/^y: the largest difference is .* a PSNR of [\d.]+ dB/).waitFor();
    await section(page).getByLabel(/^Divider: the original/).fill("20");
    const clip = section(page).locator(".two-up > div");
    await expect.poll(() => clip.evaluate((element) => getComputedStyle(element).clipPath)).toBe("inset(0px 0px 0px 20%)");
  }); // biome-ignore format: long lines

  studioTest("ends in the middle of a long fit when it is cancelled", { timeout: 240_000 }, async ({ visit }) => {
    const page = await visit("#v=1&tab=model");
    // Its second layer takes many times as long to fit as is waited for below
    await open(page, "wide.onnx", network(4, 3, 320, 64));
    await section(page).getByRole("radio", { name: "Its weights alone" }).check();
    const separate = section(page).getByRole("button", { name: "Separate", exact: true, disabled: false });
    await separate.click();
    await section(page)
      .getByText(/fitting layers\s+50 %/)
      .waitFor({ timeout: 60_000 });
    await section(page).getByRole("button", { name: "Cancel" }).click();
    await separate.waitFor({ timeout: 2500 });
    expect(await page.getByRole("alert").textContent()).toBe("");
    await page.getByRole("button", { name: "Run and time it" }).click();
    await page.getByText(/a run \(median of \d+/).waitFor();
  });

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
