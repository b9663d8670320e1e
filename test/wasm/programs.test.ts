// Random well-typed programs: what the assembler emits for them is valid, and the scalar ones do what an interpreter of
// the same trees does, bit by bit.
import fc from "fast-check";
import { expect, it } from "vitest";
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
  type Local,
  lane,
  load,
  ModuleBuilder,
  op,
  set,
  splat,
  store,
  tee,
  type ValueType,
  when,
  whileLoop,
} from "../../src/codegen/assembler.ts";
import { memoryOps, plainOps } from "../../src/codegen/opcodes.ts";
import { instantiate, laneCount, semantics, signature } from "./instructions.ts";

/** A local: the index counts those of its type. */
interface Variable {
  type: ValueType;
  index: number;
}

/** A place in the memory: each type has a region of its own there, so that the bits of a NaN are never seen. */
interface Place {
  access: string;
  address: Expression;
  offset: number;
}

type Expression =
  | { kind: "constant"; type: ValueType; value: number }
  | { kind: "get"; local: Variable }
  | { kind: "tee"; local: Variable; value: Expression }
  | { kind: "op"; name: string; lane: number; operands: Expression[] }
  | ({ kind: "load" } & Place);

type Statement =
  | { kind: "set"; local: Variable; value: Expression }
  | { kind: "bump"; local: Variable; by: Expression | number }
  | ({ kind: "store"; value: Expression } & Place)
  | { kind: "when"; condition: Expression; body: Statement[] }
  | { kind: "ifElse"; condition: Expression; body: Statement[]; otherwise: Statement[] }
  | { kind: "repeat"; atLeastOnce: boolean; times: number; body: Statement[] }
  | { kind: "block"; body: Statement[] }
  /** Leaves one of the blocks around it; without a block, does nothing. */
  | { kind: "leave"; block: number; condition: Expression };

const localsOfEach = 3;
const regionBytes = 256;
const regions: readonly ValueType[] = ["i32", "i64", "f32", "f64", "v128"];
/** Where the locals go at the end, 8 bytes each. */
const resultsAt = regions.length * regionBytes;
const mostOffset = 112;

const typeOf = (access: string): ValueType => access.split(".")[0] as ValueType;
const regionOf = (access: string): number => regions.indexOf(typeOf(access)) * regionBytes;
/** Floats are aligned, so that none is seen in halves. */
const unit = (access: string): number => ({ f32: 4, f64: 8 })[typeOf(access) as string] ?? 1;
const maskOf = (access: string): number => 0x7f & -unit(access);

