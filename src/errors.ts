// The errors of the public face, and the few checks that throw them. Every message is one sentence that names the
// parameter, what was expected and what came; the same three stand in fields for programs.

export const errorCodes = [
  "INVALID_ARGUMENT",
  "LIMIT_EXCEEDED",
  "UNSUPPORTED",
  "UNSUPPORTED_OP",
  "UNKNOWN_VERSION",
  "DISPOSED",
  "WORKER",
  "DEVICE_LOST",
] as const;

/** What kind of error a {@link Rank1Error} is, for programs: docs/errors.md says what each means. */
export type ErrorCode = (typeof errorCodes)[number];

interface Details {
  /** What was wrong. */
  parameter: string;
  /** What would have been right. */
  expected: string;
  /** What came in its place. */
  received: string;
  /** A second clause that helps the reader on: "did you mean sobel-x?" */
  hint?: string;
  /** The error behind this one. */
  cause?: unknown;
}

/** An error of rank1. Its message says in one sentence what the fields say: "parameter: expected …, got …". */
export class Rank1Error extends Error {
  /** The kind of error, for programs. */
  readonly code: ErrorCode;
  /** What was wrong: an argument, an option, a node of a model. */
  readonly parameter: string;
  /** What would have been right. */
  readonly expected: string;
  /** What came in its place, shortened. */
  readonly received: string;

  constructor(code: ErrorCode, { parameter, expected, received, hint, cause }: Details) {
    super(
      `${parameter}: expected ${expected}, got ${received}${hint ? `; ${hint}` : ""}`,
      cause ? { cause } : undefined,
    );
    this.name = new.target.name;
    this.code = code;
    this.parameter = parameter;
    this.expected = expected;
    this.received = received;
  }
}

/** An argument of the wrong type, shape or range. */
export class InvalidArgumentError extends Rank1Error {
  constructor(details: Details) {
    super("INVALID_ARGUMENT", details);
  }
}

/** A size above a limit that the caller may raise. */
export class LimitError extends Rank1Error {
  constructor(details: Details) {
    super("LIMIT_EXCEEDED", details);
  }
}

/** A valid request that this version, machine or policy cannot serve. */
export class UnsupportedError extends Rank1Error {
  constructor(details: Details) {
    super("UNSUPPORTED", details);
  }
}

/** A use of an operator by its node. `opset` is the version of the operator set that gives it its meaning. */
export interface OperatorUse {
  /** The node's name in the file; empty where it has none. */
  readonly node: string;
  /** As ONNX calls it; with its domain before a dot where that is not ONNX's own. */
  readonly operator: string;
  /** The version of the operator set that the model asks for. */
  readonly opset: number;
}

/** A network with operators that nobody here can compute: the first in its fields, all of them in `missing`. */
export class UnsupportedOpError extends Rank1Error implements OperatorUse {
  /** The first node's name. */
  readonly node: string;
  /** The first node's operator. */
  readonly operator: string;
  /** The version of the first node's operator set. */
  readonly opset: number;
  /** Every node whose operator is missing. */
  readonly missing: readonly OperatorUse[];

  constructor(missing: readonly [OperatorUse, ...OperatorUse[]]) {
    const [{ node, operator, opset }] = missing;
    const names = [...new Set(missing.map((use) => use.operator))];
    super("UNSUPPORTED_OP", {
      parameter: `node ${describe(node)}`,
      expected: "an operator that rank1 computes",
      received: `${operator} of operator set ${opset}`,
      hint: names.length > 1 ? `missing are ${names.join(", ")}` : undefined,
    });
    this.node = node;
    this.operator = operator;
    this.opset = opset;
    this.missing = missing;
  }
}

/** How a value reads in a message: short, and never a dump of a picture. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (typeof value === "number" || typeof value === "boolean" || value === null || value === undefined)
    return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name}(${(value as Uint8Array).length ?? value.byteLength})`;
  if (Array.isArray(value)) {
    const short = value.length <= 8 && value.every((v) => typeof v !== "object" || v === null);
    return short ? `[${value.map(describe).join(", ")}]` : `an array of ${value.length}`;
  }
  const { name = "Object" } = (value as object).constructor ?? {};
  if (name !== "Object") return `an instance of ${name}`;
  const keys = Object.keys(value as object);
  return `an object with ${keys.length === 0 ? "no keys" : `keys ${keys.slice(0, 6).join(", ")}${keys.length > 6 ? ", ..." : ""}`}`;
}

interface Range {
  min?: number;
  max?: number;
  /** The bounds themselves are excluded. */
  open?: boolean;
}

function rangeText({ min, max, open }: Range): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return open ? ` above ${min}` : ` of at least ${min}`;
  return max === undefined ? "" : open ? ` below ${max}` : ` of at most ${max}`;
}

function inRange(value: number, { min = -Infinity, max = Infinity, open = false }: Range): boolean {
  return open ? value > min && value < max : value >= min && value <= max;
}

