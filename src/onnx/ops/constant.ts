// Constant and ConstantOfShape, and Identity and Dropout, which pass their input on: networks are run, not trained.
import { integersOf, refuse, required, unsupported } from "../../graph/nodes.ts";
import type { GraphNode, Operator, Value } from "../../graph/types.ts";
import { elementsOf, newValue, toValue, write } from "../../graph/values.ts";
import type { DType } from "../../tensor.ts";

/** The attribute `value`, if it is there. */
function tensorOf(node: GraphNode): Value | undefined {
  const { value } = node.attributes;
  if (value === undefined) return undefined;
  const tensor = typeof value === "object" && "data" in value ? toValue(value) : undefined;
  return tensor ?? refuse(node, "a tensor as attribute value", value);
}

function plain(dtype: DType, value: unknown): Value {
  const list = [value].flat() as number[];
  const constant = newValue(dtype, Array.isArray(value) ? [list.length] : []);
  write(constant, list);
  return constant;
}

export const constant: Operator = {
  name: "Constant",
  infer: (node) => {
    const tensor = tensorOf(node);
    if (tensor) return [tensor];
    const name = ["value_float", "value_floats", "value_int", "value_ints"].find((one) => one in node.attributes);
    if (!name) return refuse(node, "an attribute value, value_float(s) or value_int(s)", Object.keys(node.attributes));
    const value = node.attributes[name]!;
    if (typeof value === "object" && "data" in value) return [toValue(value)!];
    return [plain(name.startsWith("value_f") ? "f32" : "i64", value)];
  },
};

const filling = (node: GraphNode): Value => tensorOf(node) ?? newValue("f32", [1]);

export const constantOfShape: Operator = {
  name: "ConstantOfShape",
  infer: (node, inputs) => {
    const shape = integersOf(node, required(node, inputs, 0), "the shape")!;
    if (shape.some((side) => side < 0)) refuse(node, "sides of at least 0", shape);
    if (filling(node).data.length !== 1) refuse(node, "one element as attribute value", filling(node).data);
    return [{ dtype: filling(node).dtype, shape }];
  },
  run: (node, _inputs, [y]) => void elementsOf(y!).fill(elementsOf(filling(node))[0]!),
};

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
