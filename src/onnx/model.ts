// Models from and to files: the message as it came, so that it can be written again, and the network in it.
import { checkOptions, describe, InvalidArgumentError } from "../errors.ts";
import type { Graph } from "../graph/types.ts";
import { importGraph } from "./import.ts";
import { ModelProto, TensorProto } from "./schema.ts";
import { externalLocation } from "./tensors.ts";
import { decode, encode } from "./wire.ts";

/** Files outside the model by the names that it gives them, or a way to get one. */
export type ExternalData =
  | Readonly<Record<string, Uint8Array>>
  | ((location: string) => Uint8Array | Promise<Uint8Array>);

export interface LoadOptions {
  /** Where weights are that lie outside the file. Nothing is ever read by a name that only the file knows. */
  externalData?: ExternalData;
}

/** A network and the file that it came in. */
export class Model {
  /** The message, of which tensors and nodes that nobody changed are views of the bytes that were loaded. */
  readonly proto: ModelProto;
  readonly graph: Graph;

  constructor(proto: ModelProto, graph: Graph) {
    this.proto = proto;
    this.graph = graph;
  }
}

/**
 * Reads an ONNX model from its bytes, or on Node from a file. Weights are views of the bytes: they must not change while
 * the model is in use.
 *
 * @throws InvalidArgumentError for what is no intact ONNX model, UnsupportedError for subgraphs, sparse and other weights
 * than numbers.
 */
export async function loadModel(model: Uint8Array | ArrayBuffer | string, options: LoadOptions = {}): Promise<Model> {
  const { externalData } = checkOptions<LoadOptions>("options", options, ["externalData"]);
  const bytes = typeof model === "string" ? await readFile(model) : model;
  const data = bytes instanceof ArrayBuffer ? new Uint8Array(bytes) : bytes;
  if (!(data instanceof Uint8Array) || data.length === 0) {
    const received = data instanceof Uint8Array ? "no bytes" : describe(bytes);
    throw new InvalidArgumentError({ parameter: "model", expected: "the bytes of an ONNX file", received });
  }
  const proto = decode(ModelProto, data, "model");
  return new Model(proto, importGraph(proto, await externalFiles(proto, externalData)));
}

interface Files {
  readFile(path: string): Promise<Uint8Array>;
}

/** Node's module is asked for at run time: a static import would break bundles for browsers. */
async function readFile(path: string): Promise<Uint8Array> {
  const { process } = globalThis as { process?: { getBuiltinModule?: (name: string) => Files } };
  const files = process?.getBuiltinModule?.("node:fs/promises");
  const expected = files ? "a readable file" : "the bytes of an ONNX file (in browsers there are no paths)";
  try {
    return await files!.readFile(path);
  } catch (cause) {
    const received = files ? (cause as Error).message : describe(path);
    throw new InvalidArgumentError({ parameter: "model", expected, received, cause });
  }
}

/** The bytes of an ONNX file. What was loaded and not changed comes out as it went in. */
export function saveModel({ proto }: Model): Uint8Array {
  return encode(ModelProto, proto);
}

/** Every file that initializers name, once each. */
async function externalFiles({ graph }: ModelProto, source: ExternalData = {}): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const [i, bytes] of (graph?.initializer ?? []).entries()) {
    const location = externalLocation(decode(TensorProto, bytes, `initializer ${i}`));
    if (location === undefined || files.has(location)) continue;
    const own = typeof source === "function" || Object.hasOwn(source, location);
    const file = own ? await (typeof source === "function" ? source(location) : source[location]) : undefined;
    if (file) files.set(location, file);
  }
  return files;
}
