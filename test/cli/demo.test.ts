// rank1 demo: the files it writes, and whether its page stands alone and tells the truth.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { renderChart } from "../../demo/drawing/chart.ts";
import { examples } from "../../demo/examples.ts";
import { createEngine, explain, factorize } from "../../src/index.ts";
import { writePicture } from "../../src/node/encode.ts";
import { readPicture } from "../../src/node/pictures.ts";
import { launchBrowser, needBrowser } from "../browser/chromium.ts";
import { temporaryFolder } from "../node/folder.ts";
import { type Result, rank1, rank1With } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const out = path("tour");
const made = examples.flatMap(({ views }) => views.map(({ file }) => file));

let result: Result;
let html: string;
beforeAll(async () => {
  result = await rank1("demo", "-o", out);
  html = readFileSync(join(out, "index.html"), "utf8");
}, 60_000);

/** Comparing as bytes is a thousand times as fast as `toEqual`. */
const same = (a: ArrayBufferView, b: ArrayBufferView): boolean =>
  Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(new Uint8Array(b.buffer, b.byteOffset, b.byteLength));

const pixels = async (name: string): Promise<Uint8Array> => (await readPicture(join(out, name))).data as Uint8Array;

test("prints a short tour that ends with the page", () => {
  expect([result.code, result.stderr]).toEqual([0, ""]);
  const lines = result.stdout.trimEnd().split("\n");
  expect(lines.length).toBeLessThan(34);
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(130);
  expect(result.stdout).toMatch(
    /^gaussian:sigma=2 {2}17 × 17, rank 1: 289 → 34 multiplications a value\n {2}column-row [\d.]+ ms \(fft [\d.]+ ms, direct [\d.]+ ms\) → gaussian-2\.png$/m,
  );
  expect(result.stdout).toContain(
    "a layer  5 × 5, 12 × 12 × 3 to 8 × 8 × 256: 1,228,800 → 4,800 + 49,152 = 53,952 multiplications\n" +
      "  depthwise, pointwise: 12 × 12 × 3 → 8 × 8 × 3 → 8 × 8 × 256, 22.8 × fewer\n",
  );
  expect(lines.at(-1)).toBe(`Open ${join(out, "index.html")} in a browser to see it all.`);
});

test("its page stays short, and no wider than any screen", async ({ skip }) => {
  needBrowser(skip);
  const browser = await launchBrowser();
  try {
    // Half of what the page once took, and some room
    for (const [width, longest] of [[360, 12_500], [768, 11_300], [1280, 7_500]] as const) {
      const page = await browser.newPage({ viewport: { width, height: 800 } });
      await page.goto(pathToFileURL(join(out, "index.html")).href);
      const found = await page.evaluate(() => {
        const { scrollHeight, scrollWidth, clientWidth } = document.documentElement;
        return { long: scrollHeight, beyond: scrollWidth - clientWidth };
      });
      expect(found.beyond, `${width}`).toBeLessThanOrEqual(0);
      expect(found.long, `${width}`).toBeLessThan(longest);
      // biome-ignore lint/performance/useDomNodeTextContent: what is folded does not count
      expect((await page.locator("body").innerText()).split(/\s+/).length).toBeLessThan(1800);
    }
  } finally {
    await browser.close();
  }
}, 60_000); // biome-ignore format: a table

test("writes every picture, whole", async () => {
  expect(readdirSync(out).sort()).toEqual([...made, "scene.png", "chart.png", "index.html"].sort());
  for (const name of [...made, "scene.png", "chart.png"]) {
    const { width, height, channels } = await readPicture(join(out, name));
    expect([name, width, height, channels]).toEqual([name, 768, 512, 3]);
  }
});

test("the pictures are what the filters give", async () => {
  const [scene, chart] = await Promise.all(["scene.png", "chart.png"].map((name) => readPicture(join(out, name))));
  expect(same(await pixels("chart.png"), (await renderChart()).data)).toBe(true);
  const engine = await createEngine();
  expect(same(await pixels("sobel.png"), (await engine.filter(scene!, "sobel")).data)).toBe(true);
  expect(same(await pixels("gaussian-2.png"), (await engine.filter(chart!, "gaussian:sigma=2")).data)).toBe(true);
  const laplacian = (await engine.filter(chart!, "laplacian-8")).data;
  const magnitude = Uint8Array.from(laplacian, (v) => Math.min(255, Math.abs(v)));
  expect(same(await pixels("laplacian-8.png"), magnitude)).toBe(true);
  engine.dispose();
});

