// Tensors of files: raw and typed data of every type, and what does not fit.
import { BinaryWriter } from "@bufbuild/protobuf/wire";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TensorProto } from "../../src/onnx/schema.ts";
import { readTensor } from "../../src/onnx/tensors.ts";
import { tensor } from "./build.ts";

const varints = (numbers: readonly (number | bigint)[]): Uint8Array[] => {
  const writer = new BinaryWriter();
  for (const number of numbers) writer.int64(BigInt(number));
  return [writer.finish()];
};
const bytesOf = ({ buffer }: ArrayBufferView): Uint8Array => new Uint8Array(buffer as ArrayBuffer);

describe("raw and typed data agree", () => {
  test.each<[string, number, ArrayBufferView & { length: number }, Partial<TensorProto>, string?]>([
    ["f32", 1, Float32Array.of(1.5, -0, NaN), { floatData: [bytesOf(Float32Array.of(1.5, -0, NaN))] }],
    ["u8", 2, Uint8Array.of(0, 255), { int32Data: varints([0, 255]) }],
    ["i8", 3, Int8Array.of(-128, 127), { int32Data: varints([-128, 127]) }],
    ["u16", 4, Uint16Array.of(65535, 1), { int32Data: varints([65535, 1]) }],
    ["i16", 5, Int16Array.of(-32768, 1), { int32Data: varints([-32768, 1]) }],
    ["i32", 6, Int32Array.of(-(2 ** 31), 7), { int32Data: varints([-(2 ** 31), 7]) }],
    ["i64", 7, BigInt64Array.of(-(2n ** 63n), 9n), { int64Data: varints([-(2n ** 63n), 9n]) }],
    ["bool", 9, Uint8Array.of(0, 1), { int32Data: varints([0, 1]) }, "bool"],
    ["f64", 11, Float64Array.of(Math.PI), { doubleData: [bytesOf(Float64Array.of(Math.PI))] }],
    ["u32", 12, Uint32Array.of(2 ** 32 - 1), { uint64Data: varints([2 ** 32 - 1]) }],
    ["u64", 13, BigUint64Array.of(2n ** 64n - 1n), { uint64Data: varints([-1n]) }],
  ])("%s", (_name, dataType, data, typed, dtype) => {
    const expected = { name: "t", shape: [data.length], data, ...(dtype && { dtype }) };
    const all = { dataType: BigInt(dataType) };
    expect(readTensor(tensor("t", [data.length], { ...all, rawData: bytesOf(data) }))).toEqual(expected);
    expect(readTensor(tensor("t", [data.length], { ...all, ...typed }))).toEqual(expected);
  });

  test("f16 and bf16 become f32 and keep their name", () => {
    const half = [0, 0x8000, 0x3c00, 0xc000, 1, 0x3ff, 0x7bff, 0x7c00, 0xfc00, 0x7e00];
    const values = [0, -0, 1, -2, 2 ** -24, 1023 * 2 ** -24, 65504, Infinity, -Infinity, NaN];
    for (const fields of [{ rawData: bytesOf(Uint16Array.from(half)) }, { int32Data: varints(half) }]) {
      const read = readTensor(tensor("h", [10], { dataType: 10n, ...fields }));
      expect(read).toEqual({ name: "h", shape: [10], data: Float32Array.from(values), dtype: "f16" });
    }
    const brain = [0x3f80, 0xc049, 0x7f80, 0x8000];
    const read = readTensor(tensor("b", [4], { dataType: 16n, int32Data: varints(brain) }));
    expect(read).toEqual({ name: "b", shape: [4], data: Float32Array.of(1, -3.140625, Infinity, -0), dtype: "bf16" });
  });

  test("every half is what a Float16Array says", () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const { data } = readTensor(tensor("h", [65536], { dataType: 10n, rawData: bytesOf(bits) }));
    const float16 = (globalThis as unknown as { Float16Array: new (b: ArrayBuffer) => ArrayLike<number> }).Float16Array;
    expect(data).toEqual(Float32Array.from(new float16(bits.buffer)));
  });
});

