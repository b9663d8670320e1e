// Generates the sample family: of each pixel places and weights in f64, by the rules of places.ts, then its channels.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  f64,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  select,
  set,
  store,
  sum,
  when,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { Sampling } from "../../plan/types.ts";
import { type CodeMode, defineKernel } from "../kernel.ts";
import { addWeighted } from "../lanes.ts";
import { wordsOf } from "../words.ts";
import { keys, reachOf, tapsOf } from "./places.ts";

export const words = wordsOf(
  ...(["pixels", "height", "pixelBytes", "gridBytes", "fromLeft", "fromAbove", "fromPerImage"] as const),
  ...(["gridLeft", "gridAbove", "gridPerImage", "toLeft", "toAbove", "toPerImage", "lastColumn", "lastRow"] as const),
);

const real = (name: string, ...operands: Code[]): Code => op(`f64.${name}`, ...operands);

/** What the code knows of an axis: its last pixel, and of each tap the pixel, whether that lies inside, and the weight. */
interface Axis {
  last: Local;
  pixels: readonly Local[];
  inside: readonly Local[];
  weights: readonly Local[];
}

/** Sets the taps of an axis by a coordinate. */
type Placing = (axis: Axis, coordinate: Code) => Code[];

function placingOf(f: FunctionBuilder, { mode, padding, corners }: Sampling): Placing {
  const { x, low, t, place, beyond, turns } = f.locals("f64", "x", "low", "t", "place", "beyond", "turns");
  const below = f.local("i32");
  /** Mirrors at both ends; what has no end stays, and along an axis of one place what lies beside becomes NaN, that is pixel 0. */
  const reflect = (at: Local, last: Local): Code[] => {
    const [least, most] = corners ? [f64(0), get(last)] : [f64(-0.5), real("add", get(last), f64(0.5))];
    const isEven = real("eq", get(turns), real("floor", get(turns)));
    return [
      set(below, real("lt", get(at), least)),
      set(beyond, select(get(below), real("sub", least, get(at)), real("sub", get(at), most))),
      when(
        op("i32.and", real("gt", get(beyond), f64(0)), real("lt", get(beyond), f64(Infinity))),
        set(turns, real("floor", real("div", get(beyond), real("sub", most, least)))),
        set(beyond, real("sub", get(beyond), real("mul", get(turns), real("sub", most, least)))),
        set(turns, real("mul", get(turns), f64(0.5))),
        set(
          at,
          select(op("i32.eq", isEven, get(below)), real("add", least, get(beyond)), real("sub", most, get(beyond))),
        ),
      ),
    ];
  };
  const clamped = (at: Local, last: Local, reach = 0): Code =>
    real("min", real("max", get(at), f64(-reach)), reach ? real("add", get(last), f64(reach)) : get(last));
  const whole = (value: Code): Code => op("i32.trunc_sat_f64_s", value);
  /** The pixel at a place. */
  const pixel = (to: Local, inside: Local, last: Local): Code[] => {
    if (padding !== "zeros")
      return [...(padding === "reflection" ? reflect(place, last) : []), set(to, whole(clamped(place, last)))];
    return [
      set(inside, op("i32.and", real("ge", get(place), f64(0)), real("le", get(place), get(last)))),
      set(to, select(get(inside), whole(get(place)), i32(0))),
    ];
  };
  const before = mode === "cubic" ? 1 : 0;
  return ({ last, pixels, inside, weights }, coordinate) => [
    set(x, real("mul", real("add", coordinate, f64(1)), f64(0.5))),
    corners
      ? set(x, real("mul", get(x), get(last)))
      : set(x, real("sub", real("mul", get(x), real("add", get(last), f64(1))), f64(0.5))),
    ...(mode === "nearest" ? [set(x, real("nearest", get(x)))] : []),
    ...(padding === "border"
      ? [set(x, clamped(x, last, reachOf[mode]))]
      : padding === "reflection"
        ? reflect(x, last)
        : []),
    set(low, real(mode === "nearest" ? "nearest" : "floor", get(x))),
    set(t, real("sub", get(x), get(low))),
    ...pixels.flatMap((to, tap) => [
      set(place, real("add", get(low), f64(tap - before))),
      ...pixel(to, inside[tap]!, last),
      ...weighted(mode, tap, t, place).map((weight) => {
        const narrow = op("f32.demote_f64", weight);
        // Outside no weight counts, be it a number or not.
        const counted = padding === "zeros" ? select(get(inside[tap]!), narrow, op("f32.demote_f64", f64(0))) : narrow;
        return set(weights[tap]!, op("f32x4.splat", counted));
      }),
    ]),
  ];
}