test("the difference of the approximation is amplified as the page says", async () => {
  const names = ["disk.png", "disk-tolerance.png", "disk-difference.png"];
  const [exact, close, shown] = (await Promise.all(names.map(pixels))) as [Uint8Array, Uint8Array, Uint8Array];
  const told = html.match(/differ by (\d+) of 255 at most, by ([\d.]+) on average; .* times (\d+)\./)!.slice(1);
  const [largest, mean, factor] = told.map(Number) as [number, number, number];
  const differences = exact.map((v, i) => Math.abs(v - close[i]!));
  expect(differences.reduce((max, v) => Math.max(max, v))).toBe(largest);
  expect(differences.reduce((sum, v) => sum + v, 0) / differences.length).toBeCloseTo(mean, 2);
  const amplified = differences.map((v) => v * factor);
  expect(same(shown, amplified)).toBe(true);
  expect(largest * factor).toBeGreaterThan(127);
  expect(largest * factor).toBeLessThanOrEqual(255);
});

test("the page needs nothing else, and no script", () => {
  expect(html.length).toBeLessThan(3e6);
  const text = html.replaceAll(/base64,[\w+/=]*/g, "");
  expect(text).not.toMatch(/https?:|\/\/|<script|<link|<iframe|@import|url\(|\son\w+=|srcset/i);
  for (const [, source] of text.matchAll(/\s(?:src|href)="([^"]*)"/g)) expect(source).toMatch(/^(data:image\/|#)/);
  for (const [, id] of text.matchAll(/href="#([^"]*)"/g)) expect(text).toContain(`id="${id}"`);
  const images = [...text.matchAll(/<img [^>]*>/g)].map(([tag]) => tag);
  for (const tag of images) expect(tag).toMatch(/ width="\d+" height="\d+".* alt="/);
  const opened = text.match(/<(div|section|figure|table|details|dl|ol|ul|p|pre)\b/g)!.length;
  expect(text.match(/<\/(div|section|figure|table|details|dl|ol|ul|p|pre)>/g)).toHaveLength(opened);
});

test("the page embeds every picture", async () => {
  const figures = html.matchAll(
    /<figure><img src="data:image\/webp;base64,([\w+/=]+)"[^>]*alt="[^"]+"><figcaption>[^<]+<code>([^<]+)</g,
  );
  const embedded = new Map([...figures].map(([, data, file]) => [file!, Buffer.from(data!, "base64")]));
  expect([...embedded.keys()].sort()).toEqual([...made, "scene.png", "chart.png"].sort());
  for (const [file, webp] of embedded) {
    const [shown, saved] = [(await readPicture(webp)).data, await pixels(file)];
    const error = saved.reduce((sum, v, i) => sum + Math.abs(v - shown[i]!), 0) / saved.length;
    expect(error, file).toBeLessThan(8);
  }
});

test("the figures of the page are those of factorize and plan", async () => {
  const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const engine = await createEngine();
  for (const { id, filter, options } of examples) {
    const section = html.match(new RegExp(`<section id="${id}">[^]*?</section>`))![0];
    const row = html.match(new RegExp(`<a href="#${id}">[^]*?</tr>`))![0];
    const spec = { width: 768, height: 512, channels: 3, dtype: "u8" } as const;
    const plan = engine.plan(engine.filterProblem(spec, filter, options));
    const [exact, kept] = [factorize(filter), factorize(filter, { tolerance: options.tolerance })];
    const factors = plan.error.relative > 0 ? kept : exact;
    expect(plan.error.relative).toBeCloseTo(factors.error, 12);
    expect(section).toContain(escapeHtml(explain(plan)));
    expect(section).toContain(`<b>${plan.solver}</b> ${plan.summary.replaceAll(/(?<=\d) x /g, " × ")} <em>chosen</em>`);
    expect(section).toMatch(/<td>[\d.,]+<\/td><td>[\d.]+ ms<\/td>/);
    const count = (value: number): string => value.toLocaleString("en-US");
    const { direct, separable } = factors.multiplications;
    expect(row).toContain(`<td>${count(direct)} → ${count(separable)}</td>`);
    expect(row).toContain(`<td>${exact.kh} × ${exact.kw}</td>`);
    expect(row).toMatch(/<td>[\d.]+ ms<\/td>/);
    expect(section).toContain(`= ${count(separable)} in passes`);
    const values = [...section.matchAll(/<li><span>([\d.]+)</g)].map(([, value]) => Number(value));
    expect(values).toHaveLength(Math.min(6, exact.rank));
    for (const [i, value] of values.entries()) expect(value / exact.singularValues[i]!).toBeCloseTo(1, 2);
    expect(section.match(/class="bar off" style[^>]*><\/span><\/span><\/li>/g) ?? []).toHaveLength(
      values.length - Math.min(values.length, factors.rank),
    );
  }
  engine.dispose();
});

test("the layer: shapes and numbers at each stage, drawn", () => {
  const section = html.match(/<section id="layer">.*?<\/section>/s)![0].replaceAll("\u00a0", " ");
  const stages = [...section.matchAll(/<figure class="stage">.*?<\/figure>/gs)].map(([figure]) => figure);
  const told = stages.map((figure) => [
    ...[...figure.matchAll(/<\/svg><span>([^<]*)</g)].map(([, text]) => text),
    ...figure.match(/[\d,]+ multiplications/)!,
  ]);
  expect(told).toEqual([
    ["12 × 12 × 3", "256 filters of 5 × 5 × 3: each sees all channels", "8 × 8 × 256", "1,228,800 multiplications"],
    ["12 × 12 × 3", "3 filters of 5 × 5 × 1: one for each channel", "8 × 8 × 3", "4,800 multiplications"],
    ["8 × 8 × 3", "256 filters of 1 × 1 × 3: three numbers each", "8 × 8 × 256", "49,152 multiplications"],
  ]);
  expect(section).toMatch(
    /<b>1,228,800<\/b> multiplications become <b>4,800 \+ 49,152 = 53,952<\/b>:\s22\.8 times fewer/,
  );
  expect(section).toContain("8 × 8 × 6 stand in");
  // Three channels in and out of the depthwise stage are three sheets each, its filters three more.
  expect(stages[1]!.match(/class="sheet channel0"/g)).toHaveLength(3);
  expect(stages[1]!.match(/class="sheet/g)).toHaveLength(9);
  for (const figure of stages) expect(figure).toMatch(/role="img" aria-label="[\d× ]+ in, [^"]+ out"/);
});

test("--image: a picture of one's own, shrunk where it is large; --json tells the tour", async () => {
  const large = { width: 1500, height: 30, channels: 2, alpha: true, data: new Uint16Array(90_000).fill(30_000) };
  await writePicture(path("my <own>.png"), large);
  const { code, stdout } = await rank1("demo", "--image", path("my <own>.png"), "-o", path("own"), "--json");
  expect(code).toBe(0);
  const json = JSON.parse(stdout);
  expect(json).toMatchObject({ version: 1, page: join(path("own"), "index.html") });
  expect(json.layer).toMatchObject({ direct: { multiplications: 1_228_800 }, separable: { multiplications: 53_952 } });
  expect(json.filters.map((f: { filter: string }) => f.filter)).toEqual(examples.map(({ filter }) => filter));
  expect(json.filters[1]).toMatchObject({
    ...{ rank: 1, exactRank: 1, error: 0, multiplications: { direct: 289, separable: 34 } },
    ...{ before: "input.png", after: ["gaussian-2.png"], plan: { solver: "column-row", error: 0 } },
  });
  for (const { plan, rejected } of json.filters) {
    for (const { milliseconds } of [plan, ...rejected]) expect(milliseconds).toBeGreaterThan(0);
  }
  expect(readdirSync(path("own")).sort()).toEqual([...made, "input.png", "index.html"].sort());
  const { width, height, channels, alpha } = await readPicture(join(path("own"), "input.png"));
  expect([width, height, channels, alpha]).toEqual([768, 15, 1, false]);
  expect(readFileSync(join(path("own"), "index.html"), "utf8")).toContain("/my &#60;own&#62;.png</code>");
});

test("--quiet prints nothing; a second run replaces the first with --force alone", async () => {
  await writePicture(path("dot.png"), { width: 1, height: 1, channels: 3, alpha: false, data: new Uint8Array(3) });
  for (let run = 0; run < 2; run++) {
    const silent = await rank1("demo", "--image", path("dot.png"), "-o", path("dot"), "--force", "--quiet");
    expect(silent).toEqual({ code: 0, stdout: "", stderr: "" });
  }
  expect(readdirSync(path("dot"))).toHaveLength(made.length + 2);
  const again = await rank1("demo", "--image", path("dot.png"), "-o", path("dot"));
  expect([again.code, again.stdout]).toEqual([1, ""]);
  expect(again.stderr).toMatch(/input\.png: expected a name that is free, got a file; --force replaces it\n$/);
});

test("bad input: one line, exit code 1, nothing written", async () => {
  writeFileSync(path("text.png"), "not a picture\n");
  mkdirSync(path("mine"));
  writeFileSync(
    path("mine/sobel.png"),
    await sharp({ create: { width: 4, height: 4, channels: 3, background: "teal" } })
      .png()
      .toBuffer(),
  );
  const cases: [args: string[], message: RegExp][] = [
    [
      ["--image", path("none.png"), "-o", path("new")],
      /none\.png: expected a readable file, got a name that does not exist$/,
    ],
    [
      ["--image", path("text.png"), "-o", path("new")],
      /text\.png: expected an intact PNG, .* picture, got data of another kind$/,
    ],
    [["-o", path("text.png")], /scene\.png: expected an existing folder, got .*text\.png, which is not a folder$/],
    [
      ["--image", path("mine/sobel.png"), "-o", path("mine"), "--force"],
      /: expected an output that is not one of the inputs, got the same file as /,
    ],
  ];
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await rank1("demo", ...args);
    expect([code, stdout], stderr).toEqual([1, ""]);
    expect(stderr).toMatch(/^rank1: [^\n]+\n$/);
    expect(stderr.trimEnd()).toMatch(message);
  }
  expect([existsSync(path("new")), readdirSync(path("mine"))]).toEqual([false, ["sobel.png"]]);
  expect((await rank1("demo", "--imag", "x.png")).code).toBe(2);
});

test("the commands that the page names run", async () => {
  const commands = [...html.matchAll(/npx rank1 ((?:filter|factor|layer|filters) ?[^<\n]*)/g)].map(([, text]) =>
    text!.replaceAll(/&#(\d+);/g, (_, code) => String.fromCharCode(code)),
  );
  expect(commands.length).toBeGreaterThan(20);
  for (const [i, command] of new Set(commands).entries()) {
    const words = command.split(" ").map((word) => word.replaceAll("'", ""));
    const args = words.map((word, at) => {
      const before = words[at - 1];
      if (before === "-o" || before === "--svg") return path(`commands/${i}/${word}`);
      return /\.(png|jpg)$/.test(word) ? join(out, word.replace("photo.jpg", "scene.png")) : word;
    });
    const { code, stderr } = await rank1(...args);
    expect([code, stderr], command).toEqual([0, expect.not.stringContaining("rank1: ")]);
  }
}, 60_000);

test("an interruption leaves whole pictures or none, and no page", async () => {
  const stopped = await rank1With(
    AbortSignal.timeout(400),
    "demo",
    "--image",
    join(out, "scene.png"),
    "-o",
    path("cut"),
  );
  expect([stopped.code, stopped.stderr]).toEqual([130, "rank1: interrupted\n"]);
  const left = existsSync(path("cut")) ? readdirSync(path("cut")) : [];
  expect(left.filter((name) => ![...made, "input.png"].includes(name))).toEqual([]);
  for (const name of left) await readPicture(join(path("cut"), name));
});

test("the README's picture is there, and small", async () => {
  const file = join(import.meta.dirname, "../../docs/images/sobel.png");
  expect(readFileSync(file).length).toBeLessThan(150_000);
  expect((await readPicture(file)).width).toBe(1200);
});
