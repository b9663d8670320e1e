// Identity and Dropout: networks are run, not trained, so nothing is dropped.
import { required, unsupported } from "../../graph/nodes.ts";
import type { Operator } from "../../graph/types.ts";

export const identity: Operator = {
  name: "Identity",
  infer: (node, inputs) => [required(node, inputs, 0)],
};

export const dropout: Operator = {
  name: "Dropout",
  infer: (node, inputs) => {
    const x = required(node, inputs, 0);
    if (inputs[2]?.data?.[0]) unsupported(node, "a network that is not in training", "training_mode");
    return [x, { dtype: "bool", shape: x.shape }];
  },
  run: (_node, _inputs, [, mask]) => void mask?.data.fill(1 as never),
};
