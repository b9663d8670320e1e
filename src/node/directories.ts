// Directories of tags, which TIFF files and EXIF blocks consist of (TIFF 6.0; EXIF 2.3; BigTIFF by AWare Systems, 2007): read
// in either byte order, written in little-endian order.

/** One tag: its numbers as little-endian bytes. */
export interface Tag {
  readonly tag: number;
  /** The kind of numbers, one of {@link numberTypes}. */
  readonly type: number;
  readonly data: Uint8Array;
  /** Where its numbers stand in what was read. */
  readonly at?: number;
  /** Where it says there how many they are. */
  readonly countAt?: number;
}

export interface Directory {
  readonly tags: readonly Tag[];
  /** Directories that tags of this one lead to: EXIF, GPS, interoperability. */
  readonly inner: Readonly<Record<number, Directory>>;
  /** Where the place of the next directory stands in what was read. */
  readonly nextAt?: number;
}

export const numberTypes = { byte: 1, ascii: 2, short: 3, long: 4, rational: 5, undefined: 7, long8: 16 } as const;
/** Bytes of a number, by its type. */
const sizes: Readonly<Record<number, number>> = {
  ...{ 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8 },
};
/** Tags that lead to a directory. */
const leading: readonly number[] = [34665, 34853, 40965];

/** A tag of numbers, or of bytes as they are. */
export function tagOf(tag: number, type: keyof typeof numberTypes, values: ArrayLike<number>): Tag {
  const code = numberTypes[type];
  const width = type === "rational" ? 4 : sizes[code]!;
  if (width === 1) return { tag, type: code, data: Uint8Array.from(values) };
  const view = new DataView(new ArrayBuffer(width * values.length));
  for (let i = 0; i < values.length; i++) {
    if (width === 2) view.setUint16(2 * i, values[i]!, true);
    else if (width === 4) view.setUint32(4 * i, values[i]!, true);
    else view.setBigUint64(8 * i, BigInt(values[i]!), true);
  }
  return { tag, type: code, data: new Uint8Array(view.buffer) };
}

// ── Reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Bytes that are read here and there: of a file or an array. */
export interface Bytes extends Pick<DataView, "byteLength" | "getUint16" | "getUint32" | "getBigUint64"> {
  /** A copy of some. */
  slice(start: number, end: number): Uint8Array;
}

const bytesOf = (bytes: Uint8Array): Bytes =>
  Object.assign(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), {
    slice: (start: number, end: number) => new Uint8Array(bytes.subarray(start, end)),
  });

/** A TIFF file or an EXIF block: its byte order, and the offsets' width. */
interface Source {
  view: Bytes;
  little: boolean;
  big: boolean;
  /** Directories that have been entered: damaged files have circles. */
  seen: Set<number>;
  /** What tags hold, by where it stands: pages may share it. */
  shared: Map<string, Uint8Array>;
  /** Bytes that may still be read: in a sound file no more than it has, as nothing but what is shared stands in the same place. */
  left: number;
}

const mostDirectories = 10_000;
/** Directories within directories, and bytes of all tags: more than any file has that is no trap. */
const deepest = 8;
const mostBytes = 2 ** 28;

/** The directories of a TIFF file, a page each, or of an EXIF block, of which the second is a thumbnail's. What is damaged is left out. */
export function readDirectories(bytes: Uint8Array | Bytes): Directory[] {
  const view = bytes instanceof Uint8Array ? bytesOf(bytes) : bytes;
  if (view.byteLength < 16) return [];
  const order = view.getUint16(0);
  const little = order === 0x4949;
  const version = view.getUint16(2, little);
  if (!(little || order === 0x4d4d) || !(version === 42 || version === 43)) return [];
  const left = Math.min(view.byteLength, mostBytes);
  const source: Source = { view, little, big: version === 43, seen: new Set(), shared: new Map(), left };
  const found: Directory[] = [];
  for (let at = source.big ? offsetAt(source, 8) : offsetAt(source, 4); at > 0; ) {
    const directory = readDirectory(source, at);
    if (!directory) break;
    found.push(directory);
    at = directory.nextAt === undefined ? 0 : offsetAt(source, directory.nextAt);
  }
  return found;
}

const offsetAt = ({ view, little, big }: Source, at: number): number =>
  big ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little);

/** Takes so many bytes of those that may be read. */
function take(source: Source, bytes: number): boolean {
  if (bytes > source.left) return false;
  source.left -= bytes;
  return true;
}

