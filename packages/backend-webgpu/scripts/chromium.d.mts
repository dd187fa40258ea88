/** The headless Chromium for tests: its program, and what its environment needs besides. */
export function chromium(): {
  readonly executablePath: string;
  readonly env: Readonly<Record<string, string>>;
};

/** Flags with which that browser has WebGPU. */
export function webgpuFlags(): readonly string[];
