// Firefox as Debian has it, through WebDriver BiDi (https://w3c.github.io/webdriver-bidi/): commands as JSON over a WebSocket.
// Playwright drives only builds of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const places = ["/usr/bin/firefox-esr", "/usr/bin/firefox"];
export const firefoxPath = [process.env.RANK1_FIREFOX ?? "", ...places].find((path) => existsSync(path));
export const noFirefox = `no browser in ${places.join(", ")} or $RANK1_FIREFOX`;

interface Message {
  id?: number;
  method?: string;
  result?: Record<string, unknown>;
  /** Of commands that failed: its kind, and what went wrong. */
  error?: string;
  message?: string;
  params?: { level?: string; text?: string };
}

export interface Firefox {
  open(url: string): Promise<void>;
  /** Runs a function in the page; arguments and result travel as JSON. */
  evaluate<A extends unknown[], R>(run: (...args: A) => R, ...args: A): Promise<Awaited<R>>;
  /** Errors on the console, and those that nobody caught. */
  errors: string[];
  close(): Promise<void>;
}

export async function launchFirefox(): Promise<Firefox> {
  const profile = mkdtempSync(join(tmpdir(), "rank1-firefox-"));
  const options = ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0", "about:blank"];
  // Its caches and logs go to the profile too
  const browser = spawn(firefoxPath!, options, { env: { ...process.env, HOME: profile }, stdio: ["ignore", "ignore", "pipe"] }); // biome-ignore format: one call
  const gone = once(browser, "exit");
  const socket = new WebSocket(`${await addressIn(browser.stderr)}/session`);
  await once(socket, "open");

  const errors: string[] = [];
  const waiting = new Map<number, (message: Message) => void>();
  socket.onmessage = ({ data }) => {
    const message: Message = JSON.parse(data);
    if (message.id !== undefined) waiting.get(message.id)!(message);
    else if (message.params?.level === "error") errors.push(message.params.text ?? "");
  };
  let commands = 0;
  const send = async (method: string, params: object): Promise<Record<string, unknown>> => {
    const id = ++commands;
    const answer = new Promise<Message>((resolve) => waiting.set(id, resolve));
    socket.send(JSON.stringify({ id, method, params }));
    const { result, error, message } = await answer;
    if (!result) throw new Error(`${method}: ${error}: ${message}`);
    return result;
  };

  await send("session.new", { capabilities: {} });
  await send("session.subscribe", { events: ["log.entryAdded"] });
  const { contexts } = (await send("browsingContext.getTree", {})) as { contexts: { context: string }[] };
  const { context } = contexts[0]!;
  return {
    errors,
    async open(url) {
      await send("browsingContext.setViewport", { context, viewport: { width: 1280, height: 900 } });
      await send("browsingContext.navigate", { context, url, wait: "complete" });
    },
    async evaluate(run, ...args) {
      const expression = `(async () => JSON.stringify(await (${run})(...${JSON.stringify(args)})) ?? "null")()`;
      const found = await send("script.evaluate", { expression, awaitPromise: true, target: { context } });
      if (found.type === "exception") throw new Error(JSON.stringify(found.exceptionDetails));
      return JSON.parse((found.result as { value: string }).value);
    },
    async close() {
      await send("browser.close", {});
      await gone;
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** The address that Firefox says it listens at. */
async function addressIn(output: AsyncIterable<Buffer>): Promise<string> {
  let text = "";
  for await (const part of output) {
    text += part;
    const [, address] = /WebDriver BiDi listening on (ws:\S+)/.exec(text) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error(`Firefox ended before it listened: ${text}`);
}
