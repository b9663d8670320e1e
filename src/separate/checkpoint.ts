// What a separation has found so far, kept outside of it, so that one that was stopped goes on from there. Text of JSON in
// which arrays of numbers are written as their bytes.

/** Where a separation keeps what it has found: a file, a database, a variable. */
export interface SeparateStore {
  /** What was written last; undefined where there is nothing to go on from. */
  read(): Promise<string | undefined>;
  /** Keeps a text in place of the one before. */
  write(text: string): Promise<void>;
}

/** Milliseconds between two writes. */
const interval = 2000;
const version = 1;

export class Checkpoint {
  /** Whether there was something to go on from. */
  readonly goesOn: boolean;
  private readonly store: SeparateStore | undefined;
  private readonly of: string;
  private readonly entries: Map<string, unknown>;
  private written = performance.now();
  private changed = false;

  private constructor(store: SeparateStore | undefined, of: string, entries: Map<string, unknown>) {
    this.store = store;
    this.of = of;
    this.entries = entries;
    this.goesOn = entries.size > 0;
  }

  /** `of` says for what it is: what was kept of anything else counts as nothing. */
  static async open(store: SeparateStore | undefined, of: string): Promise<Checkpoint> {
    return new Checkpoint(store, of, entriesOf(await store?.read(), of));
  }

  /** What was found under a key, in this run or before it; or else `find` finds it. */
  async once<T>(key: string, find: () => T | Promise<T>): Promise<T> {
    if (this.entries.has(key)) return this.entries.get(key) as T;
    const found = await find();
    if (!this.store) return found;
    this.entries.set(key, found);
    this.changed = true;
    if (performance.now() - this.written > interval) await this.save();
    return found;
  }

  /** Writes what has not been written yet. */
  async save(): Promise<void> {
    if (!this.store || !this.changed) return;
    this.changed = false;
    await this.store.write(JSON.stringify({ version, of: this.of, entries: [...this.entries] }, packed));
    this.written = performance.now();
  }
}

function entriesOf(text: string | undefined, of: string): Map<string, unknown> {
  if (text === undefined) return new Map();
  try {
    const known = JSON.parse(text, unpacked) as { version: number; of: string; entries: [string, unknown][] };
    return known.version === version && known.of === of ? new Map(known.entries) : new Map();
  } catch {
    return new Map(); // cut off, or something else
  }
}

const arrays = { f32: Float32Array, f64: Float64Array } as const;

function packed(_key: string, value: unknown): unknown {
  for (const [name, type] of Object.entries(arrays)) if (value instanceof type) return { [name]: base64(value) };
  return typeof value === "number" && !Number.isFinite(value) ? { number: `${value}` } : value;
}

function unpacked(_key: string, value: unknown): unknown {
  const given = value as Record<string, unknown> | null;
  for (const [name, type] of Object.entries(arrays)) {
    const text = given?.[name];
    if (typeof text === "string") return new type(bytesOf(text).buffer);
  }
  return typeof given?.number === "string" ? Number(given.number) : value;
}

function base64({ buffer, byteOffset, byteLength }: Float32Array | Float64Array): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

/** Numbers that tell data apart, word by word (Fowler, Noll and Vo's hash). */
export class Fingerprint {
  private hash = 0x811c9dc5;

  add({ buffer, byteOffset, byteLength }: ArrayBufferView): void {
    const whole = byteOffset % 4 === 0 ? byteLength >> 2 : 0;
    if (whole > 0) this.addAll(new Uint32Array(buffer, byteOffset, whole));
    this.addAll(new Uint8Array(buffer, byteOffset + 4 * whole, byteLength - 4 * whole));
  }

  get text(): string {
    return (this.hash >>> 0).toString(16);
  }

  private addAll(words: Uint32Array | Uint8Array): void {
    let { hash } = this;
    for (let i = 0; i < words.length; i++) hash = Math.imul(hash ^ words[i]!, 0x01000193);
    this.hash = hash;
  }
}
