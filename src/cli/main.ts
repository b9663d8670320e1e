#!/usr/bin/env node
// The command line's entry: says which Node is needed where this is an older one, which could not even read the modules of the
// rest. It imports nothing before that.
const needed = [22, 18];

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < needed[0]! || (major === needed[0] && minor < needed[1]!)) {
  process.stderr.write(`rank1 needs Node ${needed.join(".")} or later; this is ${process.versions.node}\n`);
  process.exitCode = 1;
} else await import("./start.ts");
