// Attention and RotaryEmbedding: heads in three axes and in four, groups of queries, masks, pasts and caps.
import type { Tensor } from "../../../src/tensor.ts";
import { type Random, tensorOf } from "../../random-tensors.ts";
import type { Cases, OperatorCase } from "./use.ts";

/** The first key of each row stays: what a row of which all keys are hidden gives has tests of its own. */
function maskOf(r: Random, shape: readonly number[]): Tensor {
  const rows = r.pick([2, 3, 4]);
  const own = shape.slice(-rows).map((side, i) => (i < rows - 2 && r.flag() ? 1 : side));
  if (r.flag()) return r.tensor(own);
  const { data, ...mask } = r.tensor(own, "bool");
  return { ...mask, data: (data as Uint8Array).map((value, i) => (i % own.at(-1)! === 0 ? 1 : value)) };
}

export function attention(r: Random): OperatorCase {
  const [batch, keyHeads, group, size, valueSize, queries] = [r.int(1, 2), r.int(1, 2), r.int(1, 2), ...r.shape(3)];
  const past = r.pick([0, 0, r.int(1, 3)]);
  const own = r.flag() ? queries! : r.int(1, 5);
  const heads = keyHeads! * group!;
  const flat = r.flag();
  const sides = (count: number, rows: number, width: number): number[] =>
    flat ? [batch!, rows, count * width] : [batch!, count, rows, width];
  const mask = r.flag() ? maskOf(r, [batch!, heads, queries!, past + own]) : undefined;
  const causal = past === 0 && !mask ? r.flag() : 0;
  const inputs = [
    r.tensor(sides(heads, queries!, size!)),
    r.tensor(sides(keyHeads!, own, size!)),
    r.tensor(sides(keyHeads!, own, valueSize!)),
    ...(mask || past ? [mask] : []),
    ...(past ? [size!, valueSize!].map((width) => r.tensor([batch!, keyHeads!, past, width])) : []),
  ];
  const attributes = {
    ...(flat && { q_num_heads: heads, kv_num_heads: keyHeads! }),
    ...{ is_causal: causal, softcap: r.pick([0, 2]), qk_matmul_output_mode: r.pick([0, 3]) },
    ...(r.flag() && { scale: 0.4 }),
  };
  return { op: "Attention", opset: 23, attributes, inputs, outputs: past ? 4 : 1, tolerance: 1e-4 };
}

export function rotaryEmbedding(r: Random): OperatorCase {
  const [batch, heads, rows, half] = r.shape(4) as [number, number, number, number];
  const [rest, flat, indexed] = [r.pick([0, 2]), r.flag(), r.flag()];
  const size = 2 * half + rest;
  const angles = indexed ? [rows + 3, half] : [batch, rows, half];
  const inputs = [
    r.tensor(flat ? [batch, rows, heads * size] : [batch, heads, rows, size]),
    ...[r.tensor(angles), r.tensor(angles)],
    ...(indexed ? [tensorOf([batch, rows], r.ints(batch * rows, 0, rows + 2), "i64")] : []),
  ];
  const attributes = {
    interleaved: r.flag(),
    ...(flat && { num_heads: heads }),
    ...(rest && { rotary_embedding_dim: 2 * half, num_heads: heads }),
  };
  return { op: "RotaryEmbedding", opset: 23, attributes, inputs };
}

export const heads: Cases = { Attention: attention, RotaryEmbedding: rotaryEmbedding };
