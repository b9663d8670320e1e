// Where models come from, and what is said of files that are none.

import { writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { InvalidArgumentError } from "../../src/errors.ts";
import { loadModel } from "../../src/onnx/model.ts";
import type { ModelSource } from "../../src/onnx/source.ts";
import { temporaryFolder } from "../node/folder.ts";
import { model, node, value } from "./build.ts";

const bytes = model({
  nodes: [node("Relu", ["x"], ["y"])],
  inputs: [value("x", ["N", 3])],
  outputs: [value("y", ["N", 3])],
});
const page = "<!DOCTYPE html><html><body>Not found</body></html>";

const folder = temporaryFolder();
let server: Server;
let address = "";

beforeAll(async () => {
  writeFileSync(join(folder, "model.onnx"), bytes);
  server = createServer((request, response) => {
    const known = { "/model.onnx": bytes, "/page": page }[request.url ?? ""];
    response.writeHead(known ? 200 : 404).end(known ?? page);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

const messageOf = async (source: unknown): Promise<string> => {
  const error = await loadModel(source as ModelSource).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(InvalidArgumentError);
  return (error as Error).message;
};

test("a model comes from bytes, paths, URLs, Responses, Blobs and Files", async () => {
  const url = `${address}/model.onnx`;
  const path = join(folder, "model.onnx");
  const whole = bytes.slice();
  const sources: ModelSource[] = [
    ...[whole, whole.buffer, Buffer.from(bytes), path, pathToFileURL(path), pathToFileURL(path).href],
    ...[url, new URL(url), await fetch(url), new Blob([whole]), new File([whole], "model.onnx")],
    `data:application/octet-stream;base64,${Buffer.from(bytes).toString("base64")}`,
  ];
  for (const source of sources) {
    const { inputs, outputs, missing } = await loadModel(source);
    expect([inputs, outputs, missing]).toEqual([
      [{ name: "x", dtype: "f32", shape: ["N", 3] }],
      [{ name: "y", dtype: "f32", shape: ["N", 3] }],
      [],
    ]);
  }
});

test("answers that are no model say why", async () => {
  expect(await messageOf(`${address}/none`)).toMatch(/got the answer 404 \(Not Found\) from "http.*none"; see that the address is right/); // biome-ignore format: a line
  expect(await messageOf(`${address}/page`)).toMatch(/got a page of HTML/);
  expect(await messageOf("http://127.0.0.1:1/")).toMatch(/expected a model at that address, got no answer from "http/);
  const read = await fetch(`${address}/model.onnx`);
  await read.arrayBuffer();
  expect(await messageOf(read)).toMatch(/a Response that was read already/);
  expect(await messageOf(Promise.resolve(bytes))).toMatch(/got a promise; await it first/);
  expect(await messageOf(new URL("ftp://a/b"))).toMatch(/addresses of http:, https:/);
  expect(await messageOf(join(folder, "none.onnx"))).toMatch(/expected a readable file, got ENOENT/);
  expect(await messageOf(new DataView(new ArrayBuffer(8)))).toMatch(/a view of bytes is a Uint8Array/);
});

const text = (string: string): Uint8Array => new TextEncoder().encode(string);
const latin = (string: string): Uint8Array => Uint8Array.from(Buffer.from(string, "latin1"));

describe("a file of another kind is named", () => {
  test.each<[RegExp, Uint8Array]>([
    [/a page of HTML/, text(`\ufeff\n${page}`)],
    [/a text in XML/, text('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>')],
    [/a Git LFS pointer, .*; get that by "git lfs pull"/, text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")],
    [/a zip archive; unpack it .*torch\.onnx\.export/, latin("PK\x03\x04\x14\0\0\0\b\0archive/data.pkl")],
    [/data packed by gzip; unpack it/, gzipSync(bytes)],
    [/a TensorFlow Lite model; export it to ONNX/, latin("\x1c\0\0\0TFL3\0\0\0\0")],
    [/a model in ONNX Runtime's own format/, latin("\x20\0\0\0ORTM\0\0\0\0")],
    [/a safetensors file/, latin(`\x40\0\0\0\0\0\0\0{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}\0\0\0\0`)],
    [/a pickle of Python/, latin("\x80\x02}q\0(X")],
    [/an HDF5 file/, latin("\x89HDF\r\n\x1a\n")],
    [/a PNG picture; that is an input/, latin("\x89PNG\r\n\x1a\n")],
    [/a text in JSON/, text('{"message": "Not Found"}')],
    [/a text that begins with "hello"/, text("hello")],
    [/1024 bytes of zeros/, new Uint8Array(1024)],
    [/another format of protobuf, such as a TensorFlow graph/, latin("\n\x06\n\x01x\x12\x01y")],
    [/no bytes; the file or answer is empty/, new Uint8Array()],
  ])("%s", async (message, given) => expect(await messageOf(given)).toMatch(message)); // biome-ignore format: a table

  test("a truncated file says how much is missing, whatever its length", async () => {
    for (let length = bytes.length - 1; length > 12; length -= 7)
      expect(await messageOf(bytes.subarray(0, length))).toMatch(/truncated|expected an ONNX model with a graph|expected a value of the graph/); // biome-ignore format: a line
  });
});
