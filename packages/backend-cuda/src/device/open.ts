import { BasicError } from "@basic-mllm/core";

import { type Candidate, candidatesOf, type LibraryPaths, searchedFolders } from "../libraries.js";
import { CUDA } from "./constants.js";
import { cudaVersion, type DeviceProperties, Driver, DriverError } from "./driver.js";
import { Session } from "./session.js";

/** CUDA 12.0, which drivers know from 525 on. */
const OLDEST_DRIVER = 12_000;

/** Turing: what the kernels are compiled and tested for. */
const OLDEST_ARCHITECTURE = 75;

/** A driver and one of its devices. */
export interface FoundDevice {
  readonly driver: Driver;
  readonly device: DeviceProperties;
}

/**
 * The driver and a device of it. Creates no context.
 *
 * @param index - Of the device, as `nvidia-smi -L` counts (less what CUDA_VISIBLE_DEVICES hides).
 * @throws BasicError `E_BACKEND_START` where there is no driver, one that is too old, no such device, or one too old.
 */
export function findDevice(index: number, libraries: LibraryPaths = {}): FoundDevice {
  const driver = openDriver(libraries);
  initialise(driver);
  return answered(() => chooseDevice(driver, index));
}

/**
 * Takes a device into use.
 *
 * @throws BasicError `E_BACKEND_START` where another process has it for itself, or it has no memory for a context.
 */
export function openSession({ driver, device }: FoundDevice, synchronous: boolean): Session {
  return answered(() => new Session(driver, device, synchronous));
}

function chooseDevice(driver: Driver, index: number): FoundDevice {
  const version = driver.version();
  if (version < OLDEST_DRIVER) throw driverTooOld(version);
  const count = driver.integerFrom("cuDeviceGetCount");
  if (count === 0) throw noDevice("the driver knows none");
  if (!Number.isInteger(index) || index < 0 || index >= count) throw noSuchDevice(driver, index, count);
  const device = driver.device(index);
  if (device.architecture < OLDEST_ARCHITECTURE) throw deviceTooOld(device);
  return { driver, device };
}

function openDriver({ cuda }: LibraryPaths): Driver {
  const candidates: readonly Candidate[] =
    cuda === undefined ? candidatesOf("cuda") : [{ path: cuda, major: 0 }];
  const problems: string[] = [];
  for (const { path } of candidates) {
    try {
      return new Driver(path);
    } catch (error) {
      problems.push(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const folders = cuda === undefined ? ` Also looked in ${searchedFolders("cuda").join(", ")}.` : "";
  throw startError(
    `There is no NVIDIA driver here (${problems.join("; ")}).${folders} Install the driver, 525 or newer; in a container, ` +
      "run it with the NVIDIA Container Toolkit (`--gpus all`); under WSL, install the driver in Windows.",
  );
}

function initialise(driver: Driver): void {
  try {
    driver.call("cuInit", 0);
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    throw initialisationError(driver, error);
  }
}

/** What the driver refuses before the backend runs is an error of its start. */
function answered<T>(ask: () => T): T {
  try {
    return ask();
  } catch (error) {
    if (!(error instanceof DriverError)) throw error;
    const { code, errorName, call } = error;
    if (code === CUDA.CUDA_ERROR_DEVICE_UNAVAILABLE) {
      throw startError(
        `The CUDA device is in use by another process that has it for itself (${errorName}). End that process (\`nvidia-smi\` ` +
          "lists it), or let several in with `nvidia-smi --compute-mode=0`.",
      );
    }
    if (code === CUDA.CUDA_ERROR_OUT_OF_MEMORY) {
      throw startError(
        `The CUDA device has no memory left, not even for a context (${call}). See with \`nvidia-smi\` which processes use it.`,
      );
    }
    throw startError(
      `The NVIDIA driver does not work (${errorName} from ${call}). See whether \`nvidia-smi\` does.`,
    );
  }
}

function initialisationError({ path }: Driver, { code, errorName }: DriverError): BasicError {
  if (code === CUDA.CUDA_ERROR_NO_DEVICE) return noDevice(errorName);
  if (code === CUDA.CUDA_ERROR_STUB_LIBRARY) {
    return startError(
      `${path} is the stub of the CUDA toolkit that programs are linked with, not the driver. Install the driver, or put ` +
        "its folder before the toolkit's in LD_LIBRARY_PATH.",
    );
  }
  if (code === CUDA.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH) {
    return startError(
      `The NVIDIA driver's library and its kernel module have different versions (${errorName}). Restart the machine after ` +
        "an update of the driver.",
    );
  }
  return startError(`The NVIDIA driver does not start (${errorName}). See whether \`nvidia-smi\` works.`);
}

function noDevice(why: string): BasicError {
  return startError(
    `There is no CUDA device: ${why}. See whether \`nvidia-smi -L\` lists one, and whether CUDA_VISIBLE_DEVICES` +
      `${process.env["CUDA_VISIBLE_DEVICES"] === undefined ? "" : ` ("${process.env["CUDA_VISIBLE_DEVICES"]}")`} hides it.`,
  );
}

function driverTooOld(version: number): BasicError {
  return startError(
    `The NVIDIA driver is too old: it knows CUDA ${cudaVersion(version)}, and 12.0 is needed (driver 525 or newer). ` +
      "Update the driver.",
  );
}

function noSuchDevice(driver: Driver, index: number, count: number): BasicError {
  const names = Array.from({ length: count }, (_, i) => `${i}: ${driver.device(i).name}`);
  return startError(
    `There is no CUDA device ${index}: this machine has ${count} (${names.join(", ")}). Give an index from 0 to ${count - 1}.`,
  );
}

function deviceTooOld({ name, architecture }: DeviceProperties): BasicError {
  return startError(
    `The CUDA device "${name}" is too old: its compute capability is ${(architecture / 10).toFixed(1)}, and 7.5 (Turing) is needed. ` +
      "Use a newer GPU.",
  );
}

function startError(text: string): BasicError {
  return new BasicError("E_BACKEND_START", text);
}
