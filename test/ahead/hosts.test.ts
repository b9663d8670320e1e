// Compiled files on hosts that may not compile, or start anew each time: the same bits everywhere. The hosts are packages of
// test/hosts; without `npm ci --prefix test/hosts --ignore-scripts` these tests are skipped.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { promisify } from "node:util";
import { build } from "esbuild";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { compileFilter, compileModel } from "../../src/ahead/index.ts";
import { createEngine, type PictureSpec } from "../../src/index.ts";
import { loadModel } from "../../src/onnx/index.ts";
import { dataPath, withoutData } from "../data.ts";
import { random } from "../oracle.ts";

const root = join(import.meta.dirname, "..", "..");
const hosts = join(root, "test", "hosts", "node_modules");
const missing = existsSync(hosts) ? withoutData("models") : ": skipped, test/hosts is not installed";
const folder = mkdtempSync(join(tmpdir(), "rank1-hosts-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const next = random(5);
const pixels = Uint8Array.from({ length: 640 * 480 * 4 }, () => 256 * next());
const input = Float32Array.from({ length: 3 * 240 * 320 }, () => 2 * next() - 1);
const hashOf = (...arrays: ArrayBufferView[]): string => {
  const hash = createHash("sha256");
  for (const { buffer, byteOffset, byteLength } of arrays) hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest("hex");
};
interface Hashes {
  blur: string;
  faces: string;
}
/** Of code with fused multiply-adds, and of hosts without. */
let expected: Hashes;
let unfused: Hashes;

/** What hosts run: both compiled files on data beside them. */
const program = (read: string, entry: string): string => `
import { createHash } from "node:crypto";
import { load as loadBlur } from "./blur${entry}.js";
import { load as loadFaces } from "./ultraface${entry}.js";
${read}
const hashOf = (...all) => { const hash = createHash("sha256"); for (const { buffer, byteOffset, byteLength } of all) hash.update(new Uint8Array(buffer, byteOffset, byteLength)); return hash.digest("hex"); };
export async function main(pixels, input) {
  const blur = (await loadBlur())({ data: pixels }).data;
  const { scores, boxes } = (await loadFaces())({ input });
  return { blur: hashOf(blur), faces: hashOf(scores.data, boxes.data) };
}
`;
const fromFiles = `
import { readFileSync } from "node:fs";
const bytes = (name) => new Uint8Array(readFileSync(new URL(name, import.meta.url)));
setTimeout(async () => console.log(JSON.stringify(await main(bytes("./pixels.raw"), new Float32Array(bytes("./input.raw").slice().buffer)))));
`;

async function hashesOf(deterministic: boolean, picture: PictureSpec, file: Uint8Array): Promise<Hashes> {
  const engine = await createEngine({ backend: "wasm", threads: 1, deterministic });
  const model = await loadModel(file, { engine });
  const blur = await engine.filter({ ...picture, data: pixels }, "gaussian:sigma=4");
  const { scores, boxes } = await model.run({ input: { shape: [1, 3, 240, 320], data: input } });
  model.dispose();
  engine.dispose();
  return { blur: hashOf(blur.data), faces: hashOf(scores!.data, boxes!.data) };
}

beforeAll(async () => {
  if (missing !== "") return;
  const picture = { width: 640, height: 480, channels: 4, dtype: "u8", hasAlpha: true } as const;
  const file = readFileSync(dataPath("models", "ultraface-slim-320.onnx"));
  [expected, unfused] = await Promise.all([false, true].map((deterministic) => hashesOf(deterministic, picture, file)));
  const model = await loadModel(file);
  const compiled = [await compileFilter("gaussian:sigma=4", picture, { name: "blur" }), await compileModel(model, { name: "ultraface" })]; // biome-ignore format: a line
  for (const { files } of compiled)
    for (const [name, data] of Object.entries(files)) writeFileSync(join(folder, name), data);
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "pixels.raw"), pixels);
  writeFileSync(join(folder, "input.raw"), Buffer.from(input.buffer));
  for (const entry of ["", ".source"]) writeFileSync(join(folder, `main${entry}.js`), program(fromFiles, entry));
}, 60_000);

const binary = (scope: string, path: string): string => {
  const [name] = existsSync(join(hosts, scope)) ? readdirSync(join(hosts, scope)) : [];
  return join(hosts, scope, name ?? "", path);
};
const bun = binary("@oven", "bin/bun");
const deno = binary("@deno", "deno");
const workerd = binary("@cloudflare", "bin/workerd");
/** The Node of the machine, which may be an older one than the tests run on. */
const otherNode = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => existsSync(path)) ?? process.execPath;

