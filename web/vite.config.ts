// The studio: a static page from relative addresses, so that any host and any folder serves it. It imports rank1 by its
// public names, which stand for the sources here.
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const source = (path: string): string => fileURLToPath(new URL(`../src/${path}`, import.meta.url));

/** Threads share memory only on isolated pages: see docs/deploying.md. */
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  base: "./",
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
  // No data: addresses, which a strict policy forbids, and no script of Vite's own in the page.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false }, emptyOutDir: true },
});
