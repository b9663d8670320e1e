// Editors show a doc comment for every public name, member and option.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { filters } from "../src/index.ts";
import { temporaryFolder } from "./node/folder.ts";
import { undocumented } from "./undocumented.ts";

const source = join(import.meta.dirname, "..", "src");

describe("the public face", () => {
  it.each(["index.ts", "onnx/index.ts", "node/index.ts", "batch/index.ts"])(
    "%s has no name without a doc comment",
    { timeout: 60_000 },
    (entry) => {
      const isOwn = (file: string): boolean => file.startsWith(source);
      // What a plan's stages consist of is for machines; `explain` says it to people.
      const opaque = ["Stage", "BufferSpec", "KernelSpec"];
      expect(undocumented({ entries: [join(source, entry)], isOwn, opaque })).toEqual([]);
    },
  );

  it("writes out every named filter", () => {
    const written = readFileSync(join(source, "factor", "filter-functions.ts"), "utf8").matchAll(
      /^ {2}readonly (\w+):/gm,
    );
    expect(Array.from(written, ([, name]) => name).toSorted()).toEqual(Object.keys(filters).toSorted());
  });
});

const temporary = temporaryFolder();

describe("the search", () => {
  const search = (text: string, opaque?: readonly string[]): string[] => {
    const file = join(temporary, "made-up.ts");
    writeFileSync(file, text.replaceAll("/**", "\n/**"));
    const found = undocumented({ entries: [file], isOwn: (one) => one === file, opaque });
    return found.map((line) => line.replace(/ \(.*/, ""));
  };

  it.each<[what: string, text: string, found: string[]]>([
    ["functions and constants", "export const a = 1; /** b */ export const b = 2; export function c() {}", ["a", "c"]],
    [
      "members of interfaces, also of those that are not exported",
      "interface A { x: number; /** y */ y: B } interface B { z?: string } /** f */ export function f(a: A): void { a; }",
      ["A.x", "B.z"],
    ],
    ["inherited ones", "interface A { x: number } /** B */ export interface B extends A { /** y */ y: 1 }", ["B.x"]],
    ["literal types", "/** o */ export function o(p?: { q: { r: 1 } } | string): void { p; }", ["o.q", "o.q.r"]],
    [
      "methods and fields of classes, but what is private or internal",
      "/** C */ export class C { f = 1; private g = 2; #h = 3; /** @internal */ i = 4; m(o: { p: 1 }) { o; this.g; this.#h; } static s = 5; }",
      ["C.f", "C.m", "C.m.p", "C.s"],
    ],
    [
      "results, within promises and lists",
      "/** f */ export async function f(): Promise<{ a: 1 }[]> { return []; }",
      ["f.a"],
    ],
    [
      "renamed exports, and what mapped types compute",
      "const a = 1; export { a as b }; interface T { x: 1 } /** M */ export type M = { [K in keyof T as Uppercase<K>]: 2 };",
      ["M.X", "a"],
    ],
  ])("finds %s", { timeout: 60_000 }, (_, text, found) => expect(search(text)).toEqual(found));

  it("looks into no opaque type", { timeout: 60_000 }, () => {
    const text = "interface A { x: 1 } /** B */ export interface B { /** a */ a: A[] }";
    expect(search(text)).toEqual(["A.x"]);
    expect(search(text, ["A"])).toEqual([]);
  });
});
