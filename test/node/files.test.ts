// A file appears whole or not at all, never over an input, and no temporary file stays behind.
import { spawnSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../src/errors.ts";
import {
  checkFolder,
  checkNewFile,
  checkOutput,
  isFolder,
  makeFoldersFor,
  readBytes,
  writeAtomic,
} from "../../src/node/files.ts";
import { temporaryFolder } from "./folder.ts";

const folder = realpathSync(temporaryFolder());
const path = (name: string): string => join(folder, name);
const module = pathToFileURL(join(import.meta.dirname, "../../src/node/files.ts")).href;

describe("writeAtomic", () => {
  test("writes names of as many bytes as systems take", async () => {
    for (const name of ["x".repeat(255), "語".repeat(85), "😀".repeat(63)]) {
      await writeAtomic(path(name), name);
      expect(readFileSync(path(name), "utf8")).toBe(name);
    }
  });

  test("writes a new file and replaces an old one, keeping its mode", async () => {
    await writeAtomic(path("new.txt"), "one");
    writeFileSync(path("old.txt"), "before, and longer", { mode: 0o600 });
    await writeAtomic(path("old.txt"), new Uint8Array([116, 119, 111]));
    expect([readFileSync(path("new.txt"), "utf8"), readFileSync(path("old.txt"), "utf8")]).toEqual(["one", "two"]);
    expect(statSync(path("old.txt")).mode & 0o777).toBe(0o600);
  });

  test("writes through a symbolic link", async () => {
    writeFileSync(path("target.txt"), "old");
    mkdirSync(path("within"), { recursive: true });
    symlinkSync("within/new.txt", path("first.txt"));
    symlinkSync("first.txt", path("second.txt"));
    await writeAtomic(path("second.txt"), "new");
    expect(readFileSync(path("within/new.txt"), "utf8")).toBe("new");
    expect(lstatSync(path("first.txt")).isSymbolicLink() && lstatSync(path("second.txt")).isSymbolicLink()).toBe(true);
    symlinkSync("round.txt", path("round.txt"));
    await expect(writeAtomic(path("round.txt"), "new")).rejects.toThrow("round.txt");
    symlinkSync(path("target.txt"), path("link.txt"));
    await writeAtomic(path("link.txt"), "new");
    expect(realpathSync(path("link.txt"))).toBe(path("target.txt"));
    expect(readFileSync(path("target.txt"), "utf8")).toBe("new");
  });

  test("leaves nothing behind on failure and on abort", async () => {
    const before = readdirSync(folder);
    mkdirSync(path("taken"));
    await expect(writeAtomic(path("taken"), "x")).rejects.toThrow(/taken: expected the name of a file, got a folder$/);
    await expect(writeAtomic(path("none/x"), "x")).rejects.toThrow(/expected an existing folder, got .*none, which/);
    await expect(writeAtomic(path("a\0b"), "x")).rejects.toThrow(InvalidArgumentError);
    await expect(writeAtomic(path("late"), "x", AbortSignal.abort())).rejects.toThrow(/abort/i);
    const large = new Uint8Array(64 << 20);
    await expect(writeAtomic(path("large"), large, AbortSignal.timeout(1))).rejects.toThrow(/abort|timeout/i);
    expect(readdirSync(folder).sort()).toEqual([...before, "taken"].sort());
  });

  test("an exit in the middle removes the temporary file", () => {
    mkdirSync(path("exit"));
    const script = `import { writeAtomic } from ${JSON.stringify(module)};
      import { readdirSync } from "node:fs";
      void writeAtomic("big", new Uint8Array(1 << 28));
      const timer = setInterval(() => {
        const names = readdirSync(".");
        if (names.length === 0) return;
        process.stdout.write(names[0]);
        process.exit(7);
      }, 1);`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: path("exit"),
    });
    expect(status).toBe(7);
    expect(stdout.toString()).toMatch(/^\.big\.[0-9a-f]{8}-[0-9a-f]{8}\.tmp$/);
    expect(readdirSync(path("exit"))).toEqual([]);
  });

  test("writes to a device without replacing it", async () => {
    await writeAtomic("/dev/null", "x");
    expect(statSync("/dev/null").isCharacterDevice()).toBe(true);
  });
});

