// A small assembler: expressions are trees of bytes (flattened once, at the end), instructions have the names of the
// specification, and a module is a list of functions over one imported memory. It emits what it is told; it optimises nothing.
import { leb, memoryOps, plainOps } from "./opcodes.ts";

/** Encoded instructions; an operand leaves one value, a statement leaves none. A name stands for a function's index. */
export type Code = readonly (number | string | Code)[] | Uint8Array;

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

const valueTypes: Record<ValueType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };

export interface Local {
  readonly index: number;
  readonly type: ValueType;
}

function signedLeb(value: number): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && !(low & 0x40)) || (value === -1 && low & 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function opcode(table: ReadonlyMap<string, readonly number[]>, name: string): readonly number[] {
  const code = table.get(name);
  if (!code) throw new Error(`assembler: no instruction ${name}`);
  return code;
}

/** An instruction without immediates, after its operands: op("i32x4.add", a, b). */
export function op(name: string, ...operands: Code[]): Code {
  return [operands, opcode(plainOps, name)];
}

/** A load, from an address plus a constant offset in bytes. No alignment is promised. */
export function load(name: string, address: Code, offset = 0): Code {
  return [address, opcode(memoryOps, name), 0, leb(offset)];
}

export function store(name: string, address: Code, value: Code, offset = 0): Code {
  return [address, value, opcode(memoryOps, name), 0, leb(offset)];
}

/** extract_lane and replace_lane. */
export function lane(name: string, index: number, ...operands: Code[]): Code {
  return [op(name, ...operands), index];
}

/** Bytes of two vectors by index: 0 to 15 from the first, 16 to 31 from the second. */
export function shuffle(indices: readonly number[], a: Code, b: Code): Code {
  return [a, b, 0xfd, 13, indices];
}

export const i32 = (value: number): Code => [0x41, ...signedLeb(value | 0)];
export const f32 = (value: number): Code => [0x43, ...new Uint8Array(new Float32Array([value]).buffer)];
export const f64 = (value: number): Code => [0x44, ...new Uint8Array(new Float64Array([value]).buffer)];

/** A constant vector of equal lanes. */
export function splat(shape: "i8x16" | "i16x8" | "i32x4" | "f32x4" | "f64x2", value: number): Code {
  const views = {
    i8x16: new Int8Array(16).fill(value),
    i16x8: new Int16Array(8).fill(value),
    i32x4: new Int32Array(4).fill(value),
    f32x4: new Float32Array(4).fill(value),
    f64x2: new Float64Array(2).fill(value),
  };
  return [0xfd, 12, ...new Uint8Array(views[shape].buffer)];
}

export const get = (local: Local): Code => [0x20, leb(local.index)];
export const set = (local: Local, value: Code): Code => [value, 0x21, leb(local.index)];
export const tee = (local: Local, value: Code): Code => [value, 0x22, leb(local.index)];
/** The sum of addresses or other 32-bit integers. */
export const sum = (...terms: Code[]): Code => terms.reduce((a, b) => op("i32.add", a, b));
/** local += a constant or an expression (i32). */
export const bump = (local: Local, by: number | Code): Code =>
  set(local, op("i32.add", get(local), typeof by === "number" ? i32(by) : by));

export const block = (...body: Code[]): Code => [0x02, 0x40, body, 0x0b];
export const loop = (...body: Code[]): Code => [0x03, 0x40, body, 0x0b];
export const branchIf = (depth: number, condition: Code): Code => [condition, 0x0d, leb(depth)];
export const when = (condition: Code, ...body: Code[]): Code => [condition, 0x04, 0x40, body, 0x0b];

export const ifElse = (condition: Code, then: Code, otherwise: Code): Code => [
  condition,
  0x04,
  0x40,
  then,
  0x05,
  otherwise,
  0x0b,
];

/** One of two values, without a branch. */
export const select = (condition: Code, then: Code, otherwise: Code): Code => [then, otherwise, condition, 0x1b];

/** do { body } while (condition) */
export const doWhile = (condition: Code, ...body: Code[]): Code => loop(...body, branchIf(0, condition));

/** while (condition) { body } */
export const whileLoop = (condition: Code, ...body: Code[]): Code => when(condition, doWhile(condition, ...body));

export class FunctionBuilder {
  readonly params: readonly Local[];
  private readonly declared: ValueType[] = [];
  private readonly body: Code[] = [];

  constructor(params: readonly ValueType[]) {
    this.params = params.map((type, index) => ({ index, type }));
  }

  local(type: ValueType): Local {
    this.declared.push(type);
    return { index: this.params.length + this.declared.length - 1, type };
  }

  /** Several locals of one type, by name: const { i, end } = f.locals("i32", "i", "end"). */
  locals<Name extends string>(type: ValueType, ...names: Name[]): Record<Name, Local> {
    return Object.fromEntries(names.map((name) => [name, this.local(type)])) as Record<Name, Local>;
  }

  /** So many locals of one type. */
  array(type: ValueType, count: number): Local[] {
    return Array.from({ length: count }, () => this.local(type));
  }

  emit(...statements: Code[]): void {
    this.body.push(...statements);
  }

  encode(): Code {
    return [leb(this.declared.length), this.declared.map((type) => [1, valueTypes[type]]), this.body, 0x0b];
  }
}

export interface MemoryImport {
  shared: boolean;
  /** In pages of 64 KiB; a shared memory must state its maximum. */
  maximum: number;
}

interface BuiltFunction {
  params: readonly Local[];
  /** As it stands in the module. */
  code: Uint8Array;
  /** The same for every module: in place of the index of a function that is called, that function's own. */
  portable(): Uint8Array;
}

/** A module of exported functions without results, over the memory `env.memory`. */
export class ModuleBuilder {
  private readonly functions = new Map<string, BuiltFunction>();

  /** Adds an exported function; `build` emits its body. */
  define(name: string, params: readonly ValueType[], build: (f: FunctionBuilder) => void): void {
    const f = new FunctionBuilder(params);
    build(f);
    const tree = f.encode();
    let calls = false;
    const code = flatten(tree, (callee) => {
      calls = true;
      return this.indexOf(callee);
    });
    this.functions.set(name, { params: f.params, code, portable: () => (calls ? flatten(tree, this.codeOf) : code) });
  }

  /** Calls a function defined before. */
  call(name: string, ...args: Code[]): Code {
    return [args, 0x10, name];
  }

  private readonly indexOf = (name: string): Code => {
    const index = [...this.functions.keys()].indexOf(name);
    if (index < 0) throw new Error(`assembler: no function ${name}`);
    return leb(index);
  };

  has(name: string): boolean {
    return this.functions.has(name);
  }

  /** The code of a function and of those that it calls, whatever else stands in the module. */
  readonly codeOf = (name: string): Uint8Array => this.functions.get(name)!.portable();

  /** `label` goes into a custom section, which keeps modules of equal code apart. */
  encode(memory: MemoryImport, label?: string): Uint8Array<ArrayBuffer> {
    const functions = [...this.functions];
    const types = functions.map(([, f]) => [0x60, vector(f.params.map(({ type }) => [valueTypes[type]])), 0]);
    const limits = memory.shared ? [3, 0, leb(memory.maximum)] : [0, 0];
    const code = [
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      label ? section(0, name(label)) : [],
      section(1, vector(types)),
      section(2, vector([[name("env"), name("memory"), 2, limits]])),
      section(3, vector(functions.map((_, index) => leb(index)))),
      section(7, vector(functions.map(([key], index) => [name(key), 0, leb(index)]))),
      section(10, vector(functions.map(([, { code }]) => [leb(code.length), code]))),
    ];
    return flatten(code);
  }
}

/** What stands for the name of a function. */
type Link = (name: string) => Code;
/** Measured first, since garbage costs more: most of this runs once, at a start. */
function flatten(code: Code, link: Link = () => []): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(put(code, link, 0));
  put(code, link, 0, bytes);
  return bytes;
}

/** Where the code ends that begins at `at`; writes it where there are bytes. By index: iterators are slow at first. */
function put(code: Code, link: Link, at: number, bytes?: Uint8Array): number {
  if (code instanceof Uint8Array) {
    bytes?.set(code, at);
    return at + code.length;
  }
  for (let i = 0; i < code.length; i++) {
    const part = code[i]!;
    if (typeof part !== "number") at = put(typeof part === "string" ? link(part) : part, link, at, bytes);
    else if (bytes) bytes[at++] = part;
    else at++;
  }
  return at;
}

const sized = (code: Code): Code => {
  const bytes = flatten(code);
  return [leb(bytes.length), bytes];
};
const vector = (items: readonly Code[]): Code => [leb(items.length), items];
const section = (id: number, code: Code): Code => [id, sized(code)];
const name = (text: string): Code => sized([...new TextEncoder().encode(text)]);
