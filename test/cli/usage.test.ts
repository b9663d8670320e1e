// What the command line takes: bad input gives one clear line on the standard error, the right exit code, and nothing written;
// old spellings name the new ones; files that exist stay; help.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError, usage } from "../../src/cli/arguments.ts";
import { createProgram } from "../../src/cli/program.ts";
import { InvalidArgumentError } from "../../src/errors.ts";
import { temporaryFolder } from "../node/folder.ts";
import { rank1, spawnRank1 } from "./run.ts";

const folder = temporaryFolder();
const contents = ["in.png", "other", "text.png"];

beforeAll(async () => {
  await sharp({ create: { width: 20, height: 10, channels: 3, background: "teal" } })
    .png()
    .toFile(join(folder, "in.png"));
  writeFileSync(join(folder, "text.png"), "not a picture\n");
  mkdirSync(join(folder, "other"));
  process.chdir(folder);
});
const before = process.cwd();
afterAll(() => process.chdir(before));

const filter = (...rest: string[]): string[] => ["filter", "in.png", "-o", "out.png", "-f", ...rest];

const wrong: [args: string[], message: RegExp][] = [
  [filter("[[1,2],[3]]"), /^filter row 1: expected 2 numbers, got 1$/],
  [filter("[[1,NaN]]"), /^filter: expected JSON such as \[\[1, 2, 1\]\] .*, got \[\[1,NaN\]\] \(.*\)$/],
  [filter("[[1,1e999]]"), /^filter row 0\[1\]: expected a finite number, got Infinity$/],
  [filter("[]"), /^filter: expected at least one row/],
  [filter("{}"), /^filter: expected a name, rows of numbers/],
  [filter("sobl"), /^filter: expected a known name, got "sobl"; did you mean "sobel"\?$/],
  [filter("gausian"), /^filter: expected a known name, got "gausian"; did you mean "gaussian"\?$/],
  [filter("gaussian:sigma=0"), /^gaussian sigma: expected a finite number above 0, got 0$/],
  [filter("gaussian:sgima=1"), /^parameter of gaussian: .*did you mean "sigma"\?$/],
  [filter("box:1000001"), /^side of box: expected at most 2049 pixels, got 1000001; raise it with --max-filter-side$/],
  [filter("sobel-x", "--border", "reflekt"), /^border: expected one of .*; did you mean "reflect"\?$/],
  [filter("sobel-x", "--border", "replicate"), /^border: .*; here its name is "edge"$/],
  [filter("sobel-x", "--anchor", "3,0"), /^anchor x: expected an integer from 0 to 2, got 3$/],
  [
    filter("sobel-x", "--anchor", "1"),
    /^option '--anchor <x,y>' argument '1' is invalid\. Expected x,y such as 1,1\.$/,
  ],
  [filter("sobel-x", "--gain", "much"), /^option '--gain <number>' argument 'much' is invalid\. Expected a number\.$/],
  [filter("box:3", "--border", "constant", "--border-value", "300"), /^borderValue: expected an integer from 0 to 255/],
  [filter("box:3", "--tolerance", "2"), /^tolerance: expected a finite number from 0 to 1, got 2$/],
  [
    filter("box:3", "--region", "10x20x30x40"),
    /^option '--region <x,y,w,h>' argument '10x20x30x40' is invalid\. Expected x,y,width,height such as 10,20,300,200\.$/,
  ],
  [filter("box:3", "--raw", "3x:u8"), /^option '--raw <WxHxC:type>' .* Expected WIDTHxHEIGHTxCHANNELS:TYPE/],
  [filter("box:3", "--strategy", "fast"), /^strategy: expected one of .*, got "fast"$/],
  [filter("box:3", "--show", "abs"), /^--show: expected filters with a signed result/],
  [filter("box:3", "--linear", "--type", "f32"), /^--type: expected u8 or u16 with --linear, got f32$/],
  [filter("box:3", "--quality", "0"), /^option '--quality <1-100>' argument '0' is invalid/],
  [filter("box:3", "--threads", "65"), /^threads: expected an integer from 1 to 64, got 65$/],
  [filter("box:3", "--sigma", "3"), /^unknown option '--sigma'/],
  [["filter", "-f", "box:3"], /^files: expected pictures, or - for one on the standard input, got none$/],
  [
    ["filter", "in.png", "-f", "box:3"],
    /^-o: expected where results go, such as -o result\.png or -o results\/, got none$/,
  ],
  [
    ["filter", "in.png", "out.png", "-f", "box:3"],
    /^-o: .* \(all files are inputs: rank1 filter in\.png -o out\.png\), got none$/,
  ],
  [
    filter("box:3", "--output", "out.bmp"),
    /^out\.bmp: expected a name that ends in \.png, .*, got \.bmp; --format png says it otherwise$/,
  ],
  [["filter", "in.bmp", "-o", "new/", "-f", "box:3"], /^in\.bmp: .*, got \.bmp; --format png says it otherwise$/],
  [
    ["filter", "in.png", "text.png", "-o", "new", "-f", "box:3"],
    /^-o: expected a folder for 2 pictures, such as new\/, got new$/,
  ],
  [["filter", "in.png", "in.png", "-o", "other", "-f", "box:3"], /^-o: .*, got other\/in\.png twice$/],
  [["filter", "other", "-o", "new/", "-f", "box:3"], /^other: expected files in it that end in \.png, .*, got none$/],
  [
    ["filter", "-", "-o", "new/", "-f", "box:3"],
    /^-o: expected a file for what the standard input holds, got a folder$/,
  ],
  [["filter", "-", "-o", "out.png", "-f", "-"], /^--filter: expected a file, got -, which is what an input reads$/],
  [["filter", "in.png", "-o", "-", "-f", "box:3", "--json"], /^--json: expected results in files, got -o -$/],
  [
    ["filter", "in.png", "-o", "out.png"],
    /^-f: expected a filter, such as -f sobel \(rank1 filters lists names\), got none$/,
  ],
  [
    filter("box:3", "-f", "box:5", "--anchor", "1,1"),
    /^--anchor: expected one filter, of which it is an option, got 2$/,
  ],
  [filter("box:3", "-f", "gausian"), /^filter: expected a known name, got "gausian"/],
  [filter("box:3", "--border-value", "3"), /^--border-value: expected --border constant, .*, got none$/],
  [filter("box:3", "--border-value", "3", "--border", "edge"), /^--border-value: .*, got --border edge$/],
  [filter("box:3", "--quality", "500"), /'500' is invalid\. Expected an integer from 1 to 100/],
  [filter("box:3", "--page", "0"), /'0' is invalid\. Expected an integer of at least 1/],
  [filter("box:3", "--raw", "9x9x1:u9"), /'9x9x1:u9' is invalid\. Expected WIDTHxHEIGHTxCHANNELS:TYPE/],
  [filter("box:3", "--raw", "9"), /'9' is invalid\. Expected WIDTHxHEIGHTxCHANNELS:TYPE/],
  [filter('{"kh":1,"kw":1,"values":[1],"gian":2}'), /^filter key: .*got "gian"; did you mean "gain"/],
  [filter("box:3", "--size", "9x9"), /^--size: expected --explain, of which it is an option, got none$/],
  [filter("box:3", "--size", "9x9", "--explain"), /^--size: expected either pictures or their size, got both$/],
  [filter("box:3", "--depth", "16", "--explain"), /^--depth: expected --size, of which it is an option, got none$/],
  [["factor", "sobel-x", "--rank", "0"], /^option '--rank <terms>' argument '0' is invalid\. Expected an integer/],
  [["filter", "-f", "box:3", "--explain", "--size", "wide"], /^option '--size <WxHxC>' argument 'wide' is invalid/],
  [["factor", "sobel-x", "--svg", "-", "--json"], /^--svg: expected a file beside --json, got -$/],
  [["factor", "sobel-x", "--svg", "new/"], /^new\/: expected the name of a file, got a folder$/],
  [["demo", "-o", "-"], /^-o: expected a folder, got -$/],
  // Spellings of earlier versions
  [["filter", "in.png", "--out-dir", "new", "--filter", "box:3"], /^--out-dir: is spelt -o FOLDER\/ now$/],
  [["filter", "in.png", "--out-dir=new", "--filter", "box:3"], /^--out-dir: is spelt -o FOLDER\/ now$/],
  [
    ["filter", "in.png", "out.png", "--filter", "sobel", "--output", "u8"],
    /^--output: expected where the result goes, got u8; an element type is --type u8$/,
  ],
  [["run", "m.onnx", "--image", "in.png"], /^--image: is spelt files after the model: rank1 run MODEL PICTURE now$/],
  [["run", "m.onnx", "in.png", "--profile"], /^--profile: is spelt --timings now$/],
  [["bench", "--profile", "new.json"], /^--profile: is spelt --save-profile now$/],
  [["bench", "--calibrate"], /^--calibrate: is spelt --learn now$/],
  [["demo", "--out-dir", "new"], /^--out-dir: is spelt -o FOLDER\/ now$/],
  [["layer", "9x9x3", "--depth-multiplier", "2"], /^--depth-multiplier: is spelt --multiplier now$/],
  [["explain", "disk:9", "--size", "9x9"], /^explain: is an option now: rank1 filter -f disk:9 --explain$/],
  [["explain"], /^explain: is an option now: rank1 filter -f FILTER --explain$/],
  [["explain", "some/m.onnx"], /^explain: is an option now: rank1 run some\/m\.onnx --explain$/],
  [["explain", "--layer", "9x9x3", "--kernel", "3"], /^explain: is an option now: rank1 layer 12x12x3 --kernel 5x5 /],
  [["fitler"], /^unknown command 'fitler' \(Did you mean filter\?\)$/],
];

