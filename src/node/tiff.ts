// An uncompressed BigTIFF file in memory: raw pixels together with a colour profile, for encoders that take both only
// from a file. After the BigTIFF design (AWare Systems, 2007) and TIFF 6.0.
import { endianness } from "node:os";
import type { Image } from "../tensor.ts";

const SHORT = 3;
const LONG = 4;
const UNDEFINED = 7;
const LONG8 = 16;
const bytesOfType: Readonly<Record<number, number>> = { [SHORT]: 2, [LONG]: 4, [UNDEFINED]: 1, [LONG8]: 8 };

/** The file: u8 or u16 samples in the machine's own byte order, 1 to 4 channels (2 and 4: the last is plain alpha). */
export function tiffEnvelope({ width, height, channels, data }: Image, icc: Uint8Array): Uint8Array {
  const little = endianness() === "LE";
  const rowBytes = width * channels * data.BYTES_PER_ELEMENT;
  const rowsPerStrip = Math.max(1, Math.floor(2 ** 20 / rowBytes));
  const strips = Math.ceil(height / rowsPerStrip);
  const alpha = channels % 2 === 0;
  const stripOffset = (i: number): number => 16 + i * rowsPerStrip * rowBytes;
  const tags: [tag: number, type: number, values: ArrayLike<number>][] = [
    [256, LONG, [width]],
    [257, LONG, [height]],
    [258, SHORT, Array(channels).fill(8 * data.BYTES_PER_ELEMENT)], // bits per sample
    [259, SHORT, [1]], // no compression
    [262, SHORT, [channels > 2 ? 2 : 1]], // RGB, or grey with 0 as black
    [273, LONG8, Array.from({ length: strips }, (_, i) => stripOffset(i))],
    [277, SHORT, [channels]],
    [278, LONG, [rowsPerStrip]],
    [
      279,
      LONG8,
      Array.from({ length: strips }, (_, i) => Math.min(rowsPerStrip, height - i * rowsPerStrip) * rowBytes),
    ],
    ...(alpha ? [[338, SHORT, [2]] as [number, number, number[]]] : []), // alpha that is not premultiplied
    [34675, UNDEFINED, icc],
  ];

  const directory = Math.ceil((16 + height * rowBytes) / 8) * 8;
  let extra = directory + 8 + 20 * tags.length + 8; // values of more than 8 bytes stand behind the directory
  const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;
  const sizes = tags.map(([, type, values]) => bytesOfType[type]! * values.length);
  const file = new Uint8Array(extra + sizes.reduce((sum, size) => sum + (size > 8 ? padded(size) : 0), 0));
  const view = new DataView(file.buffer);
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, 43, little); // BigTIFF
  view.setUint16(4, 8, little); // bytes of an offset
  view.setBigUint64(8, BigInt(directory), little);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 16);

  view.setBigUint64(directory, BigInt(tags.length), little);
  tags.forEach(([tag, type, values], i) => {
    const entry = directory + 8 + 20 * i;
    view.setUint16(entry, tag, little);
    view.setUint16(entry + 2, type, little);
    view.setBigUint64(entry + 4, BigInt(values.length), little);
    let at = entry + 12;
    if (sizes[i]! > 8) {
      view.setBigUint64(at, BigInt(extra), little);
      at = extra;
      extra += padded(sizes[i]!);
    }
    for (let k = 0; k < values.length; k++, at += bytesOfType[type]!) {
      if (type === UNDEFINED) file[at] = values[k]!;
      else if (type === SHORT) view.setUint16(at, values[k]!, little);
      else if (type === LONG) view.setUint32(at, values[k]!, little);
      else view.setBigUint64(at, BigInt(values[k]!), little);
    }
  });
  return file;
}
