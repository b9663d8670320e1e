// .npy files: what NumPy 2.4.6 wrote is read and written again as the same bytes.
import { describe, expect, test } from "vitest";
import { readNpy, writeNpy } from "../../src/node/npy.ts";
import type { Tensor } from "../../src/tensor.ts";

/** A file as numpy.save writes it: the header padded so that the data starts at byte 128. */
function saved(descr: string, shape: string, data: ArrayBufferView, order = "False"): Buffer {
  const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;
  const bytes = Buffer.from(data.buffer as ArrayBuffer);
  return Buffer.concat([Buffer.from("\x93NUMPY\x01\0v\0", "latin1"), Buffer.from(`${header.padEnd(117)}\n`), bytes]);
}

const numpy =
  "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBlJzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIAoAAAAAAACAPgAAAD8AAEA/AACAPwAAoD8=";

test("np.arange(6, dtype='<f4').reshape(2, 3) / 4, as NumPy saved it", () => {
  const file = Buffer.from(numpy, "base64");
  const tensor = { shape: [2, 3], data: Float32Array.of(0, 0.25, 0.5, 0.75, 1, 1.25) };
  expect(readNpy(file)).toEqual(tensor);
  expect(Buffer.compare(writeNpy(tensor), file)).toBe(0);
  expect(Buffer.compare(saved("<f4", "(2, 3)", tensor.data), file)).toBe(0);
});

describe("every type there and back", () => {
  test.each<[string, string, Tensor]>([
    ["|u1", "(2,)", { shape: [2], data: Uint8Array.of(0, 255) }],
    ["|i1", "(1, 2)", { shape: [1, 2], data: Int8Array.of(-128, 127) }],
    ["<u2", "(0, 3)", { shape: [0, 3], data: new Uint16Array() }],
    ["<i2", "(2,)", { shape: [2], data: Int16Array.of(-32768, 3) }],
    ["<u4", "(1,)", { shape: [1], data: Uint32Array.of(2 ** 32 - 1) }],
    ["<i4", "(1,)", { shape: [1], data: Int32Array.of(-5) }],
    ["<u8", "(1,)", { shape: [1], data: BigUint64Array.of(2n ** 64n - 1n) }],
    ["<i8", "(2,)", { shape: [2], data: BigInt64Array.of(-1n, 2n) }],
    ["<f8", "()", { shape: [], data: Float64Array.of(-2.5) }],
    ["|b1", "(2, 1)", { shape: [2, 1], data: Uint8Array.of(1, 0), dtype: "bool" }],
  ])("%s %s", (descr, shape, tensor) => {
    const file = saved(descr, shape, tensor.data);
    expect(readNpy(file)).toEqual(tensor);
    expect(Buffer.compare(writeNpy(tensor), file)).toBe(0);
  });
});

test("half floats, which are held as f32, are written as f32; long shapes have a longer header", () => {
  const half: Tensor = { shape: [1], data: Float32Array.of(0.5), dtype: "f16" };
  expect(readNpy(writeNpy(half))).toEqual({ shape: [1], data: Float32Array.of(0.5) });
  const bits = saved("<f2", "(4,)", Uint16Array.of(0x3800, 0xc000, 0x7c00, 1));
  expect(readNpy(bits)).toEqual({ shape: [4], data: Float32Array.of(0.5, -2, Number.POSITIVE_INFINITY, 2 ** -24) });
  const long: Tensor = { shape: Array(60).fill(1), data: Float32Array.of(1) };
  expect(readNpy(writeNpy(long))).toEqual(long);
  expect((writeNpy(long).length - 4) % 64).toBe(0);
});

test("a file of version 2, whose header may be long", () => {
  const first = saved("<i4", "(1,)", Int32Array.of(7));
  const second = Buffer.concat([Buffer.from("\x93NUMPY\x02\0v\0\0\0", "latin1"), first.subarray(10)]);
  expect(readNpy(second)).toEqual({ shape: [1], data: Int32Array.of(7) });
});

describe("Fortran order becomes C order", () => {
  test.each([[[2, 3]], [[3, 1]], [[2, 3, 4]], [[3, 1, 2, 5]], [[0, 3]], [[4]]])("%j", (shape) => {
    const size = shape.reduce((product, side) => product * side, 1);
    const data = new Int32Array(size).map((_, i) => i + 1);
    const stored = data.slice();
    for (let i = 0; i < size; i++) {
      let [rest, at, step] = [i, 0, size];
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        step /= shape[axis]!;
        at += (rest % shape[axis]!) * step;
        rest = Math.floor(rest / shape[axis]!);
      }
      stored[at] = data[i]!;
    }
    const sides = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
    expect(readNpy(saved("<i4", sides, stored, "True"))).toEqual({ shape, data });
  });
});

test.each<[string, Buffer, Tensor["data"]]>([
  [">u2", Buffer.from("0102fffe", "hex"), Uint16Array.of(0x0102, 0xfffe)],
  [">i4", Buffer.from("fffffffe00000007", "hex"), Int32Array.of(-2, 7)],
  [">f2", Buffer.from("3800c000", "hex"), Float32Array.of(0.5, -2)],
  [">f4", Buffer.from("3f800000c0490fdb", "hex"), Float32Array.of(1, Math.fround(-Math.PI))],
  [">f8", Buffer.from("3ff8000000000000", "hex"), Float64Array.of(1.5)],
  [">i8", Buffer.from("fffffffffffffffb", "hex"), BigInt64Array.of(-5n)],
])("%s: the greatest byte first, as in FITS files", (descr, bytes, data) => {
  const before = Buffer.from(bytes);
  const copy = new Uint8Array(bytes); // as long as what it holds
  expect(readNpy(saved(descr, `(${data.length},)`, copy)).data).toEqual(data);
  expect(Buffer.compare(before, copy)).toBe(0);
});

const f8 = new Float64Array(6);
test.each<[string, Uint8Array, RegExp]>([
  [
    "another file",
    Buffer.from("PNG, or whatever it is"),
    /^a\.npy: expected an intact \.npy file, got data of another kind$/,
  ],
  ["nothing", new Uint8Array(), /another kind/],
  ["a truncated header", saved("<f8", "(6,)", f8).subarray(0, 40), /a truncated header/],
  ["truncated data", saved("<f8", "(6,)", f8).subarray(0, -1), /got 47 bytes of data where the shape takes 48/],
  ["a shape that is too large", saved("<f8", "(99999999999, 99999999999)", f8), /where the shape takes/],
  ["a negative side", saved("<f8", "(-6,)", f8), /a\.npy shape: expected an integer of at least 0, got -6/],
  ["no shape", saved("<f8", "None", f8), /a header that lacks a field/],
  ["objects", saved("|O", "(6,)", f8), /expected numbers or booleans, got "\|O"/],
  ["complex numbers", saved("<c16", "(3,)", f8), /got "<c16"/],
  ["bytes turned round that have one", saved(">u1", "(48,)", f8), /got ">u1"/],
])("%s: a typed error", (_name, bytes, message) => {
  expect(() => readNpy(bytes, "a.npy")).toThrow(expect.objectContaining({ message: expect.stringMatching(message), code: expect.stringMatching(/^(INVALID_ARGUMENT|UNSUPPORTED)$/) })); // biome-ignore format: one line
});
