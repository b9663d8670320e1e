// Weights beside a model: names from a file reach nothing but plain files of the folder that the user gave.
import { execFileSync } from "node:child_process";
import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { externalFolder } from "../../src/node/model-files.ts";
import { temporaryFolder } from "./folder.ts";

const root = temporaryFolder();
const folder = join(root, "weights");
mkdirSync(join(folder, "deep"), { recursive: true });
writeFileSync(join(root, "secret"), "secret");
writeFileSync(join(folder, "w.bin"), "1234");
writeFileSync(join(folder, "deep", "w.bin"), "56");
writeFileSync(join(folder, "twice"), "hard");
linkSync(join(folder, "twice"), join(root, "other"));
symlinkSync(join(root, "secret"), join(folder, "link"));
symlinkSync(root, join(folder, "up"));
symlinkSync(folder, join(root, "here"));
if (process.platform !== "win32") execFileSync("mkfifo", [join(folder, "pipe")]);

test("plain files, in folders as well; the folder itself may be a link", async () => {
  expect(Buffer.from(await externalFolder(folder)("w.bin")).toString()).toBe("1234");
  expect(Buffer.from(await externalFolder(folder)("deep/w.bin")).toString()).toBe("56");
  expect(Buffer.from(await externalFolder(join(root, "here"))("w.bin")).toString()).toBe("1234");
});

test.each([
  ["../secret"],
  ["deep/../../secret"],
  ["./w.bin"],
  [join(root, "secret")],
  ["/etc/hostname"],
  ["C:\\secret"],
  ["..\\secret"],
  ["link"],
  ["up/secret"],
  ["up/weights/w.bin"],
  ["twice"],
  ["deep"],
  ["pipe"],
  ["none"],
  ["deep//w.bin"],
  [""],
  ["w.bin\0"],
])("%j is refused", async (location) => {
  const error = { code: "INVALID_ARGUMENT", message: expect.stringMatching(/^external data "/) };
  await expect(externalFolder(folder)(location)).rejects.toThrow(expect.objectContaining(error));
});

test("a folder that does not exist is named", async () => {
  await expect(externalFolder(join(root, "none"))("w.bin")).rejects.toThrow(/none: expected an existing folder/);
});
