// The assembler against two oracles: wabt reads back what was emitted under the names of the specification, and the
// engine runs it to results that JavaScript computes too.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import loadWabt from "wabt";
import {
  block,
  branchIf,
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  f32,
  f64,
  get,
  i32,
  ifElse,
  lane,
  load,
  loop,
  ModuleBuilder,
  op,
  set,
  shuffle,
  splat,
  store,
  tee,
  type ValueType,
  when,
  whileLoop,
} from "../../src/wasm/assembler.ts";
import { leb, memoryOps, plainOps } from "../../src/wasm/opcodes.ts";
import { type Entry, instantiate, laneCount, semantics, signature } from "./instructions.ts";

const wabt = await loadWabt();
const features = { simd: true, relaxed_simd: true, threads: true, sat_float_to_int: true, sign_extension: true };

function text(bytes: Uint8Array): string {
  return wabt.readWasm(bytes, features).toText({ foldExprs: false, inlineExport: false });
}

/** The instructions of each function of a module, as wabt reads them. */
function decode(module: ModuleBuilder): string[][] {
  const [, ...functions] = text(module.encode({ shared: false, maximum: 1 })).split(/^ {2}\(func /m);
  return functions.map((body) => {
    const lines = body.split(/\n {4}/).slice(1);
    return lines.filter((line) => !line.startsWith("(")).map((line) => line.split(/\)?\)\n/)[0]!.replace(/\)$/, ""));
  });
}

/** A module of one function. */
function single(params: readonly ValueType[], build: (f: FunctionBuilder) => void): ModuleBuilder {
  const module = new ModuleBuilder();
  module.define("f", params, build);
  return module;
}

/** Runs statements as a function without parameters, and gives the memory. */
function run(build: (f: FunctionBuilder) => Code[], { pages = 1, before = new Uint8Array(0) } = {}): ArrayBuffer {
  const { entries, buffer } = instantiate(
    single([], (f) => f.emit(...build(f))),
    pages,
  );
  new Uint8Array(buffer).set(before);
  entries.f!();
  return buffer;
}

