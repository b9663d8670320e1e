// The files for clusters in docs/batch.md: they parse, say what the page says of them, and their command lines take the part that
// the cluster's variables name.

import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findInputs, partOf } from "../../src/cli/inputs.ts";
import { clusters, parseShard } from "../../src/cli/shard.ts";
import { temporaryFolder } from "../node/folder.ts";
import { contents, tinyPictures } from "./batch.ts";
import { spawnRank1 } from "./run.ts";
import { openStore, type TestStore } from "./store.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
const page = readFileSync(new URL("../../docs/batch.md", import.meta.url), "utf8");
/** The first block below a heading. */
const blockOf = (heading: string): string =>
  new RegExp(`^### ${heading}\\n.*?^\`\`\`\\w+\\n(.*?)^\`\`\``, "ms").exec(page)![1]!;
const yaml: { parse(text: string): unknown } | undefined = await import(`${"yaml"}`).catch(() => undefined);

const parsed = (text: string) => JSON.parse(JSON.stringify(yaml!.parse(text)));

let names: string[];
beforeAll(async () => {
  names = await tinyPictures(path("in"), 40);
});

const own = (index: number): string[] => names.filter((name) => partOf(name, 10) === index + 1).sort();

describe.skipIf(!yaml)("in a store", () => {
  let store: TestStore | undefined;
  beforeAll(async () => {
    store = await openStore(path("store"), "photos");
    for (const name of store ? names : []) await store!.put(`in/${name}`, readFileSync(path(`in/${name}`)));
  });
  afterAll(() => store?.close());

  /** Runs the command line of a file, but for the image's entry point, as one process of ten. */
  async function expectPart(args: string[], index: number, variables: Record<string, string>): Promise<void> {
    expect(args.every((arg) => typeof arg === "string")).toBe(true);
    if (!store) return;
    const out = `out-${Object.keys(variables)[0]}/`;
    const placed = args.map((arg) => arg.replace("/photos/out/", `/photos/${out}`));
    const { code, stderr } = await spawnRank1([...placed, "--workers", "1"], { env: { ...store.env(), ...variables } });
    expect([code, stderr]).toEqual([0, expect.stringMatching(/^rank1: \d+ pictures in [^\n]*\n$/)]);
    expect((await store.objects(out)).sort()).toEqual(own(index));
  }

  test("Kubernetes", async () => {
    const job = parsed(blockOf("Kubernetes"));
    expect(job).toMatchObject({ apiVersion: "batch/v1", kind: "Job" });
    expect(job.spec).toMatchObject({ completionMode: "Indexed", completions: 10, backoffLimitPerIndex: expect.any(Number) }); // biome-ignore format: a line
    const [fail] = job.spec.podFailurePolicy.rules;
    const [container] = job.spec.template.spec.containers;
    expect(fail).toMatchObject({ action: "FailIndex", onExitCodes: { containerName: container.name, operator: "In", values: [2, 3] } }); // biome-ignore format: a line
    expect(job.spec.template.spec.restartPolicy).toBe("Never");
    await expectPart(container.args, 4, { JOB_COMPLETION_INDEX: "4" });
  });

  test("AWS Batch", async () => {
    const job = JSON.parse(blockOf("AWS Batch"));
    const endings = job.retryStrategy.evaluateOnExit.map(({ onExitCode, action }: Record<string, string>) => [onExitCode, action]); // biome-ignore format: a line
    expect(endings).toEqual([["2", "EXIT"], ["3", "EXIT"], [undefined, "RETRY"]]); // biome-ignore format: a line
    await expectPart(job.containerProperties.command, 0, { AWS_BATCH_JOB_ARRAY_INDEX: "0" });
  });

  test("Cloud Run", async () => {
    const job = parsed(blockOf("Cloud Run"));
    expect(job).toMatchObject({ apiVersion: "run.googleapis.com/v1", kind: "Job" });
    expect(job.spec.template.spec.taskCount).toBe(10);
    const [container] = job.spec.template.spec.template.spec.containers;
    await expectPart(container.args, 9, { CLOUD_RUN_TASK_INDEX: "9", CLOUD_RUN_TASK_COUNT: "10" });
  });
});

