// The public face of files: exports only.

export type { RawSpec } from "./arrays.ts";
export type { ShowMode } from "./convert.ts";
export { type SeveralWritable, type Writable, type WriteOptions, writePicture } from "./encode.ts";
export { type FilterFileOptions, filterFile } from "./filter-file.ts";
export type { StepOptions } from "./filter-steps.ts";
export type { FileFormat, FormatName } from "./formats.ts";
export type { Metadata } from "./metadata.ts";
export { type Animation, type Picture, type PictureFile, type ReadOptions, readPicture, readPictures } from "./pictures.ts"; // biome-ignore format: a line
export type { FileReport, PictureOptions } from "./work.ts";