const failing: [args: string[], message: RegExp][] = [
  [
    ["filter", "no.png", "-o", "out.png", "-f", "box:3"],
    /^no\.png: expected a readable file, got a name that does not exist$/,
  ],
  [
    ["filter", "text.png", "-o", "out.png", "-f", "box:3"],
    /^text\.png: expected an intact PNG, .* picture, got data of another kind$/,
  ],
  [
    ["filter", "text.png", "-o", "in.png", "-f", "box:3"],
    /^in\.png: expected a name that is free, got a file; --force replaces it$/,
  ],
  [
    ["filter", "text.png", "-o", "in.png/", "-f", "box:3"],
    /^in\.png\/text\.png: expected an existing folder, got in\.png/,
  ],
  [["filter", "text.png", "-o", "in.png/no/", "-f", "box:3"], /: expected a usable path, got a path through something/],
  [
    ["filter", "in.png", "-o", "./other/../in.png", "-f", "box:3", "--force"],
    /: expected an output that is not one of the inputs, got the same file as in\.png$/,
  ],
  [["filter", "in.png", "-o", ".", "-f", "box:3", "--force"], /^in\.png: .*, got the same file as in\.png$/],
  [
    filter("box:3", "--max-pixels", "199"),
    /^in\.png: expected at most 199 pixels, got 200; raise it with --max-pixels$/,
  ],
  [filter("no.json"), /^no\.json: expected a readable file/],
  [["factor", "sobel-x", "--svg", "text.png"], /^text\.png: expected a name that is free, got a file; --force/],
  [["bench", "--save-profile", "text.png"], /^text\.png: expected a name that is free, got a file; --force/],
];

