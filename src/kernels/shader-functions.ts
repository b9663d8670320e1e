// Functions in WGSL that several families call. WGSL does not promise what becomes of a NaN in min, max and comparisons: where it
// matters, bits are looked at.
import { f32Literal } from "../codegen/wgsl.ts";
import type { Activation } from "../plan/types.ts";

/** Functions by name; each may call those before it. */
const texts = {
  nan: "fn nan() -> u32 { return 0x7fc00000u + u32(p.across < 0); }",
  infinite: "fn infinite(bits: u32) -> u32 { return bits + u32(p.across < 0); }",
  isNan: "fn isNan(x: vec4f) -> vec4<bool> { return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u); }",
  larger: "fn larger(a: vec4f, b: vec4f) -> vec4f { return select(select(max(a, b), b, isNan(b)), a, isNan(a)); }",
  smaller: "fn smaller(a: vec4f, b: vec4f) -> vec4f { return select(select(min(a, b), b, isNan(b)), a, isNan(a)); }",
  // Bounds that keep what is no number.
  atLeast: "fn atLeast(x: vec4f, bound: f32) -> vec4f { return select(x, vec4f(bound), x < vec4f(bound)); }",
  atMost: "fn atMost(x: vec4f, bound: f32) -> vec4f { return select(x, vec4f(bound), x > vec4f(bound)); }",
  // e^x for x from -87 to 88 within 2 units of the last place, whatever the machine's own exponential rounds.
  exponential: `fn exponential(given: vec4f) -> vec4f {
  let x = clamp(given, vec4f(-104.0), vec4f(89.0));
  let n = round(x * 1.44269504);
  let r = (x - n * 0.693145752) - n * 1.42860677e-6;
  var s = vec4f(1.98756915e-4);
  s = s * r + 1.39819995e-3;
  s = s * r + 8.33345205e-3;
  s = s * r + 4.16657959e-2;
  s = s * r + 1.66666657e-1;
  s = s * r + 0.5;
  let e = (s * r) * r + r + 1.0;
  // In two steps, since 2^n may be no number where the product is one.
  let half = vec4i(n) / 2;
  let result = e * bitcast<vec4f>((half + 127) << vec4u(23u)) * bitcast<vec4f>((vec4i(n) - half + 127) << vec4u(23u));
  let bounded = select(select(result, vec4f(0.0), given < vec4f(-104.0)), bitcast<vec4f>(vec4u(infinite(0x7f800000u))), given > vec4f(88.73));
  return select(bounded, given, isNan(given));
}`,
  logistic: "fn logistic(x: vec4f) -> vec4f { return 1.0 / (1.0 + exponential(-x)); }",
  // (e^2x - 1) / (e^2x + 1), and near 0, where that cancels, an odd polynomial.
  tangent: `fn tangent(x: vec4f) -> vec4f {
  let a = min(abs(x), vec4f(10.0));
  let far = 1.0 - 2.0 / (exponential(2.0 * a) + 1.0);
  let z = a * a;
  let near = a + a * z * (-3.33332819e-1 + z * (1.33314422e-1 + z * (-5.37397155e-2 + z * (2.06390887e-2 - z * 5.70498872e-3))));
  let value = select(far, near, a < vec4f(0.625));
  return select(select(value, -value, x < vec4f(0.0)), x, isNan(x));
}`,
  // Abramowitz and Stegun, 7.1.26 in the form of Numerical Recipes' erfc; near 0 its series.
  errorFunction: `fn errorFunction(x: vec4f) -> vec4f {
  let a = min(abs(x), vec4f(6.0));
  let t = 1.0 / (1.0 + 0.5 * a);
  let q = -1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 + t * (0.27886807 +
    t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  let far = 1.0 - t * exponential(q - a * a);
  let z = a * a;
  let near = a * (1.12837917 + z * (-0.376126389 + z * (0.112837917 + z * (-0.0268661706 + z * (5.22397762e-3 - z * 8.54832702e-4)))));
  let value = select(far, near, a < vec4f(0.5));
  return select(select(value, -value, x < vec4f(0.0)), x, isNan(x));
}`,
  // log of m · 2^n with m around 1: n · log 2 + 2 atanh((m - 1) / (m + 1)).
  logarithm: `fn logarithm(x: vec4f) -> vec4f {
  let isSmall = x < vec4f(1.17549435e-38);
  let scaled = select(x, x * 16777216.0, isSmall);
  let bits = bitcast<vec4i>(scaled);
  let exponent = (bits - 0x3f3504f3) >> vec4u(23u);
  let m = bitcast<vec4f>(bits - (exponent << vec4u(23u)));
  let n = vec4f(exponent) - select(vec4f(0.0), vec4f(24.0), isSmall);
  let s = (m - 1.0) / (m + 1.0);
  let z = s * s;
  let series = s * (2.0 + z * (0.666666667 + z * (0.4 + z * (0.285714286 + z * (0.222222222 + z * 0.181818182)))));
  let value = n * 0.693145752 + (series + n * 1.42860677e-6);
  let high = bitcast<vec4f>(vec4u(infinite(0x7f800000u)));
  let positive = select(value, high, x > vec4f(3.4028234e38));
  let edge = select(positive, -high, x == vec4f(0.0));
  return select(select(edge, bitcast<vec4f>(vec4u(nan())), x < vec4f(0.0)), x, isNan(x));
}`,
} as const;

export type FunctionName = keyof typeof texts;
const order = Object.keys(texts) as FunctionName[];

/** The texts of those that a body calls, and of those that these call. */
export function functionsFor(body: string): string[] {
  const wanted = new Set<FunctionName>();
  let text = body;
  for (const name of order.toReversed()) {
    if (!new RegExp(`\\b${name}\\(`).test(text)) continue;
    wanted.add(name);
    text += texts[name];
  }
  return order.filter((name) => wanted.has(name)).map((name) => texts[name]);
}

/** An activation of a vec4f by its name. */
export function activated(activation: Activation, x: string): string {
  if (typeof activation === "object") {
    if ("leakyRelu" in activation) return `select(${x}, ${x} * ${f32Literal(activation.leakyRelu)}, ${x} < vec4f(0.0))`;
    const [least, most] = activation.clip;
    const above = least === null ? x : `atLeast(${x}, ${f32Literal(least)})`;
    return most === null ? above : `atMost(${above}, ${f32Literal(most)})`;
  }
  switch (activation) {
    case "none":
      return x;
    case "relu":
      return `atLeast(${x}, 0.0)`;
    case "relu6":
      return `atMost(atLeast(${x}, 0.0), 6.0)`;
    case "hardSwish":
      return `(${x} * atMost(atLeast(${x} + 3.0, 0.0), 6.0) / 6.0)`;
    case "silu":
      return `(atLeast(${x}, -88.0) * logistic(${x}))`;
    case "sigmoid":
      return `logistic(${x})`;
  }
}
