import { Driver } from "./driver.js";
import { readableBytes } from "./faults.js";
import { DRIVER_PROTOTYPES, type DriverFunction } from "./prototypes.js";
import { Session } from "./session.js";

/**
 * A session of a device that nobody has looked at: no library is loaded, and every call does nothing.
 *
 * @param totalBytes - Its memory.
 */
export function imaginedSession(totalBytes: number): Session {
  const names = Object.keys(DRIVER_PROTOTYPES) as DriverFunction[];
  const nothing = Object.fromEntries(names.map((name) => [name, () => 0])) as Driver["api"];
  const device = {
    handle: 0,
    index: 0,
    name: imaginedName(totalBytes),
    totalBytes,
    architecture: 0,
    multiprocessors: 0,
    sharedBytes: 0,
    hasMemoryPools: false,
  };
  return new Session(new Driver("no library", nothing), device, false);
}

/** What it is called, for people. */
export function imaginedName(totalBytes: number): string {
  return `an imagined GPU with ${readableBytes(totalBytes)}: no device was looked at, and nothing is computed`;
}