describe("instructions", () => {
  const plain = [...plainOps.keys()];

  it("are read back by wabt under the same names, with operands of the types that their names say", () => {
    const module = new ModuleBuilder();
    for (const name of plain) {
      const { params, result } = signature(name);
      module.define(name, params, (f) => {
        const operands = f.params.map(get);
        const lanes = laneCount(name);
        f.emit(set(f.local(result), lanes ? lane(name, lanes - 1, ...operands) : op(name, ...operands)));
      });
    }
    const decoded = decode(module);
    expect(decoded).toEqual(
      plain.map((name) => {
        const { params } = signature(name);
        const immediate = laneCount(name) ? ` ${laneCount(name) - 1}` : "";
        return [...params.map((_, i) => `local.get ${i}`), `${name}${immediate}`, `local.set ${params.length}`];
      }),
    );
    expect(WebAssembly.validate(module.encode({ shared: false, maximum: 1 }))).toBe(true);
  });

  it("that load and store are read back with their offset, promising no alignment", () => {
    const module = new ModuleBuilder();
    const names = [...memoryOps.keys()];
    const typeOf = (name: string): ValueType => name.split(".")[0] as ValueType;
    for (const name of names) {
      module.define(name, ["i32", typeOf(name)], (f) => {
        const [address, value] = f.params.map(get) as [Code, Code];
        f.emit(name.includes("store") ? store(name, address, value, 300) : set(f.params[1]!, load(name, address, 300)));
      });
    }
    const bytesOnly = /(load|store)8(_|$)/;
    const access = (name: string): string => `${name} offset=300${bytesOnly.test(name) ? "" : " align=1"}`;
    expect(decode(module)).toEqual(
      names.map((name) =>
        name.includes("store")
          ? ["local.get 0", "local.get 1", access(name)]
          : ["local.get 0", access(name), "local.set 1"],
      ),
    );
  });

  it("are all there: what is missing between them is no instruction, or one with other immediates", () => {
    const known = new Set([...plainOps.values(), ...memoryOps.values()].map(String));
    expect(known.size).toBe(plainOps.size + memoryOps.size);
    // v128.const, i8x16.shuffle, and loads and stores of single lanes.
    const others = [12, 13, 84, 85, 86, 87, 88, 89, 90, 91];
    const missing = Array.from({ length: 0x120 }, (_, n) => n).filter((n) => !known.has(String([0xfd, ...leb(n)])));
    for (const n of missing) {
      const bytes = single([], (f) => f.emit([0xfd, ...leb(n)])).encode({ shared: false, maximum: 1 });
      const message = others.includes(n) ? /unable to read/ : /unexpected opcode/;
      expect(() => wabt.readWasm(bytes, features), `${n}`).toThrow(message);
    }
    expect(missing).toEqual(expect.arrayContaining(others));
    const range = (first: number, last: number): number[] =>
      Array.from({ length: last - first + 1 }, (_, i) => first + i);
    const ofOneByte = [...known].filter((code) => !code.includes(",")).map(Number);
    expect(ofOneByte.sort((a, b) => a - b)).toEqual([...range(0x28, 0x3e), ...range(0x45, 0xc4)]);
  });

  it("of scalars compute what JavaScript computes", () => {
    const names = Object.keys(semantics);
    const expected = plain.filter((name) => /^(i32|f32|f64)\./.test(name) && !name.includes("i64"));
    expect(names.sort()).toEqual(expected.sort());
    const module = new ModuleBuilder();
    for (const name of names) {
      const { params, result } = signature(name);
      module.define(name, params, (f) => f.emit(store(`${result}.store`, i32(0), op(name, ...f.params.map(get)))));
    }
    const { entries, buffer } = instantiate(module);
    const results = { i32: new Int32Array(buffer), f32: new Float32Array(buffer), f64: new Float64Array(buffer) };
    const operands = {
      i32: fc.oneof(fc.integer(), fc.integer({ min: -33, max: 33 }), fc.constantFrom(2 ** 31 - 1, -(2 ** 31))),
      f32: fc.oneof(
        fc.float(),
        fc.integer({ min: -9, max: 9 }).map((n) => n / 2),
      ),
      f64: fc.oneof(
        fc.double(),
        fc.integer({ min: -9, max: 9 }).map((n) => n / 2),
        fc.integer(),
      ),
    };
    const outcome = (compute: () => number): number | "trap" => {
      try {
        return compute();
      } catch {
        return "trap";
      }
    };
    for (const name of names) {
      const { params, result } = signature(name) as { params: (keyof typeof results)[]; result: keyof typeof results };
      const values = fc.tuple(...params.map((type) => operands[type])) as fc.Arbitrary<[number, number]>;
      fc.assert(
        fc.property(values, ([a, b]) => {
          // The sign of a NaN that was computed is open.
          fc.pre(name.endsWith("copysign") ? !Number.isNaN(a) && !Number.isNaN(b) : true);
          fc.pre(name === "i32.reinterpret_f32" ? !Number.isNaN(a) : true);
          const got = outcome(() => {
            entries[name]!(a, b);
            return results[result][0]!;
          });
          expect(got, name).toBe(outcome(() => semantics[name]!(a, b)));
        }),
        { numRuns: 100 },
      );
    }
  });

  it("that nobody knows are refused by name", () => {
    expect(() => op("i32.plus")).toThrow("assembler: no instruction i32.plus");
    expect(() => op("i32.load", i32(0))).toThrow("assembler: no instruction i32.load");
    expect(() => load("i32.add", i32(0))).toThrow("assembler: no instruction i32.add");
  });
});

