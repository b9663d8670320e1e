// RNN, GRU and LSTM: every direction, with and without each optional input, and all activation functions.
import { type Random, tensorOf } from "../../random-tensors.ts";
import type { Attributes, Cases, OperatorCase } from "./use.ts";

/** Of no parameter, of one, and of two. */
const functions = [
  ...[
    ["Sigmoid", "Tanh", "Relu", "Softsign", "Softplus"],
    ["LeakyRelu", "ThresholdedRelu", "Elu"],
  ],
  ["Affine", "ScaledTanh", "HardSigmoid"],
] as const;

/** Names of functions, and numbers for those that take some. */
function activations(r: Random, count: number): Attributes {
  const kinds = Array.from({ length: count }, () => r.int(0, 2));
  const numbers = (least: number): number[] => kinds.filter((kind) => kind >= least).map(() => r.int(1, 4) / 4);
  return {
    activations: kinds.map((kind) => r.pick<string>(functions[kind]!)),
    ...{ activation_alpha: numbers(1), activation_beta: numbers(2) },
  };
}

/** `states`: how many go from step to step; `used`: activation functions of a direction. */
const recurrent =
  (op: string, gates: number, used: number, states: number, own: (r: Random) => Attributes = () => ({})) =>
  (r: Random): OperatorCase => {
    const [steps, batch, size, hidden] = [r.int(1, 5), r.int(1, 3), r.int(1, 9), r.int(1, 7)];
    const direction = r.pick(["forward", "reverse", "bidirectional"] as const);
    const directions = direction === "bidirectional" ? 2 : 1;
    const tensor = (...shape: number[]) => r.tensor(shape, "f32", -1, 1);
    const lengths = Array.from({ length: batch }, () => r.int(1, steps));
    const maybe = <T>(value: T): T | undefined => (r.flag() ? value : undefined);
    return {
      ...{ op, opset: r.pick([7, 14]), outputs: 1 + states, tolerance: 1e-4 },
      attributes: {
        ...{ hidden_size: hidden, direction, ...own(r) },
        ...(r.flag() ? activations(r, used * directions) : {}),
        ...(r.flag() && { clip: 0.8 }),
      },
      inputs: [
        ...[tensor(steps, batch, size), tensor(directions, gates * hidden, size)],
        tensor(directions, gates * hidden, hidden),
        maybe(tensor(directions, 2 * gates * hidden)),
        maybe(tensorOf([batch], lengths, "i32")),
        ...Array.from({ length: states }, () => maybe(tensor(directions, batch, hidden))),
        ...(op === "LSTM" ? [maybe(tensor(directions, 3 * hidden))] : []),
      ],
    };
  };

export const recurrents: Cases = {
  RNN: recurrent("RNN", 1, 1, 1),
  GRU: recurrent("GRU", 3, 2, 1, (r) => ({ linear_before_reset: r.int(0, 1) })),
  LSTM: recurrent("LSTM", 4, 3, 2, (r) => ({ input_forget: r.int(0, 1) })),
};