describe.skipIf(missing !== "")(`compiled files give the same bits${missing}`, () => {
  it.each<[string, string, string[], () => Hashes[]]>([
    ["Node", process.execPath, ["main.js"], () => [expected]],
    ["Node, by import source", process.execPath, ["--no-warnings", "main.source.js"], () => [expected]],
    [`the machine's Node`, otherNode, ["main.js"], () => [expected, unfused]],
    ["Bun", bun, ["main.js"], () => [expected, unfused]],
    ["Deno", deno, ["run", "--allow-read", "--no-lock", "main.js"], () => [expected]],
    ["Deno, by import source", deno, ["run", "--allow-read", "--no-lock", "main.source.js"], () => [expected]],
  ])("on %s", { timeout: 60_000 }, async (_name, command, args, wanted) => {
    const { stdout } = await promisify(execFile)(command, args, {
      cwd: folder,
      env: { ...process.env, NO_COLOR: "1" },
    });
    expect(JSON.parse(stdout)).toBeOneOf(wanted());
  });

  describe("on workerd", () => {
    let served: ChildProcess;
    let port = 0;
    const site = (name: string): string => `http://127.0.0.1:${port}/${name}`;

    beforeAll(async () => {
      port = await freePort();
      const bundled = await Promise.all(["blur", "faces"].map(bundledExample));
      writeFileSync(join(folder, "all.js"), `${program("", ".worker")}
import blur from "./blur.example.js";
import faces from "./faces.example.js";
export default { async fetch(request) {
  const { pathname } = new URL(request.url);
  if (pathname === "/blur") return blur.fetch(request);
  if (pathname === "/faces") return faces.fetch(request);
  const bytes = await request.arrayBuffer();
  return Response.json(await main(new Uint8Array(bytes, 0, ${pixels.length}), new Float32Array(bytes.slice(${pixels.length}))));
} };`); // biome-ignore format: text
      for (const [name, code] of bundled) writeFileSync(join(folder, name), code);
      writeFileSync(join(folder, "config.capnp"), configOf(["all.js", ...bundled.map(([name]) => name)], port));
      served = spawn(workerd, ["serve", "config.capnp"], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
      for (let wait = 0; wait < 200 && !(await fetch(site("blur")).catch(() => undefined)); wait++)
        await setTimeout(50);
    }, 60_000);
    afterAll(() => served?.kill());

    it("which compiles nothing at run time", async () => {
      const body = Buffer.concat([pixels, Buffer.from(input.buffer)]);
      const response = await fetch(site(""), { method: "POST", body });
      expect(await response.json()).toEqual(expected);
    });

    it("the example blurs a PNG that is posted, and refuses what it cannot", async () => {
      const raw = { width: 640, height: 480, channels: 4 } as const;
      const png = await sharp(pixels, { raw }).png().toBuffer();
      const response = await fetch(site("blur"), { method: "POST", body: new Uint8Array(png) });
      const result = await sharp(Buffer.from(await response.arrayBuffer()))
        .raw()
        .toBuffer();
      expect(hashOf(result)).toBe(expected.blur);
      const other = await sharp({ create: { width: 9, height: 9, channels: 3, background: "red" } })
        .png()
        .toBuffer();
      for (const [body, message] of [
        [new Uint8Array(other), "640 x 480"],
        [new Uint8Array(9), "no PNG"],
      ] as const) {
        // biome-ignore format: a line
        const refused = await fetch(site("blur"), { method: "POST", body });
        expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining(message)]);
      }
    });

    it.skipIf(withoutData("images") !== "")("the example finds the faces of a photograph", async () => {
      const png = await sharp(dataPath("images", "faces-1.jpg")).resize(320, 240, { fit: "fill" }).png().toBuffer();
      const response = await fetch(site("faces"), { method: "POST", body: new Uint8Array(png) });
      const faces = (await response.json()) as { score: number }[];
      expect(faces.length).toBeGreaterThan(0);
      for (const { score } of faces) expect(score).toBeGreaterThan(0.7);
    });
  });
});

/** As wrangler bundles it: packages in, what was compiled beside it. */
async function bundledExample(name: string): Promise<[string, Uint8Array]> {
  const { outputFiles } = await build({
    ...{
      entryPoints: [join(root, "examples", "worker", `${name}-worker.js`)],
      bundle: true,
      write: false,
      format: "esm",
    },
    ...{ external: ["./*.worker.js"], nodePaths: [hosts], logLevel: "error" },
  });
  return [`${name}.example.js`, outputFiles[0]!.contents];
}

function configOf(scripts: readonly string[], port: number): string {
  const modules = readdirSync(folder).filter((name) => /^(blur|ultraface)(\.worker)?\.js$|\.wasm$|\.bin$/.test(name));
  const kinds: Record<string, string> = { js: "esModule", wasm: "wasm", bin: "data" };
  const list = [...scripts, ...modules].map((name) => `(name = "${name}", ${kinds[name.split(".").at(-1)!]} = embed "${name}")`); // biome-ignore format: a line
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:${port}", http = (), service = "main")],
);
const main :Workerd.Worker = (
  modules = [${list.join(", ")}],
  compatibilityDate = "2026-01-01",
  compatibilityFlags = ["nodejs_compat"],
);
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