describe("constants", () => {
  const extremes = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8192, -8193, 2 ** 31 - 1, -(2 ** 31)];
  /** Stores constants one after the other and gives the bytes. */
  const stored = (name: string, codes: Code[], size: number): Uint8Array =>
    new Uint8Array(run(() => codes.map((code, i) => store(name, i32(0), code, i * size)))).slice(
      0,
      codes.length * size,
    );
  const bytesOf = (array: ArrayBufferView<ArrayBuffer>): Uint8Array => new Uint8Array(array.buffer);

  it("of 32 bits are themselves", () => {
    expect(stored("i32.store", extremes.map(i32), 4)).toEqual(bytesOf(new Int32Array(extremes)));
    fc.assert(
      fc.property(fc.array(fc.integer()), (values) => {
        expect(stored("i32.store", values.map(i32), 4)).toEqual(bytesOf(new Int32Array(values)));
      }),
    );
    // Unsigned values mean the same bits.
    expect(stored("i32.store", [i32(2 ** 32 - 2)], 4)).toEqual(bytesOf(new Int32Array([-2])));
  });

  it("of floating point keep every bit, and so do vectors of equal lanes", () => {
    const special = [0, -0, NaN, Infinity, -Infinity, Number.MIN_VALUE, 2 ** -149, 0.1];
    const views = { i8x16: Int8Array, i16x8: Int16Array, i32x4: Int32Array, f32x4: Float32Array, f64x2: Float64Array };
    const check = (values: number[]): void => {
      expect(stored("f32.store", values.map(f32), 4)).toEqual(bytesOf(new Float32Array(values)));
      expect(stored("f64.store", values.map(f64), 8)).toEqual(bytesOf(new Float64Array(values)));
      for (const [shape, View] of Object.entries(views) as [keyof typeof views, typeof Int8Array][]) {
        const vectors = values.map((value) => splat(shape, value));
        const expected = values.flatMap((value) => [...bytesOf(new View(16 / View.BYTES_PER_ELEMENT).fill(value))]);
        expect([...stored("v128.store", vectors, 16)], shape).toEqual(expected);
      }
    };
    check([...special, ...extremes]);
    fc.assert(fc.property(fc.array(fc.double(), { maxLength: 20 }), check), { numRuns: 30 });
  });
});

describe("numbers beyond one byte", () => {
  it("work as offsets of memory", () => {
    const before = new Uint8Array(40 * 65536).map((_, i) => i % 251);
    for (const offset of [0, 127, 128, 16383, 16384, 2 ** 20 + 3, 2 ** 21, 2 ** 21 + 70000]) {
      const build = (): Code[] => [store("i32.store", i32(5), load("i32.load", i32(1), offset), offset)];
      const expected = before.slice();
      expected.copyWithin(5 + offset, 1 + offset, 5 + offset);
      expect(Buffer.compare(new Uint8Array(run(build, { pages: 40, before })), expected), `${offset}`).toBe(0);
    }
  });

  it("work as locals, parameters, functions, names and sizes of bodies", () => {
    const module = new ModuleBuilder();
    const many = Array.from({ length: 140 }, (_, i) => i);
    for (const index of many) {
      module.define(`größe ${index} ${"x".repeat(index)}`, new Array(140).fill("i32"), (f) => {
        const locals = many.map(() => f.local("i32"));
        f.emit(
          ...locals.map((local, i) => set(local, i32(i * 77))),
          store("i32.store", i32(0), get(f.params[index % 140]!)),
          ...locals.map((local, i) => store("i32.store", i32(0), get(local), 4 + i * 4)),
        );
      });
    }
    const { entries, buffer } = instantiate(module);
    const params = Array.from({ length: 140 }, (_, i) => i * 3 + 1);
    for (const index of [0, 127, 128, 139]) {
      new Uint8Array(buffer).fill(255);
      entries[`größe ${index} ${"x".repeat(index)}`]!(...params);
      const expected = [params[index % 140]!, ...many.map((i) => i * 77)];
      expect([...new Int32Array(buffer, 0, many.length + 1)]).toEqual(expected);
    }
  });

  it("work as depths of branches", () => {
    const depth = 200;
    for (const leave of [0, 1, 63, 64, 127, 128, 199]) {
      const memory = run((f) => {
        const count = f.local("i32");
        let body: Code = branchIf(leave, i32(1));
        for (let level = 0; level < depth; level++) body = block(body, bump(count, 1));
        return [body, store("i32.store", i32(0), get(count))];
      });
      expect(new Int32Array(memory)[0]).toBe(depth - leave - 1);
    }
  });
});

