import type { Progress, Terminal } from "../terminal.js";

/** A bar for features that are computed, and one line for those that are all there already. */
export function featureProgress(terminal: Terminal) {
  let progress: Progress | undefined;
  let cached = 0;
  const start = Date.now();
  return {
    update: (done: number, total: number, computed: number): void => {
      cached = done - computed;
      if (computed === 0 || (progress === undefined && Date.now() - start < 500)) return;
      // The bar counts time from here on, and so the rate may count no picture before.
      progress ??= terminal.progress("features", total, done);
      progress.update(done);
    },
    stop: () => {
      progress?.stop();
      if (progress === undefined && cached > 0 && Date.now() - start >= 500) {
        terminal.line(`  features of ${cached} pictures are in the cache`);
      }
    },
  };
}