function readDirectory(source: Source, at: number, depth = 0): Directory | undefined {
  const { view, little, big, seen } = source;
  const [head, width, tail] = big ? [8, 20, 8] : [2, 12, 4];
  if (seen.has(at) || seen.size >= mostDirectories || depth > deepest || at + head > view.byteLength) return undefined;
  seen.add(at);
  const count = big ? Number(view.getBigUint64(at, little)) : view.getUint16(at, little);
  const end = at + head + width * count;
  if (!(end <= view.byteLength) || !take(source, head + width * count)) return undefined;
  const tags: Tag[] = [];
  const inner: Record<number, Directory> = {};
  for (let i = 0; i < count; i++) {
    const read = readTag(source, at + head + width * i);
    if (!read) continue;
    if (!leading.includes(read.tag)) tags.push(read);
    else {
      const directory = readDirectory(source, new DataView(read.data.slice(0, 4).buffer).getUint32(0, true), depth + 1);
      if (directory) inner[read.tag] = directory;
    }
  }
  return { tags, inner, nextAt: end + tail <= view.byteLength ? end : undefined };
}

function readTag(source: Source, at: number): Tag | undefined {
  const { view, little, big } = source;
  const [tag, type] = [view.getUint16(at, little), view.getUint16(at + 2, little)];
  const count = offsetAt(source, at + 4);
  const size = (sizes[type] ?? 0) * count;
  const own = at + (big ? 12 : 8);
  const start = size <= (big ? 8 : 4) ? own : offsetAt(source, own);
  if (size === 0 || start + size > view.byteLength) return undefined;
  if (leading.includes(tag) && size < 4) return undefined;
  const key = `${start} ${size} ${type}`;
  const known = source.shared.get(key);
  // What stands in the directory has been taken with it.
  if (!known && start !== own && !take(source, size)) return undefined;
  const data = known ?? inOrder(view.slice(start, start + size), little ? 1 : bytesOfWord(type));
  if (start !== own) source.shared.set(key, data);
  return { tag, type, data, at: start, countAt: at + 4 };
}

/** Bytes that have an order: of rationals those of each half. */
const bytesOfWord = (type: number): number => (type === 5 || type === 10 ? 4 : sizes[type]!);

/** Words of some bytes, turned over in place. */
function inOrder(data: Uint8Array, word: number): Uint8Array {
  for (let i = 0; word > 1 && i < data.length; i += word) data.subarray(i, i + word).reverse();
  return data;
}

// ── Writing ────────────────────────────────────────────────────────────────────────────────────────────────────────

const even = (bytes: number): number => Math.ceil(bytes / 8) * 8;

/** Directories, one leading to the next, that stand from `start` on; `big` as BigTIFF, with offsets of 8 bytes. */
export function writeDirectories(directories: readonly Directory[], start: number, big: boolean): Uint8Array {
  const lengths = directories.map((directory) => lengthOf(directory, big));
  const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let at = 0;
  for (const [i, directory] of directories.entries()) {
    const next = i + 1 < directories.length ? start + at + lengths[i]! : 0;
    writeDirectory(bytes, at, { directory, start, next, big });
    at += lengths[i]!;
  }
  return bytes;
}

/** The tags as they are written: in their order, with those that lead to directories. */
function sorted({ tags, inner }: Directory): Tag[] {
  const leads = Object.keys(inner).map((tag) => tagOf(Number(tag), "long", [0]));
  return [...tags, ...leads].toSorted((a, b) => a.tag - b.tag);
}

const ownLength = (count: number, big: boolean): number => even(big ? 16 + 20 * count : 6 + 12 * count);

function lengthOf(directory: Directory, big: boolean): number {
  const tags = sorted(directory);
  const apart = tags.reduce((sum, { data }) => sum + (data.length > (big ? 8 : 4) ? even(data.length) : 0), 0);
  const inner = Object.values(directory.inner).reduce((sum, one) => sum + lengthOf(one, big), 0);
  return ownLength(tags.length, big) + apart + inner;
}

interface Place {
  directory: Directory;
  /** Where `bytes` begin in the file. */
  start: number;
  /** Where the next directory stands in the file. */
  next: number;
  big: boolean;
}

function writeDirectory(bytes: Uint8Array, at: number, { directory, start, next, big }: Place): void {
  const view = new DataView(bytes.buffer);
  const offset = (place: number, value: number): void =>
    big ? view.setBigUint64(place, BigInt(value), true) : view.setUint32(place, value, true);
  const tags = sorted(directory);
  if (big) view.setBigUint64(at, BigInt(tags.length), true);
  else view.setUint16(at, tags.length, true);
  let apart = at + ownLength(tags.length, big); // numbers that have no room in the directory stand behind it
  let entry = at + (big ? 8 : 2);
  for (const { tag, type, data } of tags) {
    view.setUint16(entry, tag, true);
    view.setUint16(entry + 2, type, true);
    offset(entry + 4, data.length / sizes[type]!);
    const own = entry + (big ? 12 : 8);
    const inner = leading.includes(tag) ? directory.inner[tag] : undefined;
    if (inner) {
      view.setUint32(own, start + apart, true);
      writeDirectory(bytes, apart, { directory: inner, start, next: 0, big });
      apart += lengthOf(inner, big);
    } else if (data.length <= (big ? 8 : 4)) bytes.set(data, own);
    else {
      offset(own, start + apart);
      bytes.set(data, apart);
      apart += even(data.length);
    }
    entry += big ? 20 : 12;
  }
  offset(entry, next);
}