/** Programs over locals and operations of some types. */
function programs(types: readonly ValueType[], names: readonly string[]): fc.Arbitrary<Statement[]> {
  const accesses = [...memoryOps.keys()].filter((name) => types.includes(typeOf(name)));
  const local = (type: ValueType): fc.Arbitrary<Variable> => fc.record({ type: fc.constant(type), index: fc.nat(2) });
  const constants: Partial<Record<ValueType, fc.Arbitrary<number>>> = {
    i32: fc.oneof(fc.integer(), fc.integer({ min: -4, max: 36 })),
    f32: fc.float(),
    f64: fc.double(),
    v128: fc.integer(),
  };
  const { statements } = fc.letrec<{ statements: Statement[] } & Record<ValueType, Expression>>((tie) => {
    const place = (names: string[]): fc.Arbitrary<Place> =>
      fc.record({ access: fc.constantFrom(...names), address: tie("i32"), offset: fc.nat(mostOffset) });

    const expression = (type: ValueType): fc.Arbitrary<Expression> => {
      const leaves: fc.Arbitrary<Expression>[] = [fc.record({ kind: fc.constant("get" as const), local: local(type) })];
      const value = constants[type];
      if (value) leaves.push(fc.record({ kind: fc.constant("constant"), type: fc.constant(type), value }));
      // One arbitrary for each list of operand types, so that shrinking may change the name alone.
      const fitting = Map.groupBy(
        names.filter((name) => signature(name).result === type),
        (name) => signature(name).params.join(),
      );
      const operations = [...fitting.values()].map((group) =>
        fc.record({
          kind: fc.constant("op" as const),
          name: fc.constantFrom(...group),
          lane: fc.nat(15),
          operands: fc.tuple(...signature(group[0]!).params.map((operand) => tie(operand))),
        }),
      );
      const loads = accesses.filter((name) => typeOf(name) === type && name.includes("load"));
      return fc.oneof(
        { depthSize: "small", maxDepth: 5, depthIdentifier: "expression", withCrossShrink: true },
        ...leaves,
        ...operations,
        ...operations,
        fc.record({ kind: fc.constant("tee" as const), local: local(type), value: tie(type) }),
        place(loads).map((at) => ({ kind: "load" as const, ...at })),
      );
    };

    const body = tie("statements");
    const perType = (type: ValueType): fc.Arbitrary<Statement>[] => {
      const stores = accesses.filter((name) => typeOf(name) === type && name.includes("store"));
      return [
        fc.record({ kind: fc.constant("set" as const), local: local(type), value: tie(type) }),
        fc
          .record({ at: place(stores), value: tie(type) })
          .map(({ at, value }) => ({ kind: "store" as const, value, ...at })),
      ];
    };
    const by = fc.oneof(fc.integer({ min: -200, max: 200 }), tie("i32"));
    const condition = tie("i32");
    const statement: fc.Arbitrary<Statement> = fc.oneof(
      { maxDepth: 3, depthIdentifier: "statement", withCrossShrink: true },
      ...types.flatMap(perType),
      fc.record({ kind: fc.constant("bump" as const), local: local("i32"), by }),
      fc.record({ kind: fc.constant("leave" as const), block: fc.nat(3), condition }),
      fc.record({ kind: fc.constant("when" as const), condition, body }),
      fc.record({ kind: fc.constant("ifElse" as const), condition, body, otherwise: body }),
      fc.record({ kind: fc.constant("repeat" as const), atLeastOnce: fc.boolean(), times: fc.nat(3), body }),
      fc.record({ kind: fc.constant("block" as const), body }),
    );
    const expressions = Object.fromEntries(types.map((type) => [type, expression(type)]));
    return { ...(expressions as Record<ValueType, fc.Arbitrary<Expression>>), statements: fc.array(statement) };
  });
  return statements;
}

/** Emits a program as the body of a function whose first parameters are the scalar locals. */
class Emitter {
  private readonly locals = new Map<ValueType, Local[]>();
  private readonly f: FunctionBuilder;

  constructor(f: FunctionBuilder, types: readonly ValueType[]) {
    this.f = f;
    for (const type of types) {
      const given = f.params.filter((param) => param.type === type);
      this.locals.set(type, given.length ? given : Array.from({ length: localsOfEach }, () => f.local(type)));
    }
  }

  local({ type, index }: Variable): Local {
    return this.locals.get(type)![index]!;
  }

  private address({ access, address }: Place): Code {
    return op("i32.and", this.expression(address), i32(maskOf(access)));
  }

  private offset({ access, offset }: Place): number {
    return regionOf(access) + (offset & -unit(access));
  }

  expression(e: Expression): Code {
    switch (e.kind) {
      case "constant":
        return { i32, f32, f64, v128: (v: number) => splat("i16x8", v), i64: i32 }[e.type](e.value);
      case "get":
        return get(this.local(e.local));
      case "tee":
        return tee(this.local(e.local), this.expression(e.value));
      case "load":
        return load(e.access, this.address(e), this.offset(e));
      case "op": {
        const operands = e.operands.map((operand) => this.expression(operand));
        const lanes = laneCount(e.name);
        return lanes ? lane(e.name, e.lane % lanes, ...operands) : op(e.name, ...operands);
      }
    }
  }

