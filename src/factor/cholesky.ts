// Systems of equations with a symmetric positive definite matrix, by Cholesky's decomposition: blocks of unknowns are solved
// for by a loop, and what one block means for the others is left to products of matrices.
import { columnsFrom, combine, type Matrix, type Multiply, matrix, rowsFrom, transpose } from "./matrix.ts";

const blockSize = 32;

/** A block of unknowns, and the inverse of the root of its part of the matrix. */
interface Block {
  first: number;
  size: number;
  inverse: Matrix;
}

/** Solves a · x = b. Where rounding leaves a pivot that is not positive, its unknown is 0. */
export function solvePositive(a: Matrix, b: Matrix, multiply: Multiply): Matrix {
  const { root, blocks } = decompose(a, multiply);
  const x: Matrix = { ...b, data: b.data.slice() };
  for (const { first, size, inverse } of blocks) {
    const [own, before] = [rowsFrom(x, first, size), rowsFrom(x, 0, first)];
    const rest = minus(own, multiply(columnsFrom(rowsFrom(root, first, size), 0, first), before));
    own.data.set(multiply(inverse, rest).data);
  }
  for (const { first, size, inverse } of blocks.reverse()) {
    const end = first + size;
    const [own, after] = [rowsFrom(x, first, size), rowsFrom(x, end, a.rows - end)];
    const rest = minus(own, multiply(transpose(columnsFrom(rowsFrom(root, end, a.rows - end), first, size)), after));
    own.data.set(multiply(transpose(inverse), rest).data);
  }
  return x;
}

/** The lower triangular root of a matrix: that times its transpose is the matrix. */
function decompose(a: Matrix, multiply: Multiply): { root: Matrix; blocks: Block[] } {
  const root = matrix(a.rows, a.rows);
  const blocks: Block[] = [];
  for (let first = 0; first < a.rows; first += blockSize) {
    const [size, below] = [Math.min(blockSize, a.rows - first), a.rows - first];
    const known = columnsFrom(rowsFrom(root, first, below), 0, first);
    const given = columnsFrom(rowsFrom(a, first, below), first, size);
    const columns = minus(given, multiply(known, transpose(rowsFrom(known, 0, size))));
    const inverse = invertedRoot(rowsFrom(columns, 0, size));
    const own = multiply(columns, transpose(inverse));
    for (let r = 0; r < below; r++) {
      root.data.set(own.data.subarray(r * size, (r + 1) * size), (first + r) * a.rows + first);
    }
    blocks.push({ first, size, inverse });
  }
  return { root, blocks };
}

const minus = (a: Matrix, b: Matrix): Matrix => combine(a, b, (x, y) => x - y);

/** The inverse of the root of a small matrix; zeros in the row and column of a pivot that is not positive. */
function invertedRoot({ rows: n, data }: Matrix): Matrix {
  const root = new Float64Array(n * n);
  const inverse = matrix(n, n);
  const sum = (end: number, term: (k: number) => number): number => {
    let total = 0;
    for (let k = 0; k < end; k++) total += term(k);
    return total;
  };
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const rest = data[i * n + j]! - sum(j, (k) => root[i * n + k]! * root[j * n + k]!);
      const pivot = root[j * n + j]!;
      root[i * n + j] = i > j ? (pivot > 0 ? rest / pivot : 0) : rest > 0 ? Math.sqrt(rest) : 0;
    }
    const pivot = root[i * n + i]!;
    for (let j = 0; j <= i && pivot > 0; j++) {
      const known = (i === j ? 1 : 0) - sum(i, (k) => root[i * n + k]! * inverse.data[k * n + j]!);
      inverse.data[i * n + j] = known / pivot;
    }
  }
  return inverse;
}