for (const [code, cases] of [
  [2, wrong],
  [1, failing],
] as const) {
  test(`exit code ${code}`, async () => {
    for (const [args, message] of cases) {
      const result = await rank1(...args);
      const shown = args.join(" ");
      expect(result.stderr, shown).toMatch(/^rank1: [^\n]+\n$/);
      expect(result.stderr.slice(7, -1), shown).toMatch(message);
      expect([result.code, result.stdout], shown).toEqual([code, ""]);
    }
    expect(readdirSync(folder).sort()).toEqual(contents);
    expect(readdirSync(join(folder, "other"))).toEqual([]);
  });
}

test("as a process: the same codes and lines", async () => {
  const [good, failed, misused] = await Promise.all([
    spawnRank1(["filters"]),
    spawnRank1(["filter", "no.png", "-o", "out.png", "-f", "box:3"], { cwd: folder }),
    spawnRank1(["factor", "nothing"], { env: { RANK1_DEBUG: "1" } }),
  ]);
  expect([good.code, good.stderr]).toEqual([0, ""]);
  expect([failed.code, failed.stdout]).toEqual([1, ""]);
  expect(failed.stderr).toBe("rank1: no.png: expected a readable file, got a name that does not exist\n");
  expect(misused.code).toBe(2);
  expect(misused.stderr).toMatch(/^rank1: filter: expected .*\n\w*Error: .*\n {4}at /); // with its stack, on request
});

