// The examples run, and say what their comments and the README say.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);
const textOf = (path: string): string => readFileSync(new URL(path, root), "utf8");

function run(example: string): string {
  const path = fileURLToPath(new URL(example, root));
  const { status, stdout, stderr } = spawnSync(process.execPath, [path], { encoding: "utf8", timeout: 60_000 });
  expect(status, stderr).toBe(0);
  return stdout;
}

describe("examples/layers.ts", () => {
  it("prints the shape that its comment gives, and a plan", () => {
    const lines = run("examples/layers.ts").split("\n");
    expect(lines[0]).toBe("[ 1, 8, 8, 256 ]");
    expect(textOf("examples/layers.ts")).toContain(`console.log(y.shape); // ${lines[0]}`);
    expect(lines[1]).toMatch(/^separable 5 x 5 on 1 x 12 x 12 x 3 f32 -> 1 x 8 x 8 x 256 f32/);
    expect(lines.some((line) => line.startsWith("> depthwise-pointwise "))).toBe(true);
  });

  it("stands in the README", () => {
    const [, ...code] = textOf("examples/layers.ts").replace("../src/index.ts", "rank1").split("\n");
    expect(textOf("README.md")).toContain(`\`\`\`js\n${code.join("\n")}\`\`\``);
  });
});