  /** `labels` are the blocks (true) and other labels (false) around, the innermost first. */
  body(statements: readonly Statement[], labels: readonly boolean[] = []): Code[] {
    return statements.map((statement) => this.statement(statement, labels));
  }

  private statement(s: Statement, labels: readonly boolean[]): Code {
    switch (s.kind) {
      case "set":
        return set(this.local(s.local), this.expression(s.value));
      case "bump":
        return bump(this.local(s.local), typeof s.by === "number" ? s.by : this.expression(s.by));
      case "store":
        return store(s.access, this.address(s), this.expression(s.value), this.offset(s));
      case "when":
        return when(this.expression(s.condition), ...this.body(s.body, [false, ...labels]));
      case "ifElse": {
        const [then, otherwise] = [s.body, s.otherwise].map((body) => this.body(body, [false, ...labels]).flat());
        return ifElse(this.expression(s.condition), then!, otherwise!);
      }
      case "repeat": {
        const left = this.f.local("i32");
        const inside = s.atLeastOnce ? [false] : [false, false];
        const body = [...this.body(s.body, [...inside, ...labels]), bump(left, -1)];
        const repeat = s.atLeastOnce ? doWhile : whileLoop;
        return [...set(left, i32(timesOf(s))), ...repeat(get(left), ...body)];
      }
      case "block":
        return block(...this.body(s.body, [true, ...labels]));
      case "leave": {
        const blocks = labels.flatMap((isBlock, depth) => (isBlock ? [depth] : []));
        return blocks.length ? branchIf(blocks[s.block % blocks.length]!, this.expression(s.condition)) : [];
      }
    }
  }
}

const timesOf = ({ atLeastOnce, times }: { atLeastOnce: boolean; times: number }): number =>
  atLeastOnce ? Math.max(1, times) : times;

type Scalars = Record<string, number[]>;

/** Runs a program on scalars in JavaScript. */
class Interpreter {
  readonly view: DataView;
  private readonly locals: Scalars;

  constructor(view: DataView, locals: Scalars) {
    this.view = view;
    this.locals = locals;
  }

  /** Runs statements inside so many blocks; gives how many of those to leave. */
  run(statements: readonly Statement[], blocks = 0): number {
    for (const statement of statements) {
      const leaving = this.statement(statement, blocks);
      if (leaving > 0) return leaving;
    }
    return 0;
  }

  private statement(s: Statement, blocks: number): number {
    switch (s.kind) {
      case "set":
        this.locals[s.local.type]![s.local.index] = this.value(s.value);
        return 0;
      case "bump": {
        const before = this.locals.i32![s.local.index]!;
        const by = typeof s.by === "number" ? s.by : this.value(s.by);
        this.locals.i32![s.local.index] = (before + by) | 0;
        return 0;
      }
      case "store": {
        const at = this.address(s);
        write(this.view, s.access, at, this.value(s.value));
        return 0;
      }
      case "when":
        return this.value(s.condition) ? this.run(s.body, blocks) : 0;
      case "ifElse":
        return this.run(this.value(s.condition) ? s.body : s.otherwise, blocks);
      case "repeat": {
        let leaving = 0;
        for (let time = 0; time < timesOf(s) && leaving === 0; time++) leaving = this.run(s.body, blocks);
        return leaving;
      }
      case "block":
        return Math.max(0, this.run(s.body, blocks + 1) - 1);
      case "leave":
        return blocks > 0 && this.value(s.condition) ? 1 + (s.block % blocks) : 0;
    }
  }

  private address({ access, address, offset }: Place): number {
    return (this.value(address) & maskOf(access)) + regionOf(access) + (offset & -unit(access));
  }