const names = [
  // In the order of the help.
  ...["factor", "filters", "filter", "layer", "inspect", "run", "separate", "compile", "bench"],
  "demo",
];

test("help and version go to the standard output with exit code 0; no command is wrong usage", async () => {
  const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../../package.json"), "utf8"));
  expect(await rank1("--version")).toEqual({ code: 0, stdout: `${version}\n`, stderr: "" });
  const whole = await rank1("--help");
  expect(whole.stdout).toMatch(
    /\nExit codes: 0 done, 1 failed .*, 2 wrong usage, 3 some of several inputs failed, 130 /,
  );
  for (const command of names) {
    expect(whole.stdout).toMatch(new RegExp(`^ {2}${command} `, "m"));
    const { code, stdout, stderr } = await rank1(command, "--help");
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(new RegExp(`^Usage: rank1 ${command} [^]*\nExamples:\n {2}rank1 ${command}`));
  }
  const { code, stdout, stderr } = await rank1();
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^Usage: rank1/);
});

test("options that few need stand under --help --all", async () => {
  const program = createProgram(new AbortController().signal);
  expect(program.commands.map((command) => command.name())).toEqual(names);
  for (const command of program.commands) {
    const short = (await rank1(command.name(), "--help")).stdout;
    const whole = (await rank1(command.name(), "--help", "--all")).stdout;
    expect((await rank1("help", command.name(), "--all")).stdout).toBe(whole);
    expect(short.includes("with --all")).toBe(command.options.some(({ hidden }) => hidden));
    for (const { long, hidden } of command.options) {
      const line = new RegExp(`^ {2}(-\\w, )?${long} `, "m");
      expect(whole, `${command.name()} ${long}`).toMatch(line);
      expect(line.test(short), `${command.name()} ${long}`).toBe(!hidden);
    }
  }
  const rare = program.commands.flatMap((command) => command.options.filter(({ hidden }) => hidden));
  expect(rare.length).toBeGreaterThan(20);
});

test("every command prints JSON on demand", () => {
  const { commands } = createProgram(new AbortController().signal);
  for (const { options } of commands) expect(options.map(({ long }) => long)).toContain("--json");
});

test("one word, one meaning: an option is about the same in every command", () => {
  const places = new Map<string, Set<string>>();
  for (const { options } of createProgram(new AbortController().signal).commands) {
    for (const { long, flags } of options) {
      const short = flags.replace(/ <.*/, "");
      places.set(long!, (places.get(long!) ?? new Set()).add(`${short} ${/<.*>/.test(flags)}`));
    }
  }
  for (const [long, forms] of places) expect([...forms], long).toHaveLength(1);
});