describe("control", () => {
  /** A number of 32 bits that statements leave in a local. */
  const result = (build: (f: FunctionBuilder, sum: ReturnType<FunctionBuilder["local"]>) => Code[]): number =>
    new Int32Array(
      run((f) => {
        const sum = f.local("i32");
        return [...build(f, sum), store("i32.store", i32(0), get(sum))];
      }),
    )[0]!;

  it("nests: loops, conditions and blocks count what JavaScript counts", () => {
    const limit = 40;
    let expected = 0;
    for (let i = 0; i < limit; i++) {
      for (let j = i + 1; j < limit; j++) {
        if ((i * j) % 7 === 3) expected += 10;
        else if (i + j === 50) break;
        else expected += j;
      }
    }
    const counted = result((f, sum) => {
      const [i, j] = [f.local("i32"), f.local("i32")];
      const product = op("i32.rem_u", op("i32.mul", get(i), get(j)), i32(7));
      const inner = whileLoop(
        op("i32.lt_s", get(j), i32(limit)),
        ifElse(
          op("i32.eq", product, i32(3)),
          bump(sum, 10),
          // Out of ifElse, loop and the condition of the while loop, to the block around them.
          [...branchIf(3, op("i32.eq", op("i32.add", get(i), get(j)), i32(50))), ...bump(sum, get(j))],
        ),
        bump(j, 1),
      );
      return [
        doWhile(
          op("i32.lt_s", tee(i, op("i32.add", get(i), i32(1))), i32(limit)),
          set(j, op("i32.add", get(i), i32(1))),
          block(inner),
        ),
      ];
    });
    expect(counted).toBe(expected);
  });

  it("enters a while loop only, and a condition only, where it holds", () => {
    expect(result((_, sum) => [whileLoop(i32(0), bump(sum, 1))])).toBe(0);
    expect(result((_, sum) => [doWhile(i32(0), bump(sum, 1))])).toBe(1);
    expect(result((_, sum) => [when(i32(0), bump(sum, 1)), when(i32(7), bump(sum, 2), bump(sum, 4))])).toBe(6);
    expect(result((_, sum) => [ifElse(i32(1), bump(sum, 1), bump(sum, 2)), ifElse(i32(0), [], bump(sum, 4))])).toBe(5);
    expect(result((_, sum) => [loop(bump(sum, 1), branchIf(0, op("i32.lt_s", get(sum), i32(9))))])).toBe(9);
  });
});

describe("vectors", () => {
  it("give and take single lanes by index", () => {
    const before = new Uint8Array(32).map((_, i) => 200 + i * 7);
    const bytes = new DataView(before.buffer);
    for (const [shape, size, read] of [
      ["i8x16", 1, (at: number) => bytes.getInt8(at)],
      ["i16x8", 2, (at: number) => bytes.getInt16(at, true)],
      ["i32x4", 4, (at: number) => bytes.getInt32(at, true)],
    ] as const) {
      const suffix = size === 4 ? "" : "_s";
      for (let index = 0; index < 16 / size; index++) {
        const memory = run(
          () => [
            store("i32.store", i32(32), lane(`${shape}.extract_lane${suffix}`, index, load("v128.load", i32(0)))),
            store("v128.store", i32(48), lane(`${shape}.replace_lane`, index, load("v128.load", i32(16)), i32(-2))),
          ],
          { before },
        );
        expect(new Int32Array(memory, 32, 1)[0], `${shape} ${index}`).toBe(read(index * size));
        const replaced = before.slice(16);
        replaced.fill(255, index * size, (index + 1) * size)[index * size] = 254;
        expect(new Uint8Array(memory, 48, 16), `${shape} ${index}`).toEqual(replaced);
      }
    }
  });

  it("are shuffled byte by byte", () => {
    const before = new Uint8Array(32).map((_, i) => 100 + i);
    const indices = fc.array(fc.nat(31), { minLength: 16, maxLength: 16 });
    fc.assert(
      fc.property(indices, (order) => {
        const vectors = [load("v128.load", i32(0)), load("v128.load", i32(0), 16)] as const;
        const memory = run(() => [store("v128.store", i32(0), shuffle(order, ...vectors), 64)], { before });
        expect([...new Uint8Array(memory, 64, 16)]).toEqual(order.map((index) => 100 + index));
      }),
    );
  });
});

