import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { Terminal } from "../terminal.js";
import { featureProgress } from "./feature-progress.js";

describe("featureProgress", () => {
  const printed: unknown[] = [];
  const terminal = {
    line: (text: string) => printed.push(text),
    progress: (...bar: readonly unknown[]) => {
      printed.push(bar);
      return { update: (done: number) => printed.push(done), stop: () => undefined };
    },
  } as unknown as Terminal;

  beforeEach(() => {
    printed.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("replays nothing where all features are cached, and says so where that took a moment", () => {
    const progress = featureProgress(terminal);
    for (const done of [256, 512, 600]) {
      vi.advanceTimersByTime(400);
      progress.update(done, 600, 0);
    }
    progress.stop();
    expect(printed).toEqual(["  features of 600 pictures are in the cache"]);
  });

  it("is silent where that was quick", () => {
    const progress = featureProgress(terminal);
    progress.update(600, 600, 0);
    progress.stop();
    expect(printed).toEqual([]);
  });

  it("shows a bar that begins with what was ready when it appeared, cached or computed: its rate is of what follows", () => {
    const progress = featureProgress(terminal);
    progress.update(256, 600, 0);
    vi.advanceTimersByTime(1000);
    progress.update(512, 600, 256);
    progress.update(600, 600, 344);
    progress.stop();
    expect(printed).toEqual([["features", 600, 512], 512, 600]);
  });
});
