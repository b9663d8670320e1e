// Single instructions: wabt reads back what was emitted, and the engine runs it to results that JavaScript computes too.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Code,
  get,
  i32,
  lane,
  load,
  ModuleBuilder,
  op,
  set,
  store,
  type ValueType,
} from "../../src/codegen/assembler.ts";
import { leb, memoryOps, plainOps } from "../../src/codegen/opcodes.ts";
import { instantiate, laneCount, semantics, signature } from "./instructions.ts";
import { decode, features, single, wabt } from "./modules.ts";

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