test("data is a view where it is aligned, and right where it is not", () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true }), { maxLength: 9 }), fc.nat(7), (numbers, shift) => {
      const bytes = tensor("t", [numbers.length], { rawData: bytesOf(Float32Array.from(numbers)) });
      const moved = new Uint8Array(bytes.length + shift);
      moved.set(bytes, shift);
      const { data } = readTensor(moved.subarray(shift));
      expect(data).toEqual(Float32Array.from(numbers));
      const at = moved.length - 4 * numbers.length; // raw data comes last
      if (numbers.length > 0) expect(data.buffer === moved.buffer).toBe(at % 4 === 0);
    }),
  );
});

test("a list in pieces, and one by one", () => {
  const pieces = [1, 2, 3].map((n) => bytesOf(Float32Array.of(n)));
  expect(readTensor(tensor("t", [3], { floatData: pieces })).data).toEqual(Float32Array.of(1, 2, 3));
  const single = Uint8Array.of(0x08, 2, 0x10, 1, 0x25, 0, 0, 128, 63, 0x25, 0, 0, 0, 64);
  expect(readTensor(single)).toEqual({ name: "", shape: [2], data: Float32Array.of(1, 2) });
});

test("scalars and empty tensors", () => {
  expect(readTensor(tensor("t", []))).toEqual({ name: "t", shape: [], data: new Float32Array(1) });
  expect(readTensor(tensor("t", [0, 3], { int64Data: [], dataType: 7n }))).toEqual({ name: "t", shape: [0, 3], data: new BigInt64Array(0) }); // biome-ignore format: one line
});

test.each<[string, Uint8Array, RegExp]>([
  [
    "too little raw data",
    tensor("t", [2], { rawData: new Uint8Array(7) }),
    /tensor "t": expected 8 bytes of data, got 7/,
  ],
  ["too much typed data", tensor("t", [1], { floatData: [new Uint8Array(8)] }), /expected 4 bytes of data, got 8/],
  ["no data", tensor("t", [2], { dataType: 7n, int64Data: [] }), /expected 2 elements of data, got 0/],
  [
    "a huge tensor",
    tensor("t", [2 ** 31 - 1, 4096, 4096], { floatData: [] }),
    /expected 144.*e\+17 bytes of data, got 0|expected \d+ bytes of data, got 0/,
  ],
  [
    "a huge side",
    tensor("t", [2 ** 40], { floatData: [] }),
    /shape: expected an integer from 0 to 2147483647, got 1099511627776/,
  ],
  ["a negative side", tensor("t", [-1, -1], { floatData: [] }), /shape: expected an integer from 0 .* got -1/],
  ["strings", tensor("t", [1], { dataType: 8n }), /tensor "t": expected elements that are numbers .* got strings/],
  ["complex numbers", tensor("t", [1], { dataType: 14n }), /got complex64/],
  ["4-bit integers", tensor("t", [1], { dataType: 22n }), /got [ui]4/],
  ["an unknown type", tensor("t", [1], { dataType: -7n }), /got type number -7/],
  [
    "a varint of 11 bytes",
    tensor("t", [1], { dataType: 7n, int64Data: [new Uint8Array(11).fill(255, 0, 10)] }),
    /"t": .* broken or truncated data \(invalid varint\)/,
  ],
  ["a varint without an end", tensor("t", [1], { dataType: 6n, int32Data: [Uint8Array.of(1, 128)] }), /broken|got/],
  ["a long name", tensor("n".repeat(1e5), [1], { floatData: [] }), /^tensor "nnn.{80,200}$/],
])("%s: a typed error", (_name, bytes, message) => {
  expect(() => readTensor(bytes)).toThrow(expect.objectContaining({ message: expect.stringMatching(message), code: expect.stringMatching(/^(INVALID_ARGUMENT|UNSUPPORTED)$/) })); // biome-ignore format: one line
});

test("a list of dimensions that is far too long", () => {
  const packed = (length: number) => Uint8Array.of(0x0a, ...new BinaryWriter().uint32(length).finish());
  const bytes = new Uint8Array(300_004);
  bytes.set(packed(300_000));
  expect(() => readTensor(bytes)).toThrow(/^tensor: expected lists of at most 50000 entries in all, got more/);
});
