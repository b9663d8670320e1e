#!/usr/bin/env node
// Starts the command line, if rank1 is beside this package.
await import("./main.ts").catch((error: Error) => {
  const hint = "expected the package rank1 beside this one, got none; npm install rank1 (--global if this one was)";
  const old = error instanceof SyntaxError ? `expected Node 22.18 or later, got ${process.version}` : error.stack;
  process.stderr.write(`rank1-queue: ${/package 'rank1'/.test(error.message) ? hint : old}\n`);
  process.exit(1);
});
