// Generates the code of expressions: all nodes in registers, one or two vectors of channels at a time.
import {
  bump,
  type Code,
  doWhile,
  type FunctionBuilder,
  get,
  i32,
  type Local,
  load,
  type ModuleBuilder,
  op,
  set,
  store,
  sum,
  whileLoop,
} from "../../codegen/assembler.ts";
import type { BufferSpec, ExpressionNode, ExpressionSpec } from "../../plan/types.ts";
import { cosine, type DoubleFunction, modulo, power, sine, throughDoubles } from "../doubles.ts";
import {
  arcTangent,
  errorFunction,
  type FunctionMode,
  fullExponential,
  hyperbolicTangent,
  logarithm,
  logistic,
  NumberTable,
  where,
} from "../functions.ts";
import { type CodeMode, defineKernel, type StepBuffers } from "../kernel.ts";

/**
 * Where the parameter block has what: sizes, an offset and a step for each operand, masks of a pixel's last vectors and then of
 * all others, constants.
 */
export const at = { pixels: 0, bytes: 4, to: 8, toPixel: 12, last: 16, operands: 20, masks: 48, constants: 112 };

/** Whether one row stands for all. */
export const isStill = ({ height, scope }: BufferSpec): boolean => height === 1 || scope === "constant";
/** Whether channels are stored that the value does not have: they become zeros. */
export const hasHoles = ({ channels }: ExpressionSpec, { write }: StepBuffers): boolean => channels < write.channels;
export const vectorsOf = ({ write }: StepBuffers): number => (write.channels % 8 === 0 ? 2 : 1);

type Function = (v: readonly Local[], s: readonly Local[], t: readonly Local[], mode: FunctionMode) => Code[];
const functions: Partial<Record<ExpressionNode[0], Function>> = {
  ...{
    exp: fullExponential,
    log: logarithm,
    sigmoid: logistic,
    tanh: hyperbolicTangent,
    erf: errorFunction,
    atan: arcTangent,
  },
};
/** Functions by way of doubles, of one operand or two. */
const inDoubles: Partial<Record<ExpressionNode[0], DoubleFunction>> = {
  sin: sine,
  cos: cosine,
  pow: power,
  mod: modulo,
};
const comparisons: Partial<Record<ExpressionNode[0], string>> = {
  ...{ less: "f32x4.lt", lessEqual: "f32x4.le", equal: "f32x4.eq" },
};
/** Nodes that are an instruction, by its name where that is another. */
const instructions: Partial<Record<ExpressionNode[0], string>> = { round: "nearest" };

/** A load of an operand or a constant, for one of the vectors. */
type Loads = (kind: "operand" | "constant", index: number, vector: number) => Code;

/** Statements that compute a node in its own locals. */
function emitNode(
  nodes: readonly ExpressionNode[],
  index: number,
  values: readonly Local[][],
  own: readonly Local[],
  spare: (index: number) => readonly Local[],
  loads: Loads,
  mode: FunctionMode,
): Code[] {
  const [name, a, ...others] = nodes[index]!;
  const masks = masksIn(nodes);
  const each = (value: (i: number) => Code): Code[] => own.map((local, i) => set(local, value(i)));
  if (name === "operand" || name === "constant") return each((i) => loads(name, a, i));
  const operands = (i: number): Code[] => [a, ...others].map((node) => get(values[node]![i]!));
  const double = inDoubles[name];
  if (double) return own.flatMap((local, i) => throughDoubles(double, local, operands(i), spare));
  if (functions[name]) return [...each((i) => operands(i)[0]!), ...functions[name](own, spare(0), spare(1), mode)];
  const comparison = comparisons[name];
  if (comparison) {
    const mask = (i: number): Code => op(comparison, ...operands(i));
    return each((i) => (masks.has(index) ? mask(i) : op("v128.and", mask(i), mode.numbers.float(1))));
  }
  if (name !== "where") return each((i) => op(`f32x4.${instructions[name] ?? name}`, ...operands(i)));
  return each((i) => {
    const [condition, then, otherwise] = operands(i) as [Code, Code, Code];
    return where(masks.has(a) ? condition : op("f32x4.ne", condition, mode.numbers.float(0)), then, otherwise);
  });
}

