// A small assembler: expressions are trees of bytes (flattened once, at the end), instructions have the names of the
// specification, and a module is a list of functions over one imported memory. It emits what it is told; it optimises nothing.
import { atomicOps, leb, memoryOps, plainOps } from "./opcodes.ts";

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
    const low = ((value % 128) + 128) % 128;
    value = Math.floor(value / 128);
    if ((value === 0 && !(low & 0x40)) || (value === -1 && low & 0x40)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

function opcode<T>(table: ReadonlyMap<string, T>, name: string): T {
  const code = table.get(name);
  if (!code) throw new Error(`assembler: no instruction ${name}`);
  return code;
}

/** An instruction without immediates, after its operands: op("i32x4.add", a, b). */
export function op(name: string, ...operands: Code[]): Code {
  return [operands, opcode(plainOps, name)];
}

/** Alignment (none is promised), memory and offset of an access. */
const access = (offset: number, memory: number): Code => [memory ? [0x40, leb(memory)] : 0, leb(offset)];

/** A load, from an address plus a constant offset in bytes; of the first memory unless another is named. */
export function load(name: string, address: Code, offset = 0, memory = 0): Code {
  return [address, opcode(memoryOps, name), access(offset, memory)];
}

export function store(name: string, address: Code, value: Code, offset = 0, memory = 0): Code {
  return [address, value, opcode(memoryOps, name), access(offset, memory)];
}

/** An atomic access to the first memory: atomic("i32.atomic.rmw.add", address, value). */
export function atomic(name: string, address: Code, operands: readonly Code[] = [], offset = 0): Code {
  const { code, align } = opcode(atomicOps, name);
  return [address, operands, code, align, leb(offset)];
}

/** memory.copy: `count` bytes, from one memory to another. */
export const copyBytes = (to: Code, from: Code, count: Code, toMemory = 0, fromMemory = 0): Code => [
  ...[to, from, count, 0xfc, 0x0a, leb(toMemory), leb(fromMemory)],
];

/** extract_lane and replace_lane. */
export function lane(name: string, index: number, ...operands: Code[]): Code {
  return [op(name, ...operands), index];
}

/** Bytes of two vectors by index: 0 to 15 from the first, 16 to 31 from the second. */
export function shuffle(indices: readonly number[], a: Code, b: Code): Code {
  return [a, b, 0xfd, 13, indices];
}

export const i32 = (value: number): Code => [0x41, ...signedLeb(value | 0)];
/** A 64-bit constant, from a number that is exact. */
export const i64 = (value: number): Code => [0x42, ...signedLeb(value)];
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

export const leave: Code = [0x0f];
export const branch = (depth: number): Code => [0x0c, leb(depth)];

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

/** Of a module that needs nothing but a memory: names of functions by their index in its table, and those that it exports. */
export interface Closed {
  table: readonly string[];
  exports: readonly string[];
}

/** What a module imports besides its memory, from `env`. */
export interface Imports {
  /** Names of private memories after the first: staging memory. */
  memories?: readonly string[];
  /** Functions by name, with the types of their parameters and results. */
  functions?: Readonly<Record<string, FunctionType>>;
  /** The name of a table of functions of one type, for {@link ModuleBuilder.callTable}. */
  table?: { name: string; type: FunctionType };
}

export interface FunctionType {
  params: readonly ValueType[];
  results: readonly ValueType[];
}

interface BuiltFunction {
  params: readonly Local[];
  results: readonly ValueType[];
  /** As it stands in the module. */
  code: Uint8Array;
  /** The same for every module: in place of the index of a function that is called, that function's own. */
  portable(): Uint8Array;
}

/** A module of exported functions over the memory `env.memory`. */
export class ModuleBuilder {
  private readonly functions = new Map<string, BuiltFunction>();
  private readonly imports: Imports;
  private readonly imported: readonly string[];

  constructor(imports: Imports = {}) {
    this.imports = imports;
    this.imported = Object.keys(imports.functions ?? {});
  }

  /** Adds an exported function; `build` emits its body. */
  define(
    name: string,
    params: readonly ValueType[],
    build: (f: FunctionBuilder) => void,
    results: readonly ValueType[] = [],
  ): void {
    const f = new FunctionBuilder(params);
    build(f);
    const tree = f.encode();
    let calls = false;
    const code = flatten(tree, (callee) => {
      calls = true;
      return this.indexOf(callee);
    });
    this.functions.set(name, {
      params: f.params,
      results,
      code,
      portable: () => (calls ? flatten(tree, this.codeOf) : code),
    });
  }

  /** Calls a function that is imported or was defined before. */
  call(name: string, ...args: Code[]): Code {
    return [args, 0x10, name];
  }

  /** Calls the function at an index of the imported table, whose type is the module's first. */
  callTable(index: Code, ...args: Code[]): Code {
    return [args, index, 0x11, 0, 0];
  }

  private readonly indexOf = (name: string): Code => {
    const index = [...this.imported, ...this.functions.keys()].indexOf(name);
    if (index < 0) throw new Error(`assembler: no function ${name}`);
    return leb(index);
  };

  has(name: string): boolean {
    return this.functions.has(name);
  }

  /** The code of a function and of those that it calls, whatever else stands in the module. */
  readonly codeOf = (name: string): Uint8Array => this.functions.get(name)!.portable();

  /**
   * `label` goes into a custom section, which keeps modules of equal code apart. `closed`: the module has a table of its own,
   * of functions by name, and exports these others alone.
   */
  encode(memory: MemoryImport, label?: string, closed?: Closed): Uint8Array<ArrayBuffer> {
    const functions = [...this.functions];
    const { table, memories = [], functions: given = {} } = this.imports;
    const importsTable = table !== undefined && !closed;
    const own = functions.map(([, { params, results }]) => ({ params: params.map(({ type }) => type), results }));
    const before = [...(table ? [table.type] : []), ...Object.values(given)];
    const bytesOf = (types: readonly ValueType[]): Code => vector(types.map((type) => [valueTypes[type]]));
    const types = [...before, ...own].map(({ params, results }) => [0x60, bytesOf(params), bytesOf(results)]);
    const limits = memory.shared ? [3, 0, leb(memory.maximum)] : [0, 0];
    const [first, start] = [before.length, this.imported.length];
    const from = (what: string, ...description: (number | Code)[]): Code => [name("env"), name(what), description];
    const imports = [
      from("memory", 2, limits),
      ...memories.map((one) => from(one, 2, 0, 0)),
      ...(importsTable ? [from(table.name, 1, 0x70, 0, 0)] : []),
      ...this.imported.map((one, i) => from(one, 0, leb((table ? 1 : 0) + i))),
    ];
    const exported = functions.map(([key], index) => [key, index] as const);
    const seen = closed ? exported.filter(([key]) => closed.exports.includes(key)) : exported;
    const code = [
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      label ? section(0, name(label)) : [],
      section(1, vector(types)),
      section(2, vector(imports)),
      section(3, vector(functions.map((_, index) => leb(first + index)))),
      closed ? section(4, vector([[0x70, 0, leb(closed.table.length)]])) : [],
      section(7, vector(seen.map(([key, index]) => [name(key), 0, leb(start + index)]))),
      closed ? section(9, vector([[0, i32(0), 0x0b, vector(closed.table.map(this.indexOf))]])) : [],
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
