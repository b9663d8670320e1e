// Products of matrices, summed in f64: what MatMul and Gemm share.

/** Rows and columns lie `row` and `column` elements apart. */
export interface Matrix {
  data: Float64Array;
  offset: number;
  row: number;
  column: number;
}

/** Row-major, or its transpose. */
export function matrix(data: Float64Array, columns: number, transposed = false, offset = 0): Matrix {
  return transposed ? { data, offset, row: 1, column: columns } : { data, offset, row: columns, column: 1 };
}

/** sums[r, c] = sum over i < inner of a[r, i] b[i, c], row after row. */
export function multiply(a: Matrix, b: Matrix, inner: number, columns: number, sums: Float64Array): void {
  sums.fill(0);
  for (let at = 0, r = 0; at < sums.length; at += columns, r++) {
    for (let i = 0; i < inner; i++) {
      const factor = a.data[a.offset + r * a.row + i * a.column]!;
      const from = b.offset + i * b.row;
      for (let c = 0; c < columns; c++) sums[at + c]! += factor * b.data[from + c * b.column]!;
    }
  }
}