export function emit(
  module: ModuleBuilder,
  name: string,
  spec: ExpressionSpec,
  buffers: StepBuffers,
  mode: CodeMode,
): void {
  const vectors = vectorsOf(buffers);
  const { rowsOut = 1 } = spec;
  const after = at.constants + 4 * spec.constants.length;
  defineKernel(module, name, (f, { rows, params, sources, target }) => {
    const p = (offset: number): Code => load("i32.load", get(params), offset);
    const numbers = new NumberTable((index) => load("v128.load32_splat", get(params), after + 4 * index));
    const { out, pixels, index, end } = f.locals("i32", "out", "pixels", "index", "end");
    const bases = spec.operands.map(() => f.local("i32"));
    // In locals of their own: neighbours of the same address are joined.
    const to = f.local("i32");
    const from = spec.operands.map(({ channels }, i) => (channels ? f.local("i32") : bases[i]!));
    const values = localsOf(f, spec.nodes, vectors);
    const spares: Local[][] = [];
    const spare = (index: number): Local[] => (spares[index] ??= f.array("v128", vectors));
    const loads: Loads = (kind, which, vector) => {
      if (kind === "constant") return load("v128.load32_splat", get(params), at.constants + 4 * which);
      if (!spec.operands[which]!.channels) return load("v128.load32_splat", get(bases[which]!));
      return load("v128.load", get(from[which]!), 16 * vector);
    };
    /** The masks of the last vectors of a pixel stand before those of others. */
    const mask = op("i32.mul", op("i32.ne", get(index), p(at.last)), i32(16 * vectors));
    const stored = (local: Local, i: number): Code =>
      hasHoles(spec, buffers)
        ? op("v128.and", get(local), load("v128.load", sum(get(params), mask), at.masks + 16 * i))
        : get(local);
    f.emit(
      ...(rowsOut > 1 ? [set(rows, op("i32.mul", get(rows), i32(rowsOut)))] : []),
      whileLoop(
        get(rows),
        ...bases.map((base, i) => set(base, sum(load("i32.load", get(sources[i]!)), p(at.operands + 8 * i)))),
        set(out, sum(load("i32.load", get(target)), p(at.to))),
        set(pixels, p(at.pixels)),
        set(end, p(at.bytes)),
        doWhile(
          get(pixels),
          set(index, i32(0)),
          doWhile(
            op("i32.lt_u", get(index), get(end)),
            set(to, sum(get(out), get(index))),
            ...from.flatMap((local, i) => (local === bases[i] ? [] : [set(local, sum(get(bases[i]!), get(index)))])),
            ...spec.nodes.flatMap((_, i) =>
              emitNode(spec.nodes, i, values, values[i]!, spare, loads, { ...mode, numbers }),
            ),
            ...values.at(-1)!.map((local, i) => store("v128.store", get(to), stored(local, i), 16 * i)),
            bump(index, 16 * vectors),
          ),
          ...bases.map((base, i) => bump(base, p(at.operands + 8 * i + 4))),
          bump(out, p(at.toPixel)),
          bump(pixels, -1),
        ),
        ...spec.operands.flatMap((_, i) => (isStill(buffers.reads[i]!) ? [] : [bump(sources[i]!, 4)])),
        bump(target, 4),
        bump(rows, -1),
      ),
    );
  });
}

/** Locals of each node; those of nodes that are not read again serve later ones. */
function localsOf(f: FunctionBuilder, nodes: readonly ExpressionNode[], vectors: number): Local[][] {
  const last = nodes.map((_, i) => nodes.findLastIndex((node) => isRead(node, i)));
  const free: Local[][] = [];
  const found: Local[][] = [];
  for (const [i] of nodes.entries()) {
    found.push(free.pop() ?? f.array("v128", vectors));
    free.push(...found.filter((_, before) => last[before] === i));
  }
  return found;
}

/** Comparisons that only choose: they need not be made numbers. */
function masksIn(nodes: readonly ExpressionNode[]): Set<number> {
  const chooses = (node: ExpressionNode, i: number): boolean =>
    node[0] === "where" && node[1] === i && node[2] !== i && node[3] !== i;
  const isMask = (i: number): boolean =>
    i < nodes.length - 1 && nodes.every((node) => !isRead(node, i) || chooses(node, i));
  return new Set([...nodes.keys()].filter((i) => comparisons[nodes[i]![0]] && isMask(i)));
}

const isRead = ([name, ...read]: ExpressionNode, index: number): boolean =>
  name !== "operand" && name !== "constant" && (read as number[]).includes(index);

/** The numbers that the functions of an expression take from the parameter block, as bits. */
export function numbersOf({ nodes }: ExpressionSpec): number[] {
  const numbers = new NumberTable(() => []);
  const some: Local = { index: 0, type: "v128" };
  const values = nodes.map(() => [some]);
  for (const index of nodes.keys())
    emitNode(
      nodes,
      index,
      values,
      [some],
      () => [some],
      () => [],
      { relaxed: false, wide: false, numbers },
    );
  return numbers.bits;
}
