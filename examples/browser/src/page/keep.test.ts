import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { keepForOffline } from "./keep.js";

/** A service worker that is being installed. */
class InstallingWorker extends EventTarget {
  state = "installing";

  become(state: string): void {
    this.state = state;
    this.dispatchEvent(new Event("statechange"));
  }
}

describe("keepForOffline", () => {
  const worker = new InstallingWorker();
  const reload = vi.fn();
  beforeEach(() => {
    const kept = new Map<string, string>();
    worker.state = "installing";
    reload.mockClear();
    vi.stubEnv("PROD", true);
    vi.stubGlobal("navigator", {
      serviceWorker: {
        register: async () => ({ installing: worker, waiting: null, active: null }),
        // As browsers do where nothing is ever active.
        ready: new Promise(() => undefined),
      },
    });
    vi.stubGlobal("crossOriginIsolated", false);
    vi.stubGlobal("location", { reload });
    vi.stubGlobal("sessionStorage", {
      getItem: (name: string) => kept.get(name) ?? null,
      setItem: (name: string, value: string) => kept.set(name, value),
    });
  });
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.unstubAllEnvs();
  });

  it("reloads the page once the worker can give it shared memory, and only once", async () => {
    const first = keepForOffline();
    await Promise.resolve();
    expect(reload).not.toHaveBeenCalled();
    worker.become("activated");
    await first;
    await keepForOffline();
    expect(reload).toHaveBeenCalledOnce();
  });

  it("lets the page go on where the worker cannot be installed", async () => {
    const kept = keepForOffline();
    worker.become("redundant");
    await kept;
    expect(reload).not.toHaveBeenCalled();
  });
});
