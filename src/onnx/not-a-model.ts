// What a file is that is no model: a page of HTML, a pointer of Git LFS, an archive, another framework's file, half a file.
// Loaded when one could not be read.
import { describe, Rank1Error } from "../errors.ts";
import { refused } from "./source.ts";

/** What begins like this, at this byte, and what to do. */
type Signature = readonly [at: number, start: string, what: string, advice?: string];

const unpack = "unpack it and give the .onnx file inside";
const toOnnx = (by: string): string => `export it to ONNX first, with ${by}`;
const [fromTorch, fromTensorFlow] = [toOnnx("torch.onnx.export"), toOnnx("tf2onnx")];

/** As Latin-1; none of them begins an ONNX file that can be read. */
const signatures: readonly Signature[] = [
  [0, "version https://git-lfs", "a Git LFS pointer, not the file that it stands for", 'get that by "git lfs pull", or from the address of the raw file'], // biome-ignore format: a row
  [0, "PK\x03\x04", "a zip archive", `${unpack}; where PyTorch wrote it (.pt, .pth), ${fromTorch}`],
  [0, "\x1f\x8b", "data packed by gzip", unpack],
  [0, "\x28\xb5\x2f\xfd", "data packed by zstd", unpack],
  [0, "BZh", "data packed by bzip2", unpack],
  [0, "7z\xbc\xaf\x27\x1c", "a 7z archive", unpack],
  [257, "ustar", "a tar archive", unpack],
  [4, "TFL3", "a TensorFlow Lite model", toOnnx("tf2onnx --tflite")],
  [4, "ORTM", "a model in ONNX Runtime's own format (.ort)", "give the .onnx file that it was made from"],
  [0, "\x89HDF", "an HDF5 file, such as Keras writes (.h5)", fromTensorFlow],
  [0, "GGUF", "a GGUF file", "rank1 runs ONNX models"],
  [0, "\x93NUMPY", "an array of NumPy (.npy)", "that is an input, not a model"],
  [0, "\x89PNG", "a PNG picture", "that is an input, not a model"],
  [0, "\xff\xd8\xff", "a JPEG picture", "that is an input, not a model"],
  [0, "\0asm", "a WebAssembly module"],
  [0, "\n", "another format of protobuf, such as a TensorFlow graph (.pb)", fromTensorFlow],
  ...["\x02", "\x03", "\x04", "\x05"].map((protocol): Signature => [0, `\x80${protocol}`, "a pickle of Python, such as PyTorch writes (.pt, .pth)", fromTorch]), // biome-ignore format: a row
];

const page = "an address that gives a page in place of the file leads to a viewer, or does not exist";

/**
 * The error that says what bytes are that could not be read as a model; `cause` where nothing better is known. Only asked
 * then: whatever can be read is a model.
 */
export function whatItIs(bytes: Uint8Array, cause: unknown): unknown {
  if (!(cause instanceof Rank1Error) || cause.parameter !== "model") return cause;
  const start = Array.from(bytes.subarray(0, 512), (byte) => String.fromCharCode(byte)).join("");
  const found = signatures.find(([at, text]) => start.startsWith(text, at));
  if (found) return refused(found[2], found[3], cause);
  const text = start.replace(/^\xef\xbb\xbf/, "").trimStart();
  if (/^<(!doctype html|html|head|body)/i.test(text)) return refused("a page of HTML", page, cause);
  if (/^<\?xml|^<[a-z!]/i.test(text)) return refused("a text in XML", page, cause);
  if (start.slice(8).startsWith('{"')) {
    return refused("a safetensors file, which holds weights alone", "export the network to ONNX first", cause);
  }
  if (/^[{[]\s*["{[\]}\d]/.test(text)) return refused("a text in JSON", undefined, cause);
  if (bytes.every((byte) => byte === 0)) return refused(`${bytes.length} bytes of zeros`, "get it again", cause);
  if (/^[\t\r\n\x20-\x7e]+$/.test(start)) return refused(`a text that begins with ${describe(text.slice(0, 40))}`, undefined, cause); // biome-ignore format: a line
  if (!/truncated/.test(cause.received)) return cause;
  const missing = missingBytes(bytes);
  if (missing === 0) return cause;
  const received = `a file of ${bytes.length} bytes of which at least ${missing} are missing at the end (truncated)`;
  return refused(received, "get it again", cause, "a whole ONNX file");
}

/** How many bytes the last record of a message has less than it says; 0 where that is not what is wrong. */
function missingBytes(bytes: Uint8Array): number {
  let at = 0;
  const varint = (): number => {
    let [value, scale] = [0, 1];
    for (; at < bytes.length && bytes[at]! > 127; scale *= 128) value += (bytes[at++]! & 127) * scale;
    return value + (bytes[at++] ?? 0) * scale;
  };
  while (at < bytes.length) {
    const tag = varint();
    const wireType = tag & 7;
    // No field of a model has a higher number.
    if (tag < 8 || tag >= 8 * 64 || ![0, 1, 2, 5].includes(wireType)) return 0;
    const length = wireType === 2 ? varint() : wireType === 1 ? 8 : wireType === 5 ? 4 : 0;
    if (wireType === 0) varint();
    at += length;
    if (at > bytes.length) return wireType === 2 && length < 2 ** 31 ? at - bytes.length : 0;
  }
  return 0;
}
