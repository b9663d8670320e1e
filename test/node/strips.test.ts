import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { filterFile, writePicture } from "../../src/node/index.ts";
import { randomImage } from "../oracle.ts";
import { temporaryFolder } from "./folder.ts";
const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);
test("x", async () => {
  await writePicture(path("in.tif"), randomImage(300, 900, 3, "u8", 1));
  for (const [f, o] of [["gaussian:2", {}], ["sobel", {}], [["gaussian:1", "sharpen"], {}], ["sobel-x", { show: "signed" }]] as const) {
    for (const ext of ["tif", "png", "jpg", "npy"]) {
    const a = await filterFile(path("in.tif"), path(`a.${ext}`), f as never, { ...o, force: true } as never);
    const b = await filterFile(path("in.tif"), path(`b.${ext}`), f as never, { ...o, force: true, memory: 2 ** 20 } as never);
    expect(readFileSync(path(`b.${ext}`)).equals(readFileSync(path(`a.${ext}`))), `${f} ${ext}`).toBe(true);
    expect({...b, milliseconds: 0, output: 0}).toEqual({...a, milliseconds: 0, output: 0});
    }
  }
});