/** The weight of a tap, the place being t beyond the first one's pixel (of a cubic, the second one's); of one tap there is none. */
function weighted(mode: Sampling["mode"], tap: number, t: Local, spare: Local): Code[] {
  if (mode === "nearest") return [];
  const less = real("sub", f64(1), get(t));
  if (mode === "linear") return [tap === 0 ? less : get(t)];
  const distance = [real("add", f64(1), get(t)), get(t), less, real("sub", f64(2), get(t))][tap]!;
  const [d, times, plus] = [
    get(spare),
    (a: Code, b: Code) => real("mul", a, b),
    (a: Code, b: number) => real("add", a, f64(b)),
  ];
  const near = plus(times(times(plus(times(f64(keys + 2), d), -(keys + 3)), d), d), 1);
  const far = plus(times(plus(times(plus(times(f64(keys), d), -5 * keys), d), 8 * keys), d), -4 * keys);
  return [[set(spare, distance), tap === 1 || tap === 2 ? near : far]];
}

export function emit(module: ModuleBuilder, name: string, spec: Sampling, vectors: number, mode: CodeMode): void {
  const count = tapsOf[spec.mode];
  const taps = [...Array(count).keys()];
  defineKernel(module, name, (f, { rows, params, first, sources: [table, gridTable], target }) => {
    const p = words.reader(params);
    const { image, y, out, at, pixels, index, tap, to, line } = f.locals(
      "i32",
      ...(["image", "y", "out", "at", "pixels", "index", "tap", "to", "line"] as const),
    );
    const place = placingOf(f, spec);
    const axis = (): Axis => ({
      last: f.local("f64"),
      ...{ pixels: f.array("i32", count), inside: f.array("i32", count), weights: f.array("v128", count) },
    });
    const [columns, lines] = [axis(), axis()];
    const addresses = taps.map(() => f.array("i32", count));
    const [total, along, values] = [f.array("v128", vectors), f.array("v128", vectors), f.array("v128", vectors)];
    /** The address of a row's first pixel. */
    const start = (pointers: Local, of: "from" | "grid" | "to", row: Code): Code => {
      const entry = sum(op("i32.mul", get(image), p(`${of}PerImage`)), p(`${of}Above`), row);
      return sum(load("i32.load", sum(get(pointers), op("i32.shl", entry, i32(2)))), p(`${of}Left`));
    };
    const address = (i: number, j: number): Code => {
      const inside = sum(get(line), op("i32.mul", get(columns.pixels[j]!), p("pixelBytes")));
      if (spec.padding !== "zeros") return inside;
      const counts = op("i32.and", get(lines.inside[i]!), get(columns.inside[j]!));
      return select(counts, inside, sum(get(params), i32(words.bytes)));
    };
    // In locals: neighbours of the same address are joined.
    const read = (i: number, j: number, into: readonly Local[]): Code[] => [
      set(tap, sum(get(addresses[i]![j]!), get(index))),
      ...into.map((local, v) => set(local, load("v128.load", get(tap), 16 * v))),
    ];
    const row = (i: number): Code[] =>
      taps.flatMap((j) => [...read(i, j, values), ...addWeighted(mode, along, values, columns.weights[j]!, j === 0)]);
    const value =
      count === 1
        ? read(0, 0, total)
        : taps.flatMap((i) => [...row(i), ...addWeighted(mode, total, along, lines.weights[i]!, i === 0)]);
    const coordinate = (offset: number): Code => op("f64.promote_f32", load("f32.load", get(at), offset));
    f.emit(
      set(columns.last, op("f64.convert_i32_s", p("lastColumn"))),
      set(lines.last, op("f64.convert_i32_s", p("lastRow"))),
      whileLoop(
        get(rows),
        set(image, op("i32.div_u", get(first), p("height"))),
        set(y, op("i32.rem_u", get(first), p("height"))),
        set(at, start(gridTable, "grid", get(y))),
        set(out, start(target, "to", get(y))),
        set(pixels, p("pixels")),
        doWhile(
          get(pixels),
          ...place(columns, coordinate(0)),
          ...place(lines, coordinate(4)),
          ...taps.flatMap((i) => [
            set(line, start(table, "from", get(lines.pixels[i]!))),
            ...taps.map((j) => set(addresses[i]![j]!, address(i, j))),
          ]),
          set(index, i32(0)),
          doWhile(
            op("i32.lt_u", get(index), p("pixelBytes")),
            ...value,
            set(to, sum(get(out), get(index))),
            ...total.map((local, v) => store("v128.store", get(to), get(local), 16 * v)),
            bump(index, 16 * vectors),
          ),
          bump(out, p("pixelBytes")),
          bump(at, p("gridBytes")),
          bump(pixels, -1),
        ),
        bump(first, 1),
        bump(rows, -1),
      ),
    );
  });
}