test("Slurm", () => {
  const script = blockOf("Slurm");
  expect(script).toMatch(/^#!\/bin\/bash\n/);
  expect(script).toContain("#SBATCH --array=0-9\n");
  mkdirSync(path("bin"));
  const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
  const programs = { srun: '#!/bin/sh\nexec "$@"\n', rank1: `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n` };
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(path(`bin/${name}`), text);
    chmodSync(path(`bin/${name}`), 0o755);
  }
  mkdirSync(path("slurm"));
  cpSync(path("in"), path("slurm/in"), { recursive: true });
  writeFileSync(path("slurm/job.sh"), script);
  const env = { ...process.env, PATH: `${path("bin")}:${process.env.PATH}`, SLURM_ARRAY_TASK_ID: "2" };
  execFileSync("bash", ["job.sh"], { cwd: path("slurm"), env, stdio: "pipe" });
  expect(Object.keys(contents(path("slurm/out")))).toEqual(own(2));
});

describe("--shard", () => {
  test("by hand and by variables, counted from 0 there", () => {
    expect(parseShard("3/10", {})).toEqual({ index: 3, count: 10 });
    for (const { index, count } of clusters) {
      expect(parseShard("auto/10", { [index]: "2" })).toEqual({ index: 3, count: 10 });
      if (count) expect(parseShard("auto", { [index]: "2", [count]: "4" })).toEqual({ index: 3, count: 4 });
    }
  });

  test.each([
    ["0/10", {}, /Expected K\/N such as 3\/10/],
    ["11/10", {}, /Expected K\/N/],
    ["3", {}, /Expected K\/N/],
    ["1.5/3", {}, /Expected K\/N/],
    ["auto/0", {}, /Expected K\/N/],
    ["auto/10", {}, /expected one of JOB_COMPLETION_INDEX, .* to be set, got none/],
    ["auto", { JOB_COMPLETION_INDEX: "1" }, /expected auto\/N on Kubernetes, which does not say/],
    ["auto/10", { JOB_COMPLETION_INDEX: "10" }, /expected indices from 0 to 9 in JOB_COMPLETION_INDEX, got 10/],
    ["auto/10", { SLURM_ARRAY_TASK_ID: "x" }, /expected an integer in SLURM_ARRAY_TASK_ID, got "x"/],
    ["auto", { SLURM_ARRAY_TASK_ID: "7", SLURM_ARRAY_TASK_COUNT: "2" }, /expected indices from 0 to 1/],
  ])("%s with %j", (text, environment, message) => {
    expect(() => parseShard(text, environment as Record<string, string>)).toThrow(message);
  });

  test("every name belongs to one part, by itself, and parts are alike", () => {
    const counts = [...Array(7)].fill(0);
    for (let i = 0; i < 7000; i++) counts[partOf(`folder/${i}.jpg`, 7) - 1]++;
    expect(counts.reduce((a, b) => a + b)).toBe(7000);
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(150);
    expect(partOf("a\\b.png", 1000)).toBe(partOf("a/b.png", 1000));
  });
});