describe("the imported memory", () => {
  const module = single([], (f) => f.emit(store("i32.store", i32(0), i32(7))));

  it("is shared with a maximum, or neither", () => {
    for (const maximum of [1, 127, 128, 16384, 65536]) {
      expect(text(module.encode({ shared: true, maximum }))).toContain(
        `(import "env" "memory" (memory (;0;) 0 ${maximum} shared))`,
      );
      expect(text(module.encode({ shared: false, maximum }))).toContain('(import "env" "memory" (memory (;0;) 0))');
    }
  });

  it("must be what the module says", () => {
    const link = (shared: boolean, memory: WebAssembly.Memory): (() => void) => {
      const compiled = new WebAssembly.Module(module.encode({ shared, maximum: 10 }));
      return () => (new WebAssembly.Instance(compiled, { env: { memory } }).exports.f as Entry)();
    };
    const memory = (maximum: number): WebAssembly.Memory =>
      new WebAssembly.Memory({ initial: 1, maximum, shared: true });
    const shared = memory(10);
    link(true, shared)();
    expect(new Int32Array(shared.buffer)[0]).toBe(7);
    expect(link(true, memory(11))).toThrow(WebAssembly.LinkError);
    expect(link(true, new WebAssembly.Memory({ initial: 1, maximum: 10 }))).toThrow(WebAssembly.LinkError);
    expect(link(false, shared)).toThrow(WebAssembly.LinkError);
    link(false, new WebAssembly.Memory({ initial: 1 }))();
  });
});

describe("a module", () => {
  it("without functions is one, and knows which it has", () => {
    const module = new ModuleBuilder();
    expect(module.has("f")).toBe(false);
    expect(instantiate(module).entries).toEqual({});
    module.define("f", [], () => {});
    expect(module.has("f")).toBe(true);
    instantiate(module).entries.f!();
  });

  /** f(address) stores by calling g, after functions that are not its own. */
  function callers(before: number, value: number): ModuleBuilder {
    const module = new ModuleBuilder();
    for (let i = 0; i < before; i++) module.define(`other ${i}`, [], () => {});
    module.define("g", ["i32"], (f) => f.emit(store("i32.store", get(f.params[0]!), i32(value))));
    module.define("f", ["i32"], (f) => f.emit(module.call("g", op("i32.add", get(f.params[0]!), i32(4)))));
    return module;
  }

  it("has functions that call one another, however many others it has", () => {
    for (const before of [0, 1, 130]) {
      const { entries, buffer } = instantiate(callers(before, 77));
      entries.f!(8);
      expect([...new Int32Array(buffer, 0, 5)]).toEqual([0, 0, 0, 77, 0]);
    }
  });

  it("tells the code of a function, which is of it and those that it calls alone", () => {
    const code = callers(0, 77).codeOf("f");
    expect(callers(130, 77).codeOf("f")).toEqual(code);
    expect(callers(0, 78).codeOf("f")).not.toEqual(code);
    expect(code.length).toBeGreaterThan(callers(0, 77).codeOf("g").length);
  });

  it("refuses a call of a function that it has not", () => {
    const module = new ModuleBuilder();
    expect(() => module.define("f", [], (f) => f.emit(module.call("g")))).toThrow(/^assembler: no function g$/);
  });
});
