// Conversion of ONNX's TensorProto to tensors. Raw data is not copied where it is aligned; 16-bit floats become f32.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { checkInteger, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { fromBits, isHalf } from "../graph/halves.ts";
import { bytesOf, type DType, newStored, storedIn, type Tensor, type TypedArray } from "../tensor.ts";
import { TensorProto } from "./schema.ts";
import { decode, intact } from "./wire.ts";

/** Element types by ONNX's numbers. */
const dtypes: Readonly<Record<number, DType>> = {
  1: "f32",
  2: "u8",
  3: "i8",
  4: "u16",
  5: "i16",
  6: "i32",
  7: "i64",
  9: "bool",
  10: "f16",
  11: "f64",
  12: "u32",
  13: "u64",
  16: "bf16",
};

/** Names of the types that are known but not read. */
const others: Readonly<Record<number, string>> = {
  ...{
    8: "strings",
    14: "complex64",
    15: "complex128",
    17: "f8e4m3fn",
    18: "f8e4m3fnuz",
    19: "f8e5m2",
    20: "f8e5m2fnuz",
  },
  ...{ 21: "u4", 22: "i4", 23: "f4e2m1", 24: "f8e8m0" },
};

/** Elements of any one tensor. */
export const mostElements = 2 ** 31 - 1;

/** The element type of a number in a file. Throws {@link UnsupportedError} for strings, complex, 8-bit floats and 4-bit numbers. */
export function dtypeOf(dataType: bigint | undefined, what: string): DType {
  const found = dtypes[Number(dataType ?? 0n)];
  if (found) return found;
  const received = others[Number(dataType)] ?? `type number ${dataType ?? 0n}`;
  throw new UnsupportedError({ parameter: what, expected: "elements that are numbers of 8 to 64 bits", received });
}

/** A side of a shape in a file. */
export function sideOf(dim: bigint, what: string): number {
  return checkInteger(`${what} shape`, Number(dim), { min: 0, max: mostElements });
}

/** Bytes outside the file by the name that the file gives them. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>;

/**
 * The tensor in a TensorProto; its data may be a view of `bytes`. f16 and bf16 come as f32 with the dtype they had.
 *
 * @throws InvalidArgumentError where shape and data do not fit, UnsupportedError for other elements than numbers.
 */
export function readTensor(bytes: Uint8Array, what = "tensor", external?: ExternalFiles): Tensor & { name: string } {
  const proto = decode(TensorProto, bytes, what);
  const name = proto.name ?? "";
  const title = name === "" ? what : `tensor ${describe(name)}`;
  const dtype = dtypeOf(proto.dataType, title);
  const shape = proto.dims.map((dim) => sideOf(dim, title));
  const length = shape.reduce((product, side) => product * side, 1);
  const raw = proto.dataLocation === 1n ? externalBytes(proto, title, external) : proto.rawData;
  const data = raw ? rawData(raw, dtype, length, title) : typedData(proto, dtype, length, title);
  const telling = dtype === "bool" || isHalf(dtype);
  return { name, shape, data: toFloats(data, dtype), ...(telling && { dtype }) };
}

/** Where the data of a tensor lies outside the file; undefined for data inside. */
export function externalLocation({ dataLocation, externalData }: TensorProto): string | undefined {
  if (dataLocation !== 1n) return undefined;
  return externalData.find(({ key }) => key === "location")?.value ?? "";
}

/** What a tensor outside the file consists of. */
export function externalBytes(proto: TensorProto, what: string, files: ExternalFiles | undefined): Uint8Array {
  const location = externalLocation(proto)!;
  const file = files?.get(location);
  if (!file) {
    const expected = `the bytes of its external file ${describe(location)} in externalData`;
    throw new InvalidArgumentError({ parameter: what, expected, received: "none" });
  }
  const entry = (key: string): string | undefined => proto.externalData.find((one) => one.key === key)?.value;
  const offset = checkInteger(`${what} offset`, Number(entry("offset") ?? 0), { min: 0, max: file.length });
  const rest = file.length - offset;
  const length = checkInteger(`${what} length`, Number(entry("length") ?? rest), { min: 0, max: rest });
  return file.subarray(offset, offset + length);
}

function rawData(bytes: Uint8Array, dtype: DType, length: number, what: string): TypedArray {
  if (bytes.length !== length * bytesOf[dtype]) throw wrongSize(what, length * bytesOf[dtype], "bytes", bytes.length);
  return storedIn(dtype, bytes);
}

/** Elements in the field of their type: floats lie there as they do in raw data, integers as varints. */
function typedData(proto: TensorProto, dtype: DType, length: number, what: string): TypedArray {
  if (dtype === "f32") return rawData(joined(proto.floatData), dtype, length, what);
  if (dtype === "f64") return rawData(joined(proto.doubleData), dtype, length, what);
  const unsigned = dtype === "u32" || dtype === "u64";
  const bytes = joined(dtype === "i64" ? proto.int64Data : unsigned ? proto.uint64Data : proto.int32Data);
  let count = 0;
  for (const byte of bytes) if (byte < 128) count++;
  if (count !== length) throw wrongSize(what, length, "elements", count);
  return intact(what, () => {
    const data = newStored(dtype, length);
    const reader = new BinaryReader(bytes);
    if (data instanceof BigInt64Array) for (let i = 0; i < length; i++) data[i] = reader.int64() as bigint;
    else if (data instanceof BigUint64Array) for (let i = 0; i < length; i++) data[i] = reader.uint64() as bigint;
    else for (let i = 0; i < length; i++) data[i] = unsigned ? reader.uint32() : reader.int32();
    if (reader.pos < reader.len) throw new Error("an unfinished number");
    return data;
  });
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

function wrongSize(what: string, wanted: number, unit: string, got: number): InvalidArgumentError {
  return new InvalidArgumentError({ parameter: what, expected: `${wanted} ${unit} of data`, received: `${got}` });
}

const toFloats = (data: TypedArray, dtype: DType): TypedArray =>
  isHalf(dtype) ? fromBits(data as Uint16Array, dtype) : data;