  private value(e: Expression): number {
    switch (e.kind) {
      case "constant":
        return e.value;
      case "get":
        return this.locals[e.local.type]![e.local.index]!;
      case "tee":
        return (this.locals[e.local.type]![e.local.index] = this.value(e.value));
      case "load":
        return read(this.view, e.access, this.address(e));
      case "op": {
        const [a, b] = e.operands.map((operand) => this.value(operand));
        return semantics[e.name]!(a!, b!);
      }
    }
  }
}

function read(view: DataView, access: string, at: number): number {
  const [type, action] = access.split(".");
  if (type === "f32") return view.getFloat32(at, true);
  if (type === "f64") return view.getFloat64(at, true);
  const readers: Record<string, () => number> = {
    load: () => view.getInt32(at, true),
    load8_s: () => view.getInt8(at),
    load8_u: () => view.getUint8(at),
    load16_s: () => view.getInt16(at, true),
    load16_u: () => view.getUint16(at, true),
  };
  return readers[action!]!();
}

function write(view: DataView, access: string, at: number, value: number): void {
  if (access === "f32.store") view.setFloat32(at, value, true);
  else if (access === "f64.store") view.setFloat64(at, value, true);
  else if (access === "i32.store") view.setInt32(at, value, true);
  else if (access === "i32.store8") view.setInt8(at, value);
  else view.setInt16(at, value, true);
}

/** The memory and the locals at the end, in which all NaN are alike. */
function outcome(view: DataView, locals: Scalars): unknown {
  const region = (type: ValueType): ArrayBuffer =>
    (view.buffer as ArrayBuffer).slice(regionOf(type), regionOf(type) + regionBytes);
  return {
    i32: new Int32Array(region("i32")),
    f32: new Float32Array(region("f32")),
    f64: new Float64Array(region("f64")),
    locals,
  };
}

const scalars = ["i32", "f32", "f64"] as const;
// Traps end a program early, and the other two see the sign or the bits of a NaN.
const safe = Object.keys(semantics).filter((name) => !/\.(div|rem)_|\.trunc_f|copysign|i32\.reinterpret/.test(name));

it("programs of any instructions are valid", () => {
  fc.assert(
    fc.property(programs(regions, [...plainOps.keys()]), (program) => {
      const module = new ModuleBuilder();
      module.define("f", [], (f) => f.emit(...new Emitter(f, regions).body(program)));
      expect(WebAssembly.validate(module.encode({ shared: false, maximum: 1 }))).toBe(true);
    }),
    { numRuns: 300 },
  );
});

it("programs on scalars do what their trees say", () => {
  const values = (one: fc.Arbitrary<number>): fc.Arbitrary<number[]> =>
    fc.array(one, { minLength: localsOfEach, maxLength: localsOfEach });
  const start = fc.record({ i32: values(fc.integer()), f32: values(fc.float()), f64: values(fc.double()) });
  fc.assert(
    fc.property(programs(scalars, safe), start, (program, locals) => {
      const module = new ModuleBuilder();
      const params = scalars.flatMap((type) => new Array<ValueType>(localsOfEach).fill(type));
      module.define("f", params, (f) => {
        f.emit(...new Emitter(f, scalars).body(program));
        f.emit(...f.params.map((l, i) => store(`${l.type}.store`, i32(0), get(l), resultsAt + i * 8)));
      });
      const { entries, buffer } = instantiate(module);
      entries.f!(...scalars.flatMap((type) => locals[type]));
      const got = new DataView(buffer);
      const results = Object.fromEntries(
        scalars.map((type, t) => [
          type,
          locals[type].map((_, i) => read(got, `${type}.load`, resultsAt + (t * localsOfEach + i) * 8)),
        ]),
      );

      const expected = structuredClone(locals);
      const interpreter = new Interpreter(new DataView(new ArrayBuffer(resultsAt)), expected);
      interpreter.run(program);
      expect(outcome(got, results)).toEqual(outcome(interpreter.view, expected));
    }),
    { numRuns: 500 },
  );
});
