// What calls have asked for, with what was made of it: found by comparing a request with copies of earlier ones, so that a call
// that comes again makes neither text nor other garbage.

import { isEqual, isObject } from "../plan/equal.ts";

/** Requests that are kept. */
const mostRequests = 32;
/** Numbers and other values in the copies, in all. */
const mostValues = 2 ** 20;
/** How deep a request may be nested: what is deeper (a circle is) is not kept. */
const deepest = 8;

type Request = readonly unknown[];

interface Entry<T> {
  request: Request;
  values: number;
  made: T;
}

export class Requests<T> {
  /** The most recent last. */
  private readonly kept: Entry<T>[] = [];

  /** What was made for an equal request. */
  find(request: Request): T | undefined {
    const { kept } = this;
    for (let i = kept.length - 1; i >= 0; i--) {
      const entry = kept[i]!;
      if (!isEqual(request, entry.request)) continue;
      if (i < kept.length - 1) kept.push(...kept.splice(i, 1));
      return entry.made;
    }
    return undefined;
  }

  keep(request: Request, made: T): void {
    const values = sizeOf(request, deepest);
    if (values > mostValues) return;
    this.kept.push({ request: copyOf(request) as Request, values, made });
    let sum = this.kept.reduce((sum, { values }) => sum + values, 0);
    while (this.kept.length > mostRequests || sum > mostValues) sum -= this.kept.shift()!.values;
  }

  clear(): void {
    this.kept.length = 0;
  }
}

type Fields = Record<string, unknown>;

function sizeOf(value: unknown, depth: number): number {
  if (!isObject(value)) return 1;
  if (depth === 0) return Infinity;
  if (ArrayBuffer.isView(value)) return 1 + value.byteLength / 4;
  let sum = 1;
  for (const key in value) sum += sizeOf((value as Fields)[key], depth - 1);
  return sum;
}

function copyOf(value: unknown): unknown {
  if (!isObject(value)) return value;
  if (Array.isArray(value)) return Array.from(value, copyOf);
  if (ArrayBuffer.isView(value)) return Uint8Array.prototype.slice.call(value);
  const copy: Fields = {};
  for (const key in value) copy[key] = copyOf((value as Fields)[key]);
  return copy;
}
