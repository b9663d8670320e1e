// Whole modules of the assembler: the memory that they import, and functions that call one another.
import { describe, expect, it } from "vitest";
import { get, i32, ModuleBuilder, op, store } from "../../src/codegen/assembler.ts";
import { type Entry, instantiate } from "./instructions.ts";
import { single, text } from "./modules.ts";

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
