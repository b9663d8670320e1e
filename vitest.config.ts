import { defineConfig } from "vitest/config";

// Several files start worker threads of their own; two forks keep a small machine responsive.
export default defineConfig({
  test: { include: ["test/**/*.test.ts"], testTimeout: 120_000, pool: "forks", maxWorkers: 2 },
});
