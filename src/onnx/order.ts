// The order of a network's nodes.
import { describe, InvalidArgumentError } from "../errors.ts";
import type { GraphNode } from "../graph/types.ts";

/**
 * The nodes in such an order; where the given order is one, it stays. `known` names the values that no node computes.
 *
 * @throws InvalidArgumentError for a value that nobody or more than one computes, and for nodes in a circle.
 */
export function orderNodes(nodes: readonly GraphNode[], known: ReadonlySet<string>): GraphNode[] {
  const producers = producersOf(nodes, known);
  const state = new Uint8Array(nodes.length); // 0 new, 1 waits for what it reads, 2 in the list
  const ordered: GraphNode[] = [];
  for (let first = 0; first < nodes.length; first++) {
    const stack = [first];
    while (stack.length > 0) {
      const at = stack.at(-1)!;
      if (state[at] === 0) {
        state[at] = 1;
        for (const name of nodes[at]!.inputs) {
          if (name === "" || known.has(name)) continue;
          const producer = producers.get(name);
          if (producer === undefined) throw broken(nodes[at]!, `${describe(name)}, which nothing computes`);
          if (state[producer] === 1) throw broken(nodes[at]!, `${describe(name)}, which needs its own result`);
          if (state[producer] === 0) stack.push(producer);
        }
      } else {
        if (state[at] === 1) ordered.push(nodes[at]!);
        state[at] = 2;
        stack.pop();
      }
    }
  }
  return ordered;
}

function producersOf(nodes: readonly GraphNode[], known: ReadonlySet<string>): Map<string, number> {
  const producers = new Map<string, number>();
  for (const [i, { name, outputs }] of nodes.entries()) {
    for (const output of outputs) {
      if (output === "") continue;
      if (!known.has(output) && !producers.has(output)) producers.set(output, i);
      else {
        const [expected, received] = ["names of its own for its results", `${describe(output)}, which exists already`];
        throw new InvalidArgumentError({ parameter: `node ${describe(name)}`, expected, received });
      }
    }
  }
  return producers;
}

function broken({ name }: GraphNode, received: string): InvalidArgumentError {
  const parameter = `node ${describe(name)}`;
  return new InvalidArgumentError({ parameter, expected: "inputs that are known before it", received });
}
