// Filters that are pasted: the forms in which people have them, and what is said of those that cannot be read.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readFilter } from "../../web/src/filter/paste.ts";

const soft = [[1, 2, 1], [2, 4, 2], [1, 2, 1]]; // biome-ignore format: a matrix
const sharp = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]; // biome-ignore format: a matrix

describe("pasted filters", () => {
  it.each<[string, number[][], number]>([
    ["1\t2\t1\r\n2\t4\t2\r\n1\t2\t1\r\n", soft, 1],
    ["1,2,1\n2,4,2\n1,2,1", soft, 1],
    ["1 2 1\n2 4 2\n1 2 1\n/16", soft, 1 / 16],
    ["1/16 * \n1 2 1\n2 4 2\n1 2 1", soft, 1 / 16],
    ["K = [1 2 1; 2 4 2; 1 2 1]/16;", soft, 1 / 16],
    ["k = [1, 2, 1; ... % rows\n 2, 4, 2;\n 1, 2, 1] ./ 16", soft, 1 / 16],
    ["h = 0.0625*[1 2 1\n2 4 2\n1 2 1];", soft, 1 / 16],
    ["[0 1; 2 3]'", [[0, 2], [1, 3]], 1],
    ["static const float k[3][3] = { {1.f, 2.f, 1.f}, {2, 4, 2}, /* c */ {1, 2, 1} };", soft, 1],
    ["float kernel[3][3] = {\n  1, 2, 1, // first\n  2, 4, 2,\n  1, 2, 1,\n};", soft, 1],
    ["double k[3][3] = {1, 2, 1, 2, 4, 2, 1, 2, 1};", soft, 1],
    ["np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=np.float32) / 16.0", soft, 1 / 16],
    ["kernel = (1/16) * np.array([[1, 2, 1],\n                   [2, 4, 2],\n                   [1, 2, 1]])", soft, 1 / 16],
    ["kernel = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 16", soft, 1 / 16],
    ["array([[ 0., -1.,  0.],\n       [-1.,  5., -1.],\n       [ 0., -1.,  0.]])", sharp, 1],
    ["[[ 0. -1.  0.]\n [-1.  5. -1.]\n [ 0. -1.  0.]]", sharp, 1],
    ["torch.tensor([[0., -1, 0], [-1, 5, -1], [0, -1, 0]])", sharp, 1],
    ["const k = [[0, −1, 0], [−1, 5, −1], [0, −1, 0]];", sharp, 1],
    ["[\n  [0, -1, 0],\n  [-1, 5,\n   -1],\n  [0, -1, 0]\n]", sharp, 1],
    ["Mat kernel = (Mat_<float>(3,3) << 0, -1, 0,\n -1, 5, -1,\n 0, -1, 0);", sharp, 1],
    ["\\begin{bmatrix} 0 & -1 & 0 \\\\ -1 & 5 & -1 \\\\ 0 & -1 & 0 \\end{bmatrix}", sharp, 1],
    ["| 0 | -1 | 0 |\n|---|---|---|\n| -1 | 5 | -1 |\n| 0 | -1 | 0 |", sharp, 1],
    ["1/16 1/8 1/16", [[1 / 16, 1 / 8, 1 / 16]], 1],
    ["[1/4, -1/2, 1/4]", [[0.25, -0.5, 0.25]], 1],
    ["0,25\t0,5\t0,25", [[0.25, 0.5, 0.25]], 1],
    ["1e-1 .5 -2.E+0", [[0.1, 0.5, -2]], 1],
    ["[1\n2\n1]", [[1], [2], [1]], 1],
    ['{"column":[1,2,1],"row":[-1,0,1]}', [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], 1],
    ['{"width":3,"height":3,"kernel":[1,2,1,2,4,2,1,2,1],"scale":16}', soft, 1 / 16],
    ['{"filter":{"kh":1,"kw":2,"values":[1,2],"gain":0.5},"rank":1}', [[1, 2]], 0.5],
  ])("are read: %j", (text, rows, gain) => {
    const read = readFilter(text);
    expect(read.rows).toEqual(rows);
    expect(read.gain).toBeCloseTo(gain, 14);
  }); // biome-ignore format: a table

  it.each([
    ["", "nothing to read"],
    ["hello", "“hello” in row 1, column 1 is no number"],
    ["1 2 3\n4 5", "Row 2 has 2 numbers, and row 1 has 3"],
    ["[1 2; 3]", "Row 2 has 1 number, and row 1 has 2"],
    ["1 2\n3 x", "“x” in row 2, column 2 is no number"],
    ["[[1, 2], [3, NaN]]", "“NaN” in row 2, column 2 is no number"],
    ["1 1/0", "“1/0” in row 1, column 2"],
    ["float k[3][3] = {1, 2, 3};", "It says 3 × 3, and has 3 numbers"],
    ["[1 2; 3 4] ^ 2", "after the table cannot be read: “^ 2”"],
    ["5 + [1 2; 3 4]", "before the table cannot be read: “5 +”"],
    ["[1 2] / 0", "factor"],
    ["[]", "no numbers in it"],
    ['{"a":1}', "holds no filter"],
  ])("that cannot be read say why: %j", (text, reason) => expect(() => readFilter(text)).toThrow(reason));

  const value = fc.oneof(fc.integer({ min: -99, max: 99 }), fc.double({ noNaN: true, noDefaultInfinity: true }));
  const table = fc
    .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 }))
    .chain(([h, w]) => fc.array(fc.array(value, { minLength: w, maxLength: w }), { minLength: h, maxLength: h }));
  const forms: Record<string, (rows: number[][]) => string> = {
    tabs: (rows) => rows.map((row) => row.join("\t")).join("\n"),
    json: (rows) => JSON.stringify(rows),
    matlab: (rows) => `k = [${rows.map((row) => row.join(" ")).join("; ")}];`,
    c: (rows) =>
      `float k[${rows.length}][${rows[0]!.length}] = {${rows.map((row) => `{${row.join(", ")}}`).join(",\n")}};`,
    numpy: (rows) => `np.array(${JSON.stringify(rows)}, dtype=np.float64)`,
  };
  it.each(Object.keys(forms))("come back from %s", (form) => {
    const plain = (rows: number[][]): number[][] => rows.map((row) => row.map((one) => one + 0));
    fc.assert(
      fc.property(table, (rows) => {
        expect(plain(readFilter(forms[form]!(rows)).rows)).toEqual(plain(rows));
      }),
      { numRuns: 100 },
    );
  });

  it("are refused in words, whatever was pasted", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."0123456789 ,;[]{}()/*-+.e\n\tfx=%") }), (text) => {
        try {
          const { rows, gain } = readFilter(text);
          expect(rows.flat().every(Number.isFinite) && Number.isFinite(gain)).toBe(true);
          expect(new Set(rows.map((row) => row.length)).size).toBe(1);
        } catch (error) {
          expect((error as Error).message).toMatch(/^[“A-Z].*\.$/s);
        }
      }),
      { numRuns: 500 },
    );
  });
});
