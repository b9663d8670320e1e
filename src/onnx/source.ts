// Where the bytes of a model come from.
import { describe, InvalidArgumentError } from "../errors.ts";

/** What gives bytes when asked: a Response of `fetch`, a Blob or File. */
export interface BytesHolder {
  /** All of them. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** An address: a URL. */
export interface Address {
  /** The whole of it. */
  readonly href: string;
}

/**
 * A model's bytes, what holds them (a Response, Blob or File), or where they are: an address (a URL, or a text that begins
 * with http:, https:, data: or blob:), on Node also a path or a file: URL. A page's texts are addresses relative to the page.
 */
export type ModelSource = Uint8Array | ArrayBuffer | string | Address | BytesHolder;

const forms = "its bytes, a Response or Blob with them, a URL or, on Node, a path";

/** The error for what is no model. */
export const refused = (
  received: string,
  hint?: string,
  cause?: unknown,
  expected = "an ONNX model",
): InvalidArgumentError => new InvalidArgumentError({ parameter: "model", expected, received, hint, cause });

/** The bytes of a model, not yet looked into. */
export async function readModelBytes(model: ModelSource): Promise<Uint8Array> {
  const bytes = await bytesOf(model);
  if (bytes.length > 0) return bytes;
  throw refused("no bytes", "the file or answer is empty: see that it was written or fetched whole", undefined, "the bytes of an ONNX file"); // biome-ignore format: a line
}

async function bytesOf(model: ModelSource): Promise<Uint8Array> {
  if (model instanceof Uint8Array) return model;
  if (model instanceof ArrayBuffer) return new Uint8Array(model);
  if (ArrayBuffer.isView(model as unknown))
    throw refused(describe(model), "a view of bytes is a Uint8Array", undefined, forms);
  if (typeof model === "string") return bytesAt(model, false);
  const { href, arrayBuffer } = (model ?? {}) as Partial<Address & BytesHolder>;
  if (typeof href === "string") return bytesAt(href, true);
  if (typeof arrayBuffer === "function") return bytesIn(model as BytesHolder);
  if (typeof (model as unknown as PromiseLike<unknown> | null)?.then === "function")
    throw refused("a promise", "await it first", undefined, forms);
  throw refused(describe(model), undefined, undefined, forms);
}

/** Of a Response also whether it is the answer that was asked for. */
async function bytesIn(holder: BytesHolder): Promise<Uint8Array> {
  const { ok, status, statusText, url, bodyUsed } = holder as Partial<Response>;
  if (ok === false) {
    const from = url ? ` from ${describe(url)}` : "";
    throw refused(
      `the answer ${status}${statusText ? ` (${statusText})` : ""}${from}`,
      "see that the address is right",
    );
  }
  if (bodyUsed) throw refused("a Response that was read already", "give its bytes, or a clone made before");
  try {
    return new Uint8Array(await holder.arrayBuffer());
  } catch (cause) {
    throw refused(`one that ended too early (${(cause as Error).message})`, undefined, cause);
  }
}

interface Modules {
  "node:fs/promises": { readFile(path: string | URL): Promise<Uint8Array> };
}

/** Node's modules are asked for at run time: a static import would break bundles for browsers. */
function nodeFiles(): Modules["node:fs/promises"] | undefined {
  type Process = { getBuiltinModule?: <N extends keyof Modules>(name: N) => Modules[N] };
  return (globalThis as { process?: Process }).process?.getBuiltinModule?.("node:fs/promises");
}

/** `isUrl`: it was given as one, so that "c:" is no drive. */
async function bytesAt(place: string, isUrl: boolean): Promise<Uint8Array> {
  const files = nodeFiles();
  const isFile = /^file:/i.test(place);
  if (/^(https?|data|blob):/i.test(place) || (!files && !isFile)) return fetched(place);
  if (!files) throw refused(describe(place), "there are no files in browsers: give its bytes, or a File that the user chose"); // biome-ignore format: a line
  if (isUrl && !isFile) throw refused(describe(place), "addresses of http:, https:, data:, blob: and file: are read");
  try {
    return await files.readFile(isFile ? new URL(place) : place);
  } catch (cause) {
    throw refused((cause as Error).message, undefined, cause, "a readable file");
  }
}

async function fetched(address: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(address);
  } catch (cause) {
    const { message, cause: behind } = cause as Error;
    const why = behind instanceof Error ? `${message}: ${behind.message}` : message;
    throw refused(`no answer from ${describe(address)} (${why})`, undefined, cause, "a model at that address");
  }
  return bytesIn(response);
}
