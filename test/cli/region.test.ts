// rank1 filter --region and --extent on real files.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { writePicture } from "../../src/node/encode.ts";
import { type Picture, readPicture } from "../../src/node/pictures.ts";
import { temporaryFolder } from "../node/folder.ts";
import { randomImage } from "../oracle.ts";
import { rank1 } from "./run.ts";

const folder = temporaryFolder();
const path = (name: string): string => join(folder, name);

/** A picture of pseudo-random values. */
const noise = (width: number, height: number, channels: number): Picture => ({
  ...randomImage(width, height, channels, "u8", 3),
  alpha: channels % 2 === 0,
});

async function filtered(picture: Picture, ...flags: string[]): Promise<Picture> {
  await writePicture(path("in.png"), picture);
  const common = ["--force", "--quiet", "--border", "edge"];
  const result = await rank1("filter", path("in.png"), "-o", path("out.png"), ...common, ...flags);
  expect(result).toEqual({ code: 0, stdout: "", stderr: "" });
  return readPicture(path("out.png"));
}

describe("results", () => {
  test("of a region are those of the whole, also after other filters; extents are larger or smaller", async () => {
    const picture = noise(31, 17, 4);
    for (const filters of [
      ["-f", "sharpen"],
      ["-f", "box:3", "-f", "sharpen"],
    ]) {
      const whole = await filtered(picture, ...filters);
      const part = await filtered(picture, ...filters, "--region", "4,3,20,10");
      expect([part.width, part.height, part.channels, part.alpha]).toEqual([20, 10, 4, true]);
      for (let y = 0; y < 10; y++) {
        const from = ((y + 3) * 31 + 4) * 4;
        expect([...part.data.subarray(y * 80, (y + 1) * 80)]).toEqual([...whole.data.subarray(from, from + 80)]);
      }
    }
    const edges = await filtered(picture, "-f", "sobel", "--extent", "valid");
    expect([edges.width, edges.height]).toEqual([29, 15]);
    const full = await filtered(picture, "-f", "box:5", "--extent", "full", "--linear");
    expect([full.width, full.height]).toEqual([35, 21]);
  });

  test.each([
    [["--region", "4,3,20"], /expected x,y,width,height/i],
    [["--region", "20,3,20,4"], /region: expected one inside the picture, 31 x 17 at x 0, y 0/],
    [["--extent", "inner"], /allowed choices are same, valid, full/i],
    [["--extent", "valid", "-f", "box:3"], /extent: expected one filter, of which it is an option/],
  ])("%j is wrong usage", async (flags, message) => {
    await writePicture(path("in.png"), noise(31, 17, 3));
    const result = await rank1("filter", path("in.png"), "-o", path("no.png"), "-f", "sharpen", ...flags);
    expect(result.code).toBe(2);
    expect(result.stderr).toMatch(message);
  });
});
