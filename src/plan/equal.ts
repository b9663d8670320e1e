// Whether plain data is alike, as JSON sees it: what is undefined is as if it were not there, and 0 is -0; but NaN is only NaN.

type Fields = Record<string, unknown>;

export const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
const isList = (value: object): value is ArrayLike<unknown> => Array.isArray(value) || ArrayBuffer.isView(value);

/** Leaves no garbage. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return a === b || (Number.isNaN(a) && Number.isNaN(b));
  if (isList(a) || isList(b)) {
    if (!isList(a) || !isList(b) || a.length !== b.length || Array.isArray(a) !== Array.isArray(b)) return false;
    for (let i = 0; i < a.length; i++) if (!isEqual(a[i], b[i])) return false;
    return true;
  }
  for (const key in a) if (!isEqual((a as Fields)[key], (b as Fields)[key])) return false;
  for (const key in b) if (!(key in a) && (b as Fields)[key] !== undefined) return false;
  return true;
}
