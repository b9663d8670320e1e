// The file formats that results can have, and which one a name asks for.
import { extname } from "node:path";
import { checkOneOf, InvalidArgumentError } from "../errors.ts";
import { type ImageDType, imageDTypes } from "../tensor.ts";

/** Element types of pictures. */
export const pictureTypes: readonly ImageDType[] = imageDTypes;

interface Format {
  readonly extensions: readonly string[];
  /** What people call it. */
  readonly title: string;
  /** Largest width or height that the format can hold, in pixels. */
  readonly side: number;
  /** Element types that it holds. */
  readonly types: readonly ImageDType[];
  readonly hasAlpha: boolean;
  /** Any number of channels; the others hold grey or RGB, and alpha. */
  readonly anyChannels?: boolean;
  /** What several pictures in one file are; absent where it holds one. */
  readonly several?: "frames" | "pages";
  /** EXIF, XMP, a resolution and a colour profile. */
  readonly metadata: boolean;
}

const bytes = ["u8"] as const;
const levels = ["u8", "u16"] as const;

/** The formats of pictures that can be written. */
export const pictureFormats = {
  png: { extensions: [".png"], title: "PNG", side: 1e6, types: levels, hasAlpha: true, metadata: true },
  jpeg: { extensions: [".jpg", ".jpeg"], title: "JPEG", side: 65535, types: bytes, hasAlpha: false, metadata: true },
  webp: {
    ...{ extensions: [".webp"], title: "WebP", side: 16383, types: bytes, hasAlpha: true, metadata: true },
    several: "frames",
  },
  tiff: {
    ...{ extensions: [".tif", ".tiff"], title: "TIFF", side: 1e8, types: imageDTypes, hasAlpha: true, metadata: true },
    several: "pages",
    anyChannels: true,
  },
  avif: { extensions: [".avif"], title: "AVIF", side: 16384, types: bytes, hasAlpha: true, metadata: true },
  gif: {
    ...{ extensions: [".gif"], title: "GIF", side: 65535, types: bytes, hasAlpha: true, metadata: false },
    several: "frames",
  },
} as const satisfies Record<string, Format>;

const array = { side: Infinity, types: imageDTypes, hasAlpha: true, metadata: false, anyChannels: true } as const;

/** All formats that can be written: those of pictures, NumPy's arrays, and pixels alone. */
export const fileFormats = {
  ...pictureFormats,
  npy: { ...array, extensions: [".npy"], title: "NumPy's format" },
  raw: { ...array, extensions: [".raw"], title: "raw pixels" },
} as const satisfies Record<string, Format>;

/** A format of pictures that can be written, by its name. */
export type PictureFormat = keyof typeof pictureFormats;
/** A format that can be written, by its name: one of pictures, "npy" (NumPy's arrays) or "raw" (pixels alone). */
export type FileFormat = keyof typeof fileFormats;

/** Other names of formats: as their files end. */
const otherNames = { jpg: "jpeg", tif: "tiff" } as const satisfies Record<string, FileFormat>;

/** A format by one of its names: "jpg" and "tif" mean "jpeg" and "tiff". */
export type FormatName = FileFormat | keyof typeof otherNames;

/** All names of formats. */
export const formatNames = [...Object.keys(fileFormats), ...Object.keys(otherNames)] as readonly FormatName[];

/** The format that a name means. Throws {@link InvalidArgumentError} for what is none. */
export function checkFormat(parameter: string, name: unknown): FileFormat {
  const found = checkOneOf(parameter, name, formatNames);
  return found in otherNames ? otherNames[found as keyof typeof otherNames] : (found as FileFormat);
}

/** Whether a format is one of pictures, which others look at, and not one of numbers. */
export const isPictureFormat = (format: FileFormat): format is PictureFormat => format in pictureFormats;

export const formatNamed = (format: FileFormat): Format => fileFormats[format];

/** The format of pictures that a file's name asks for. Throws {@link InvalidArgumentError} on an unknown ending. */
export const formatOf = (path: string): PictureFormat => formatAmong(pictureFormats, path);

/** The format that a file's name asks for. Throws {@link InvalidArgumentError} on an unknown ending. */
export const fileFormatOf = (path: string): FileFormat => formatAmong(fileFormats, path);

function formatAmong<T extends string>(formats: Readonly<Record<T, Format>>, path: string): T {
  const extension = extname(path).toLowerCase();
  const list = Object.entries(formats) as [T, Format][];
  const found = list.find(([, { extensions }]) => extensions.includes(extension));
  if (found) return found[0];
  const known = list.flatMap(([, { extensions }]) => extensions);
  const expected = `a name that ends in ${known.slice(0, -1).join(", ")} or ${known.at(-1)}`;
  throw new InvalidArgumentError({ parameter: path, expected, received: extension || "no ending" });
}
