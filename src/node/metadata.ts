// What files say of their pictures beside the pixels: EXIF, XMP and the resolution. Pixels are stored upright and filtered, so
// the orientation is reset, and thumbnails of the old picture go.
import { type Directory, readDirectories, type Tag, writeDirectories } from "./directories.ts";

/** What a file says of its picture; kept by {@link writePicture} as far as the format holds it. */
export interface Metadata {
  /** An EXIF block (a camera's settings, place, author, copyright), from its byte order on. */
  readonly exif?: Uint8Array;
  /** An XMP packet, in UTF-8. */
  readonly xmp?: Uint8Array;
  /** Dots per inch. */
  readonly density?: number;
}

/** What sharp tells of these. */
interface Found {
  exif?: Uint8Array;
  xmp?: Uint8Array;
  density?: number;
}

const orientation = 274;

/** Metadata as sharp finds it; `tiff` is the directory of a TIFF's page, whose tags are its EXIF. */
export function metadataOf({ exif, xmp, density }: Found, tiff: Directory | undefined): Metadata | undefined {
  const block = tiff ? exifOf(tiff) : exif && upright(plainExif(exif));
  const found = { exif: block, xmp: xmp && uprightXmp(xmp), density };
  const known = Object.entries(found).filter(([, value]) => value !== undefined);
  return known.length > 0 ? Object.fromEntries(known) : undefined;
}

const prefix = "Exif\0\0";

/** EXIF without the six bytes that it begins with in JPEG files. */
const plainExif = (exif: Uint8Array): Uint8Array =>
  Buffer.from(exif.subarray(0, 6)).toString("latin1") === prefix ? exif.subarray(6) : exif;

/** EXIF in place: the orientation of what is upright, no thumbnail. Makers' notes have offsets of their own: nothing moves. */
function upright(exif: Uint8Array): Uint8Array | undefined {
  const [first, thumbnail] = readDirectories(exif);
  if (!first) return undefined;
  const out = new Uint8Array(exif); // a copy, which `slice` of a Buffer is not
  const view = new DataView(out.buffer);
  const place = first.tags.find(({ tag }) => tag === orientation)?.at;
  if (place !== undefined) view.setUint16(place, 1, out[0] === 0x49);
  if (!thumbnail) return out;
  view.setUint32(first.nextAt!, 0);
  const [start, length] = [513, 514].map((wanted) => numberIn(thumbnail.tags.find(({ tag }) => tag === wanted)));
  if (start !== undefined && length !== undefined) out.fill(0, start, start + length);
  return out;
}

function numberIn(tag: Tag | undefined): number | undefined {
  if (!tag || tag.data.length < 4) return undefined;
  return new DataView(tag.data.buffer).getUint32(0, true);
}

/** XMP whose picture is upright and has no thumbnails. */
function uprightXmp(xmp: Uint8Array): Uint8Array {
  const text = Buffer.from(xmp).toString("utf8");
  const changed = text
    .replace(/(tiff:Orientation\s*=\s*["'])\d+(["'])/g, "$11$2")
    .replace(/(<tiff:Orientation[^>]*>)\s*\d+\s*(<)/g, "$11$2")
    .replace(/<(xmp|xap):Thumbnails\b[^>]*>[\s\S]*?<\/\1:Thumbnails>/g, "");
  return changed === text ? xmp : Buffer.from(changed);
}

/** Tags of a TIFF that say how its pixels are stored, or that hold what is kept otherwise or shows the old picture. */
const structure = (tag: number): boolean =>
  tag < 269 ||
  (tag >= 273 && tag <= 284) ||
  (tag >= 290 && tag <= 301 && tag !== 297) ||
  (tag >= 317 && tag <= 347) ||
  (tag >= 512 && tag <= 532) ||
  [700, 32995, 32997, 34377, 34675].includes(tag);

const wide = (type: number): boolean => type >= 16;

/** What a TIFF's page says of its picture, as an EXIF block. */
function exifOf({ tags, inner }: Directory): Uint8Array | undefined {
  const kept = tags.filter(({ tag, type }) => !structure(tag) && !wide(type));
  if (kept.length === 0 && Object.keys(inner).length === 0) return undefined;
  const directories = writeDirectories([{ tags: kept, inner }], 8, false);
  return Buffer.concat([new Uint8Array([0x49, 0x49, 42, 0, 8, 0, 0, 0]), directories]);
}

/** The tags of an EXIF block that a TIFF's page may have. */
export function tiffTags(exif: Uint8Array | undefined): Directory {
  const [first] = exif ? readDirectories(exif) : [];
  return { tags: first?.tags.filter(({ tag }) => !structure(tag)) ?? [], inner: first?.inner ?? {} };
}
