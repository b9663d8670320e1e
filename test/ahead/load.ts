// Loads compiled files as Node does, from a folder.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { CompiledFiles } from "../../src/ahead/index.ts";
import type { ImageArray } from "../../src/tensor.ts";

interface Picture {
  data: ImageArray;
  width?: number;
  height?: number;
  channels?: number;
  premultiplied?: boolean;
}

export type LoadedFilter = (image: Picture, options?: { out?: ImageArray }) => Required<Omit<Picture, "premultiplied">>;
export type LoadedModel = (inputs: object) => Record<string, { dtype: string; shape: number[]; data: Float32Array }>;

/** Writes files into a folder of their own, uses it, and removes it. */
export async function inFolder<T>({ files }: CompiledFiles, use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "rank1-ahead-"));
  try {
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    for (const [name, data] of Object.entries(files)) writeFileSync(join(folder, name), data);
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** `mode`: the code with fused multiply-adds, or without; or as the module itself finds it. */
export function load<Run>(
  compiled: CompiledFiles,
  mode: "relaxed" | "plain" | "beside" = "beside",
  parts: object = {},
): Promise<Run> {
  // biome-ignore format: a line
  const names = Object.keys(compiled.files);
  const stem = names.find((name) => name.endsWith(".d.ts"))!.slice(0, -5);
  const code = compiled.files[`${stem}.simd.wasm`] && mode === "plain" ? `${stem}.simd.wasm` : `${stem}.wasm`;
  return inFolder(compiled, async (folder) => {
    const { load } = await import(pathToFileURL(join(folder, `${stem}.js`)).href);
    const module =
      mode === "beside" ? undefined : new WebAssembly.Module(compiled.files[code] as Uint8Array<ArrayBuffer>);
    return load({ ...(module && { module }), ...parts });
  });
}
