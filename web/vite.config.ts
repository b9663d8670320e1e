// The studio: a static page from relative addresses, so that any host and any folder serves it. It imports rank1 by its
// public names, which stand for the sources here.
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

/** Threads share memory only on isolated pages: see docs/deploying.md. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

const worker = 'new URL("./worker.ts", import.meta.url)';

/** Makes the studio's worker part of the page's own build, so that both load what they share, and only once. */
const sharedWorker: Plugin = {
  name: "shared-worker",
  apply: "build",
  enforce: "pre",
  transform(code, id) {
    if (!code.includes(worker)) return undefined;
    const file = this.emitFile({ type: "chunk", id: join(dirname(id), "worker.ts"), name: "worker" });
    return code.replace(worker, `import.meta.ROLLUP_FILE_URL_${file}`);
  },
};

/**
 * Nothing is loaded beforehand, and the worker's scripts import scripts, too, where there is no window: imports are left to
 * the browser.
 */
const plainImports: Plugin = {
  name: "plain-imports",
  apply: "build",
  enforce: "pre",
  load: (id) => (id.endsWith("vite/preload-helper.js") ? "export const __vitePreload = (load) => load();" : undefined),
};

export default defineConfig({
  base: "./",
  plugins: [sharedWorker, plainImports],
  resolve: {
    alias: [
      { find: /^rank1$/, replacement: source("index.ts") },
      { find: /^rank1\/onnx$/, replacement: source("onnx/index.ts") },
    ],
  },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  server: { headers, fs: { allow: [".."] } },
  preview: { headers },
  build: {
    ...{ target: "es2022", emptyOutDir: true },
    // No data: addresses, which a strict policy forbids, and no script of Vite's own in the page.
    assetsInlineLimit: 0,
    modulePreload: {
      polyfill: false,
      resolveDependencies: (_, paths, { hostType }) => (hostType === "html" ? paths : []),
    },
  },
});