describe("checkOutput", () => {
  test("finds the input behind any name", async () => {
    writeFileSync(path("input.png"), "");
    symlinkSync(path("input.png"), path("soft.png"));
    linkSync(path("input.png"), path("hard.png"));
    for (const name of ["input.png", "soft.png", "hard.png", "../" + folder.split("/").at(-1) + "/input.png"])
      await expect(checkOutput(path(name), [path("new.txt"), path("input.png")])).rejects.toThrow(
        /expected an output that is not one of the inputs, got the same file as .*input\.png$/,
      );
    await checkOutput(path("new.txt"), [path("input.png"), path("missing.png")]);
    await checkOutput(path("fresh.png"), [path("input.png")]);
  });

  test("names the folder that is missing", async () => {
    await expect(checkOutput(path("no/out.png"))).rejects.toThrow(/^\S*no\/out\.png: expected an existing folder, got/);
    await expect(checkFolder(path("new.txt"))).rejects.toThrow(/which is not a folder$/);
    await checkFolder(folder);
  });
});

describe("checkNewFile", () => {
  test("lets a name be free below folders that are missing, and makes those on demand", async () => {
    const file = path("a/b/c.txt");
    await checkNewFile(file);
    expect(existsSync(path("a"))).toBe(false);
    await makeFoldersFor(file);
    await makeFoldersFor(file);
    expect([await isFolder(path("a/b")), await isFolder(file)]).toEqual([true, false]);
    await writeAtomic(file, "x");
    await makeFoldersFor("here.txt");
  });

  test("takes a file that exists only with force, never an input, a folder, or what lies below a file", async () => {
    const [file, link] = [path("taken.txt"), path("linked.txt")];
    writeFileSync(file, "x");
    linkSync(file, link);
    await expect(checkNewFile(file, { hint: "wait" })).rejects.toThrow(
      /taken\.txt: expected a name that is free, got a file; wait$/,
    );
    await checkNewFile(file, { force: true });
    await expect(checkNewFile(link, { force: true, inputs: [file] })).rejects.toThrow(/got the same file as .*taken/);
    await expect(checkNewFile(folder, { force: true })).rejects.toThrow(/expected the name of a file, got a folder$/);
    await expect(checkNewFile(path("taken.txt/a"))).rejects.toThrow(
      /expected an existing folder, got .*taken\.txt, which is/,
    );
    await expect(checkNewFile(path("taken.txt/a/b"))).rejects.toThrow(
      /got a path through something that is not a folder$/,
    );
    await checkNewFile("/dev/null");
  });

  test("does not wait for folders that cannot be made", async () => {
    await checkNewFile("/proc/none/at/all.txt");
    await expect(makeFoldersFor("/proc/none/at/all.txt")).rejects.toThrow(/none: expected a folder that can be made/);
  });
});

describe("standard streams", () => {
  test("carry bytes through, and a reader that leaves is no error", () => {
    const copy = `import { readStdin, writeStdout } from ${JSON.stringify(module)};
      await writeStdout(await readStdin());`;
    const input = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => i % 251));
    const { stdout, status } = spawnSync(process.execPath, ["--input-type=module", "-e", copy], { input });
    expect(status).toBe(0);
    expect(stdout.equals(input)).toBe(true);
    const script = `import { writeStdout } from ${JSON.stringify(module)};
      for (let i = 0; i < 50; i++) await writeStdout("x".repeat(100000));`;
    const shell = `"${process.execPath}" --input-type=module -e '${script}' | head -c 5; exit \${PIPESTATUS[0]}`;
    const left = spawnSync("bash", ["-c", shell]);
    expect([left.status, left.stdout.toString(), left.stderr.toString()]).toEqual([0, "xxxxx", ""]);
  });

  test("readBytes names the file", async () => {
    await expect(readBytes(path("missing"))).rejects.toThrow(/missing: expected a readable file, got a name that does/);
  });
});
