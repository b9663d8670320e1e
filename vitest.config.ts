import { defineConfig } from "vitest/config";
import studio from "./web/vite.config.ts";

// Several files start worker threads of their own; two forks keep a small machine responsive. The studio's names for rank1 and
// its JSX are those of its own build.
export default defineConfig({
  resolve: studio.resolve,
  oxc: studio.oxc,
  test: {
    ...{
      include: ["test/**/*.test.ts", "packages/*/test/**/*.test.ts"],
      testTimeout: 120_000,
      pool: "forks",
      maxWorkers: 2,
    },
    // What a page comes to takes longer where other files run beside it.
    expect: { poll: { timeout: 20_000 } },
  },
});
