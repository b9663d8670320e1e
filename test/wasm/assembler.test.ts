// What the assembler makes of constants, large numbers, control and vectors, run: results are those of JavaScript.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
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
  when,
  whileLoop,
} from "../../src/codegen/assembler.ts";
import { instantiate } from "./instructions.ts";
import { run } from "./modules.ts";

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
