// The instructions of WebAssembly (with SIMD, relaxed SIMD and threads) that take no immediate, or a memory argument, or a lane:
// names as in the specification, opcodes by their order there. A name without a type continues the type before it; "-" is a
// hole.

const scalar = `i32.eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
i64.eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
f32.eq ne lt gt le ge f64.eq ne lt gt le ge
i32.clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
i64.clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr
f32.abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign
f64.abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign
i32.wrap_i64 trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u i64.extend_i32_s extend_i32_u
trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u f32.convert_i32_s convert_i32_u convert_i64_s convert_i64_u demote_f64
f64.convert_i32_s convert_i32_u convert_i64_s convert_i64_u promote_f32 i32.reinterpret_f32 i64.reinterpret_f64 f32.reinterpret_i32 f64.reinterpret_i64
i32.extend8_s extend16_s i64.extend8_s extend16_s extend32_s`;

const saturating = `i32.trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u
i64.trunc_sat_f32_s trunc_sat_f32_u trunc_sat_f64_s trunc_sat_f64_u`;

const memory = `i32.load i64.load f32.load f64.load i32.load8_s load8_u load16_s load16_u
i64.load8_s load8_u load16_s load16_u load32_s load32_u
i32.store i64.store f32.store f64.store i32.store8 store16 i64.store8 store16 store32`;

const vectorMemory = `v128.load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u
load8_splat load16_splat load32_splat load64_splat store`;
const vectorZero = "v128.load32_zero load64_zero";

// From 14 (i8x16.swizzle); those with a lane immediate are listed in `lanes` below.
const vector = `i8x16.swizzle splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat
i8x16.extract_lane_s extract_lane_u replace_lane i16x8.extract_lane_s extract_lane_u replace_lane
i32x4.extract_lane replace_lane i64x2.extract_lane replace_lane f32x4.extract_lane replace_lane f64x2.extract_lane replace_lane
i8x16.eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
i16x8.eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
i32x4.eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u
f32x4.eq ne lt gt le ge f64x2.eq ne lt gt le ge
v128.not and andnot or xor bitselect any_true - - - - - - - - - - f32x4.demote_f64x2_zero f64x2.promote_low_f32x4
i8x16.abs neg popcnt all_true bitmask narrow_i16x8_s narrow_i16x8_u f32x4.ceil floor trunc nearest
i8x16.shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u f64x2.ceil floor
i8x16.min_s min_u max_s max_u f64x2.trunc i8x16.avgr_u
i16x8.extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u
i16x8.abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u
extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u shl shr_s shr_u
add add_sat_s add_sat_u sub sub_sat_s sub_sat_u f64x2.nearest i16x8.mul min_s min_u max_s max_u - avgr_u
extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u
i32x4.abs neg - all_true bitmask - - extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u
shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s -
extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u
i64x2.abs neg - all_true bitmask - - extend_low_i32x4_s extend_high_i32x4_s extend_low_i32x4_u extend_high_i32x4_u
shl shr_s shr_u add - - sub - - - mul eq ne lt_s gt_s le_s ge_s
extmul_low_i32x4_s extmul_high_i32x4_s extmul_low_i32x4_u extmul_high_i32x4_u
f32x4.abs neg - sqrt add sub mul div min max pmin pmax
f64x2.abs neg - sqrt add sub mul div min max pmin pmax
i32x4.trunc_sat_f32x4_s trunc_sat_f32x4_u f32x4.convert_i32x4_s convert_i32x4_u
i32x4.trunc_sat_f64x2_s_zero trunc_sat_f64x2_u_zero f64x2.convert_low_i32x4_s convert_low_i32x4_u
i8x16.relaxed_swizzle i32x4.relaxed_trunc_f32x4_s relaxed_trunc_f32x4_u relaxed_trunc_f64x2_s_zero relaxed_trunc_f64x2_u_zero
f32x4.relaxed_madd relaxed_nmadd f64x2.relaxed_madd relaxed_nmadd
i8x16.relaxed_laneselect i16x8.relaxed_laneselect i32x4.relaxed_laneselect i64x2.relaxed_laneselect
f32x4.relaxed_min relaxed_max f64x2.relaxed_min relaxed_max i16x8.relaxed_q15mulr_s relaxed_dot_i8x16_i7x16_s i32x4.relaxed_dot_i8x16_i7x16_add_s`;

/** Unsigned LEB128. */
export function leb(value: number): number[] {
  if (value < 128) return [value]; // nearly always, and in no more memory than it takes
  const bytes: number[] = [];
  do {
    const low = value & 0x7f;
    value >>>= 7;
    bytes.push(value ? low | 0x80 : low);
  } while (value);
  return bytes;
}

function named(list: string): [name: string, index: number][] {
  let type = "";
  return list.split(/\s+/).map((name, index) => {
    const full = name.includes(".") ? name : `${type}.${name}`;
    type = full.slice(0, full.lastIndexOf("."));
    return [full, index];
  });
}

function table(list: string, encode: (index: number) => number[]): [string, number[]][] {
  return named(list)
    .filter(([name]) => !name.endsWith("-"))
    .map(([name, index]) => [name, encode(index)]);
}

/** Atomic accesses, by the exponent of their width: no other alignment is valid. */
const atomic = `i32.atomic.load/2 i64.atomic.load/3 i32.atomic.load8_u/0 load16_u/1 i64.atomic.load8_u/0 load16_u/1 load32_u/2
i32.atomic.store/2 i64.atomic.store/3 i32.atomic.store8/0 store16/1 i64.atomic.store8/0 store16/1 store32/2`;
const readModifyWrite = "add sub and or xor xchg cmpxchg".split(" ");

/** Atomic accesses: opcode, and the exponent of the alignment that they demand. */
export const atomicOps: ReadonlyMap<string, { code: readonly number[]; align: number }> = new Map([
  ["memory.atomic.notify", { code: [0xfe, 0], align: 2 }],
  ["memory.atomic.wait32", { code: [0xfe, 1], align: 2 }],
  ...named(atomic).map(([name, i]): [string, { code: number[]; align: number }] => {
    const [full, align] = name.split("/");
    return [full!, { code: [0xfe, 0x10 + i], align: Number(align) }];
  }),
  ...readModifyWrite.flatMap((what, i) =>
    (["i32", "i64"] as const).map((type, wide): [string, { code: number[]; align: number }] => [
      `${type}.atomic.rmw.${what}`,
      { code: [0xfe, 0x1e + 7 * i + wide], align: 2 + wide },
    ]),
  ),
]);

/** Instructions without an immediate, or with a lane. */
export const plainOps: ReadonlyMap<string, readonly number[]> = new Map([
  ...table(scalar, (i) => [0x45 + i]),
  ...table(saturating, (i) => [0xfc, ...leb(i)]),
  ...table(vector, (i) => [0xfd, ...leb(14 + i)]),
]);

/** Loads and stores: their immediate is an alignment and an offset. */
export const memoryOps: ReadonlyMap<string, readonly number[]> = new Map([
  ...table(memory, (i) => [0x28 + i]),
  ...table(vectorMemory, (i) => [0xfd, ...leb(i)]),
  ...table(vectorZero, (i) => [0xfd, ...leb(92 + i)]),
]);