describe("files that exist", () => {
  const empty = temporaryFolder();
  const bytes = (name: string) => readFileSync(join(empty, name)).toString("base64");
  beforeAll(async () => {
    for (const [i, name] of ["a.png", "b.png", "c.png"].entries()) {
      const background = { r: 80 * i, g: 9, b: 200 };
      await sharp({ create: { width: 9, height: 9, channels: 3, background } })
        .png()
        .toFile(join(empty, name));
    }
  });

  test("a shell's glob overwrites none", async () => {
    const before = ["a.png", "b.png", "c.png"].map(bytes);
    for (const files of [
      ["a.png", "b.png"],
      ["a.png", "b.png", "c.png"],
    ]) {
      const all = files.map((name) => join(empty, name));
      expect((await rank1("filter", ...all, "--filter", "sobel")).code).toBe(2);
      expect((await rank1("filter", ...all, "-f", "sobel", "-o", empty)).code).toBe(1);
      expect((await rank1("filter", ...all, "-f", "sobel", "-o", empty, "--force")).code).toBe(1);
    }
    expect(["a.png", "b.png", "c.png"].map(bytes)).toEqual(before);
    expect(readdirSync(empty)).toEqual(["a.png", "b.png", "c.png"]);
  });

  test("are replaced with --force alone, and all or none are written", async () => {
    const out = join(empty, "new/folder");
    const [a, b] = [join(empty, "a.png"), join(empty, "b.png")];
    expect((await rank1("filter", b, "-o", `${out}/`, "-f", "box:3", "--quiet")).code).toBe(0);
    const first = readFileSync(join(out, "b.png"));
    const again = await rank1("filter", a, b, "-o", out, "-f", "disk:2");
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/b\.png: expected a name that is free, got a file; --force replaces it\n$/);
    expect([readdirSync(out), readFileSync(join(out, "b.png")).equals(first)]).toEqual([["b.png"], true]);
    expect((await rank1("filter", a, b, "-o", out, "-f", "identity", "--force")).code).toBe(0);
    expect(readdirSync(out)).toEqual(["a.png", "b.png"]);
    rmSync(join(empty, "new"), { recursive: true });
  });

  test("devices are written without", async () => {
    const device = ["filter", join(empty, "a.png"), "-o", "/dev/null", "-f", "box:3", "--format", "png", "--quiet"];
    expect(await rank1(...device)).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});

test("--explain plans, and writes nothing", async () => {
  const text = await rank1("filter", "-f", "gaussian:sigma=3", "--size", "640x480x1", "--depth", "16", "--explain");
  expect(text.stdout).toMatch(/^filter 25 x 25 on 480 x 640 x 1 u16 -> .*\n/);
  expect(text.stdout).toMatch(/> column-row .* chosen\n/);
  const json = JSON.parse((await rank1("filter", "-f", "box:3", "-f", "sobel", "--explain", "--json")).stdout);
  expect(json).toMatchObject({ version: 1, filters: ["box:3", "sobel"], pictures: [{ width: 1920, channels: 1 }] });
  expect(json.pictures[0].plans.map((plan: { version: number }) => plan.version)).toEqual([2, 2, 2]);
  const given = await rank1(...filter("gaussian", "--explain"));
  expect([given.code, given.stderr]).toEqual([0, ""]);
  expect(given.stdout).toMatch(/^filter 9 x 9 on 10 x 20 x 3 u8 /);
  const edges = await rank1(...filter("sobel", "--explain"));
  expect(edges.stdout).toMatch(/^sobel: the magnitude .* of sobel-x and sobel-y\n\nfilter 3 x 3 on 10 x 20 x 1 u8 /);
  expect(readdirSync(folder).sort()).toEqual(contents);
});

test("a full disk is no wrong usage", async () => {
  const cause = Object.assign(new Error("ENOSPC: no space left on device, write"), {
    code: "ENOSPC",
    syscall: "write",
  });
  const told = { parameter: "model.part", expected: "a file that can be written", received: "a full disk" };
  const full = new InvalidArgumentError({ ...told, cause });
  await expect(usage(() => Promise.reject(full))).rejects.toBe(full);
  await expect(usage(() => Promise.reject(new InvalidArgumentError(told)))).rejects.toBeInstanceOf(UsageError);
});
