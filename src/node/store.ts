// What is asked of a place where files lie.

/** By what a file shows that it is the same as before, without being read. */
export interface Stamp {
  /** In bytes. */
  readonly size: number;
  /** Its time in milliseconds, or what a store calls a version of it. */
  readonly version: string;
}

/** A file that has been listed. */
export interface Entry {
  readonly path: string;
  /** Where the list says it. */
  readonly stamp?: Stamp;
}

/** Files of one kind of place. */
export interface Store {
  stat(path: string, signal?: AbortSignal): Promise<Stamp | undefined>;
  read(path: string, signal?: AbortSignal): Promise<{ readonly bytes: Uint8Array; readonly stamp: Stamp }>;
  /** Writes a whole file or nothing, and replaces what is there. */
  write(path: string, data: string | Uint8Array, signal?: AbortSignal): Promise<void>;
  /** All files below a folder. */
  list(folder: string, signal?: AbortSignal): AsyncIterable<Entry>;
}

/** Outputs cannot be written, or a store does not answer: no other file will fare better. */
export class StopsAll extends Error {}