describe("inputs", () => {
  const find = async (args: string[], flags: Parameters<typeof findInputs>[1] = {}): Promise<string[]> => {
    const found = await findInputs(args, flags, [".png"], new AbortController().signal);
    return found.map(({ name }) => name);
  };
  const sorted = (list: readonly string[]): string[] => list.toSorted((a, b) => (a < b ? -1 : 1));

  test("files, patterns and folders, each below the folder of all", async () => {
    expect(await find([path("in/a/0.png")])).toEqual(["0.png"]);
    expect(await find([path("in/c/d/2.png"), path("in/a/0.png")])).toEqual(["c/d/2.png", "a/0.png"]);
    expect(await find([path("in/")])).toEqual(sorted(names));
    expect(await find([path("in")])).toEqual(sorted(names));
    expect(await find([path("in/**/*.png")])).toEqual(sorted(names));
    expect(await find([path("in/{a,b}/?.png")])).toEqual(["a/0.png", "a/3.png", "a/6.png", "a/9.png", "b/1.png", "b/4.png", "b/7.png"]); // biome-ignore format: a line
    // What two of them find is one input.
    expect(await find([path("in/a/*.png"), path("in/**/*.png")])).toHaveLength(names.length);
    expect(await find([path("in/a/0.png")], { root: folder })).toEqual(["in/a/0.png"]);
  });

  test("names with signs of patterns are names; names with dots, other endings and results are left out", async () => {
    mkdirSync(path("odd/.hidden"), { recursive: true });
    for (const name of ["[1]*.png", ".dot.png", ".hidden/x.png", "text.txt", "plain.png"]) writeFileSync(path(`odd/${name}`), ""); // biome-ignore format: a line
    expect(await find([path("odd/[1]*.png")])).toEqual(["[1]*.png"]);
    expect(await find([path("odd")])).toEqual(["[1]*.png", "plain.png"]);
    expect(await find([path("odd/**/*.png")])).toEqual(["[1]*.png", "plain.png"]);
    mkdirSync(path("odd/out"));
    writeFileSync(path("odd/out/result.png"), "");
    expect(await find([path("odd/**/*.png")], { output: path("odd/out/") })).toEqual(["[1]*.png", "plain.png"]);
  });

  test("endings of patterns fit in capitals too, and each file is one input", async () => {
    mkdirSync(path("camera/day.1"), { recursive: true });
    for (const name of ["IMG_1.PNG", "img_2.png", "day.1/IMG_3.Png", "day.1/x.gif"]) writeFileSync(path(`camera/${name}`), ""); // biome-ignore format: a line
    const all = ["IMG_1.PNG", "day.1/IMG_3.Png", "img_2.png"];
    for (const pattern of ["**/*.png", "**/*.PNG", "**/*.{png,PNG,jpg}", "**/*.[pP]??", "{**/*.png,IMG*.png}"])
      expect(await find([path(`camera/${pattern}`)]), pattern).toEqual(all);
    expect(await find([path("camera/IMG_?.png")])).toEqual(["IMG_1.PNG"]);
    expect(await find([path("camera/day.1/*")])).toEqual(["IMG_3.Png", "x.gif"]);
  });

  test("files of folders that are left out are counted, but for results; folders that are not there are said to be", async () => {
    mkdirSync(path("mixed/out"), { recursive: true });
    for (const name of ["1.png", "1.CR2", "2.cr2", "README", ".hidden.txt", "out/1.json"]) writeFileSync(path(`mixed/${name}`), ""); // biome-ignore format: a line
    const output = `${path("mixed/out")}/`;
    const { stderr } = await spawnRank1(["filter", path("mixed"), "-o", output, "-f", "box:3", "--workers", "1"]);
    expect(stderr).toContain("rank1: 3 files of folders left out for other endings: 2 .cr2, 1 none\n");
    const quiet = await spawnRank1(["filter", path("mixed"), "-o", output, "-f", "box:3", "--workers", "1", "--quiet"]);
    expect(quiet.stderr).not.toContain("left out");
    for (const arg of [path("nowhere"), `${path("nowhere")}/`])
      await expect(find([arg])).rejects.toThrow(`${arg}: expected a file or folder, got a name that does not exist`);
  });

  test("lists: the part's own, or for all; where results lie does not depend on what else is in them", async () => {
    const absolute = names.map((name) => path(`in/${name}`));
    writeFileSync(path("all.txt"), `${absolute.join("\r\n")}\n\n`);
    writeFileSync(path("list-2.txt"), absolute.slice(0, 3).join("\n"));
    writeFileSync(path("list-3.txt"), "");
    const listed = (flags: object) => find([], { root: path("in"), ...flags });
    expect(await listed({ list: path("all.txt") })).toEqual(names);
    const parts = await Promise.all(
      [1, 2, 3].map((index) => listed({ list: path("all.txt"), shard: { index, count: 3 } })),
    );
    expect(sorted(parts.flat())).toEqual(sorted(names));
    const list = path("list-{shard}.txt");
    expect(await listed({ list, shard: { index: 2, count: 3 } })).toEqual(names.slice(0, 3));
    expect(await listed({ list, shard: { index: 3, count: 3 } })).toEqual([]);
    expect(await find([], { list: path("list-2.txt") })).toEqual(absolute.slice(0, 3).map((name) => name.slice(1)));
    await expect(listed({ list })).rejects.toThrow(
      /--list: expected --shard, whose number stands for {shard}, got none/,
    );
    await expect(listed({ list: path("list-3.txt") })).rejects.toThrow(/--list: expected names of files, got none in/);
  });

  test.each([
    [["none/*.png"], {}, /none\/\*\.png: expected a pattern that fits some files, got none/],
    [["names.txt"], {}, /names\.txt: expected an input, got a list by its name; --list names\.txt reads it/],
    [["s3://bucket/a.png", "b.png"], {}, /inputs: expected all of them in one place/],
    [["in/a/0.png"], { root: "/usr" }, /in\/a\/0\.png: expected an input below \/usr, got one elsewhere/],
    [["s3://bucket/x/a.png", "s3://bucket/x/../../b.png"], {}, /expected an input below/],
  ])("%j with %j", async (args, flags, message) => {
    await expect(find(args, flags)).rejects.toThrow(message);
  });
});
