// NumPy's .npy files from and to tensors (numpy.org/doc/stable/reference/generated/numpy.lib.format.html): numbers and booleans,
// read in either byte order and either order of elements, written little-endian in C order.
import { checkInteger, describe, InvalidArgumentError, UnsupportedError } from "../errors.ts";
import { bytesOf, type DType, halvesToFloats, storedIn, type Tensor, type TypedArray } from "../tensor.ts";
import { plural } from "../words.ts";

const magic = "\x93NUMPY";

/** Whether bytes are those of such a file, or are said to be by the file's name. */
export const isNpy = (bytes: Uint8Array, name: string): boolean =>
  Buffer.from(bytes.subarray(0, magic.length)).toString("latin1") === magic || /\.npy$/i.test(name);

/** Element types by their descriptions in a file. */
const dtypes: Readonly<Record<string, DType>> = {
  ...{ "|u1": "u8", "|i1": "i8", "<u2": "u16", "<i2": "i16", "<u4": "u32", "<i4": "i32", "<u8": "u64", "<i8": "i64" },
  ...{ "<f2": "f16", "<f4": "f32", "<f8": "f64", "|b1": "bool" },
};

/**
 * The tensor in a .npy file; its data may be a view of `bytes`. Half floats come as f32, Fortran order (the first side running fastest) as C
 * order. `name` stands for the file in errors.
 *
 * @throws InvalidArgumentError for what is no intact .npy file, UnsupportedError for other elements.
 */
export function readNpy(bytes: Uint8Array, name = "npy file"): Tensor {
  const { header, data } = parts(bytes, name);
  const { dtype, shape, turned, order } = readHeader(header, name);
  const size = shape.reduce((product, side) => product * side, bytesOf[dtype]);
  if (data.length !== size) broken(name, `${plural(data.length, "byte")} of data where the shape takes ${size}`);
  const read = storedIn(dtype, turned ? swapped(data, bytesOf[dtype]) : data);
  const stored = order === "True" && shape.length > 1 ? inCOrder(read, shape) : read;
  if (dtype === "f16") return { shape, data: halvesToFloats(stored as Uint16Array) };
  return { shape, data: stored, ...(dtype === "bool" && { dtype }) };
}

/** Where an array begins in a file, and what it is, from the first bytes of the file. */
export function lookAtNpy(bytes: Uint8Array, name: string) {
  const { header, data } = parts(bytes, name);
  return { ...readHeader(header, name), at: bytes.length - data.length };
}

function readHeader(header: string, name: string) {
  const field = (pattern: RegExp): string => header.match(pattern)?.[1] ?? broken(name, "a header that lacks a field");
  const descr = field(/'descr'\s*:\s*'([^']*)'/);
  const order = field(/'fortran_order'\s*:\s*(True|False)/);
  const sides = field(/'shape'\s*:\s*\(([^)]*)\)/);
  const turned = descr.startsWith(">");
  const little = turned ? `<${descr.slice(1)}` : descr;
  const dtype = Object.hasOwn(dtypes, little) ? dtypes[little]! : unsupported(name, "numbers or booleans", descr);
  const shape = sides.split(",").flatMap((side) => (side.trim() === "" ? [] : [sideOf(name, side)]));
  return { dtype, shape, turned, order };
}

const sideOf = (name: string, text: string): number => checkInteger(`${name} shape`, Number(text), { min: 0 });

/** The header as text, and the data behind it. */
function parts(bytes: Uint8Array, name: string): { header: string; data: Uint8Array } {
  const latin = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString("latin1");
  if (latin(0, magic.length) !== magic || bytes.length < 12) broken(name, "data of another kind");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const long = bytes[magic.length]! > 1; // the first version counts the header's bytes in two, later ones in four
  const start = magic.length + (long ? 6 : 4);
  const end = start + (long ? view.getUint32(start - 4, true) : view.getUint16(start - 2, true));
  if (end > bytes.length) broken(name, "a truncated header");
  return { header: latin(start, end), data: bytes.subarray(end) };
}

function broken(parameter: string, received: string): never {
  throw new InvalidArgumentError({ parameter, expected: "an intact .npy file", received });
}

function unsupported(parameter: string, expected: string, received: string): never {
  throw new UnsupportedError({ parameter, expected, received: describe(received) });
}

/** A copy with the bytes of each element the other way round. */
function swapped(data: Uint8Array, width: number): Uint8Array {
  const copy = Buffer.from(data);
  if (width === 2) return copy.swap16();
  if (width === 4) return copy.swap32();
  return width === 8 ? copy.swap64() : copy;
}

/** Elements of which the first side runs fastest, so that the last one does. */
function inCOrder(data: TypedArray, shape: readonly number[]): TypedArray {
  const out = data.slice();
  const steps = shape.map((_, axis) => shape.slice(0, axis).reduce((product, side) => product * side, 1));
  const width = shape.at(-1)!;
  const step = steps.at(-1)!;
  const at = shape.map(() => 0);
  for (let i = 0; i < out.length; i += width) {
    const from = at.reduce((sum, index, axis) => sum + index * steps[axis]!, 0);
    for (let x = 0; x < width; x++) out[i + x] = data[from + x * step]!;
    // The next row: the last but one of its indices counts up, and carries
    for (let axis = shape.length - 2; axis >= 0 && ++at[axis]! === shape[axis]; axis--) at[axis] = 0;
  }
  return out;
}

/** The bytes of a .npy file; half floats, which tensors hold as f32, are written as these. */
export function writeNpy({ shape, data, dtype }: Tensor): Uint8Array {
  const found = Object.entries(dtypes).find(([, type]) => type === (dtype === "bool" ? dtype : elementType(data)));
  const sides = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dictionary = `{'descr': '${found![0]}', 'fortran_order': False, 'shape': (${sides}), }`;
  // A line that ends where 64 bytes do, so that the data can be mapped
  const room = 64 * Math.ceil((magic.length + 4 + dictionary.length + 1) / 64) - magic.length - 4;
  const start = Buffer.from([1, 0, room & 255, room >> 8]);
  return Buffer.concat([
    Buffer.from(magic, "latin1"),
    start,
    Buffer.from(`${dictionary.padEnd(room - 1)}\n`),
    new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  ]);
}

/** The type by the class of the array. */
function elementType(data: Tensor["data"]): DType {
  const name = data.constructor.name.replace("Array", "");
  const kind = name.startsWith("Float") ? "f" : /^(Big)?Uint/.test(name) ? "u" : "i";
  return `${kind}${8 * data.BYTES_PER_ELEMENT}` as DType;
}
