// A web server for test pages: files from memory or from a folder, with the headers under test.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { afterAll } from "vitest";

/** Contents by path, or the folder that holds them. */
export type Files = Readonly<Record<string, string | Uint8Array>> | string;

/** The first code block after a phrase of docs/deploying.md: what it advises is what the tests use. */
export function documented(phrase: string): string {
  const guide = readFileSync(new URL("../../docs/deploying.md", import.meta.url), "utf8");
  const [, block] = /^```\w*\n([\s\S]*?)^```$/m.exec(guide.slice(guide.indexOf(phrase))) ?? [];
  if (block === undefined || !guide.includes(phrase)) throw new Error(`docs/deploying.md: no code after ${phrase}`);
  return block;
}

/** Lines of "Name: value". */
const headersIn = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/^ *([\w-]+): (.+)$/gm)].map(([, name, value]) => [name!, value!]));

/** The headers that make a page cross-origin isolated. */
export const isolation = headersIn(documented("`_headers`"));
/** The policy that allows what rank1 needs and no more. */
export const permission = headersIn(documented("## Content security policy"));

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".webp": "image/webp",
};

const servers: (() => void)[] = [];
afterAll(() => {
  for (const close of servers) close();
});

/** Serves until the file's last test is over; what is missing gives 404. Resolves to the address. */
export async function serve(files: Files, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url!, "http://localhost").pathname.replace(/\/$/, "/index.html");
    const body = typeof files === "string" ? await readFile(join(files, path)).catch(() => undefined) : files[path];
    response.writeHead(body === undefined ? 404 : 200, {
      "content-type": types[extname(path)] ?? "text/plain",
      ...headers,
    });
    response.end(body);
  });
  server.listen(0, "127.0.0.1");
  servers.push(() => server.close().closeAllConnections());
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** A page that loads one script; policies without 'unsafe-inline' allow it. */
export const pageOf = (script: string, type = "module"): string =>
  `<!doctype html><meta charset="utf-8"><title>rank1</title><script type="${type}" src="${script}"></script>`;

/** The script of a test page: defines `rank1` with what the module of that name exports. */
export const entryOf = (rank1: string): string => `
  import { createEngine } from ${JSON.stringify(rank1)};
  import { runCases } from ${JSON.stringify(new URL("./cases.ts", import.meta.url).pathname)};
  globalThis.rank1 = { createEngine, runCases };`;
