// The allocator against a naive model: first fit on an endless line of which only the live blocks are remembered. Equal
// offsets and sizes mean aligned blocks that never overlap.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Allocator, alignment, type Block } from "../../src/backend/wasm/memory.ts";
import { LimitError } from "../../src/errors.ts";

const limit = 64 * alignment;

type Command = { allocate: number } | { release: number };

const commands = fc.array(
  fc.oneof(
    fc.record({ allocate: fc.oneof(fc.integer({ min: 0, max: 3 * alignment }), fc.nat(limit + alignment)) }),
    fc.record({ release: fc.nat(1000) }),
  ),
  { maxLength: 60, size: "max" },
) satisfies fc.Arbitrary<Command[]>;

/** The lowest offset at which a block fits between the live ones. */
function firstFit(live: readonly Block[], bytes: number): number {
  let offset = 0;
  for (const block of live.toSorted((a, b) => a.offset - b.offset)) {
    if (block.offset - offset >= bytes) break;
    offset = block.offset + block.bytes;
  }
  return offset;
}

function start(): { allocator: Allocator; grown: number[] } {
  const grown: number[] = [];
  return { allocator: new Allocator(limit, (bytes) => grown.push(bytes)), grown };
}

describe("Allocator", () => {
  it("takes the first gap that fits, whatever came before", () => {
    fc.assert(
      fc.property(commands, (sequence) => {
        const { allocator, grown } = start();
        const live: Block[] = [];
        const size = (): number => grown.at(-1) ?? 0;
        for (const command of sequence) {
          if ("release" in command) {
            if (live.length > 0) allocator.release(live.splice(command.release % live.length, 1)[0]!);
          } else {
            const bytes = Math.max(1, Math.ceil(command.allocate / alignment)) * alignment;
            const offset = firstFit(live, bytes);
            const before = size();
            if (offset + bytes > limit) {
              expect(() => allocator.allocate(command.allocate)).toThrow(LimitError);
              expect(size()).toBe(before);
            } else {
              live.push(allocator.allocate(command.allocate));
              expect(live.at(-1)).toEqual({ offset, bytes });
              // It grows only as far as the block that did not fit.
              expect(size()).toBe(Math.max(before, offset + bytes));
            }
          }
          expect(allocator.used).toBe(live.reduce((sum, block) => sum + block.bytes, 0));
        }
        expect(grown).toEqual([...new Set(grown)].sort((a, b) => a - b));
        for (const block of live) allocator.release(block);
        expect(allocator.used).toBe(0);
        // All is one block again: as much as was ever grown fits at the start, without growing.
        if (size() > 0) expect(allocator.allocate(size())).toEqual({ offset: 0, bytes: size() });
        expect(grown).toEqual([...new Set(grown)]);
      }),
      { numRuns: 500 },
    );
  });

  it("says how to raise the limit, and serves what still fits", () => {
    const { allocator } = start();
    const half = allocator.allocate(limit / 2);
    expect(() => allocator.allocate(limit / 2 + 1)).toThrow(
      `maxMemory: expected at most ${limit} bytes of working memory, got ${limit + alignment}; ` +
        "raise it with createEngine({ maxMemory })",
    );
    expect(allocator.allocate(limit / 2)).toEqual({ offset: limit / 2, bytes: limit / 2 });
    allocator.release(half);
    expect(allocator.allocate(limit / 2)).toEqual(half);
  });

  it("stays as it was when the memory cannot grow", () => {
    let refuse = false;
    const allocator = new Allocator(limit, () => {
      if (refuse) throw new RangeError("no memory");
    });
    const first = allocator.allocate(alignment);
    const second = allocator.allocate(alignment);
    allocator.release(second);
    refuse = true;
    expect(() => allocator.allocate(4 * alignment)).toThrow(RangeError);
    expect(allocator.used).toBe(first.bytes);
    expect(allocator.allocate(alignment)).toEqual(second);
  });
});