export function checkNumber(parameter: string, value: unknown, range: Range = {}): number {
  if (typeof value === "number" && Number.isFinite(value) && inRange(value, range)) return value;
  throw new InvalidArgumentError({
    parameter,
    expected: `a finite number${rangeText(range)}`,
    received: describe(value),
  });
}

export function checkInteger(parameter: string, value: unknown, range: Range = {}): number {
  if (Number.isSafeInteger(value) && inRange(value as number, range)) return value as number;
  throw new InvalidArgumentError({ parameter, expected: `an integer${rangeText(range)}`, received: describe(value) });
}

export function checkBoolean(parameter: string, value: unknown): boolean {
  if (typeof value === "boolean") return value;
  throw new InvalidArgumentError({ parameter, expected: "true or false", received: describe(value) });
}

export function checkFunction<T>(parameter: string, value: T): T {
  if (typeof value === "function") return value;
  throw new InvalidArgumentError({ parameter, expected: "a function", received: describe(value) });
}

/** A size above its limit: the hint says how to raise it. */
export function checkLimit(parameter: string, value: number, limit: number, unit: string, raise: string): void {
  if (value <= limit) return;
  const [expected, received] = [`at most ${limit} ${unit}`, `${value}`];
  throw new LimitError({ parameter, expected, received, hint: `raise it with ${raise}` });
}

/** One of a list of names; a near miss gets a suggestion, an alias of another library its name here. */
export function checkOneOf<T extends string>(
  parameter: string,
  value: unknown,
  names: readonly T[],
  aliases: Readonly<Record<string, T>> = {},
): T {
  if ((names as readonly unknown[]).includes(value)) return value as T;
  throw new InvalidArgumentError({
    parameter,
    expected: names.length <= 12 ? `one of ${names.join(", ")}` : "a known name",
    received: describe(value),
    hint: typeof value === "string" ? suggestion(value, names, aliases) : undefined,
  });
}

/** A name without what people write in several ways: case, hyphens, underscores, blanks. */
export const lettersOf = (name: string): string => name.toLowerCase().replace(/[-_ ]/g, "");

/** What a name was meant to be: an alias's name here, or a name close by. */
export function suggestion(
  value: string,
  names: readonly string[],
  aliases: Readonly<Record<string, string>> = {},
): string | undefined {
  const alike = (one: string): boolean => lettersOf(one) === lettersOf(value);
  const spelt = names.find((one) => one !== value && alike(one));
  if (spelt !== undefined) return `did you mean "${spelt}"?`;
  const exact = Object.keys(aliases).find(alike);
  const near = exact ?? nearest(value, names) ?? nearest(value, Object.keys(aliases));
  if (near === undefined) return undefined;
  const own = Object.hasOwn(aliases, near) ? `here its name is "${aliases[near]}"` : undefined;
  if (near === exact) return own;
  return `did you mean "${near}"?${own ? ` ${own}` : ""}`;
}

/** An options object whose every key is known: a misspelt option would otherwise do nothing, silently. */
export function checkOptions<T extends object>(
  parameter: string,
  options: unknown,
  known: readonly (keyof T & string)[],
): T {
  if (options === undefined) return {} as T;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new InvalidArgumentError({ parameter, expected: "an object of options", received: describe(options) });
  }
  for (const key in options) {
    const isKnown = (known as readonly string[]).includes(key) || !Object.hasOwn(options, key);
    if (!isKnown) checkOneOf(`${parameter} key`, key, known, otherNames(known));
  }
  return options as T;
}

/** Names that options of one meaning have in other calls and libraries. */
const synonyms = [
  ["output", "type", "dtype", "ddepth"],
  ["border", "mode", "borderType"],
  ["borderValue", "cval"],
  ["gain", "scale"],
  ["offset", "delta"],
];

/** The known one of some options, by its synonyms. */
function otherNames<T extends string>(known: readonly T[]): Record<string, T> {
  const pairs = synonyms.flatMap((names) => {
    const [own, ...others] = known.filter((name) => names.includes(name));
    return own && others.length === 0 ? names.map((name) => [name, own] as const) : [];
  });
  return Object.fromEntries(pairs.filter(([name, own]) => name !== own));
}

/** The name at the smallest edit distance, if that is small against its length. */
export function nearest<T extends string>(value: string, names: readonly T[]): T | undefined {
  const lower = value.toLowerCase();
  const scored = names.map((name) => ({ name, distance: editDistance(lower, name.toLowerCase()) }));
  scored.sort((a, b) => a.distance - b.distance || (a.name < b.name ? -1 : 1));
  const best = scored[0];
  if (best && best.distance <= Math.max(2, Math.floor(best.name.length / 3))) return best.name;
  return names.find((name) => lower.length >= 3 && name.toLowerCase().startsWith(lower.slice(0, 3)));
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    }
    row = next;
  }
  return row[b.length]!;
}
