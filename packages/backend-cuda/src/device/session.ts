import { BasicError } from "@basic-mllm/core";

import type { ForeignArgument } from "../foreign/library.js";
import { CUDA } from "./constants.js";
import { type DeviceProperties, type Driver, DriverError } from "./driver.js";
import { explainFault, isSticky } from "./faults.js";
import type { DriverFunction } from "./prototypes.js";

/** Names of launches that are kept for the text of a fault. */
const REMEMBERED = 64;

/**
 * A device in use: its primary context, current on this thread, and one stream that everything goes through in the order of
 * the calls. What fails is said as a BasicError; after a fault that ends the context, by every call.
 */
export class Session {
  readonly driver: Driver;
  readonly device: DeviceProperties;
  readonly stream: number;
  /** Whether every launch is waited for, so that a fault names its kernel. */
  readonly synchronous: boolean;
  /** Asked now and then while the process waits for the device, and at the end. What it throws ends the wait. */
  whileWaiting: (() => void) | undefined;
  #failure: BasicError | undefined;
  #launches = 0;
  readonly #launched: string[] = [];
  /** Events that are still alive: {@link close} destroys them. */
  readonly #events = new Set<number>();

  constructor(driver: Driver, device: DeviceProperties, synchronous: boolean) {
    this.driver = driver;
    this.device = device;
    this.synchronous = synchronous;
    const context = driver.handleFrom("cuDevicePrimaryCtxRetain", device.handle);
    try {
      driver.call("cuCtxSetCurrent", context);
      this.stream = driver.handleFrom("cuStreamCreate", CUDA.CU_STREAM_NON_BLOCKING);
    } catch (error) {
      driver.api.cuDevicePrimaryCtxRelease(device.handle);
      throw error;
    }
  }

  /** Kernels launched so far. */
  get launches(): number {
    return this.#launches;
  }

  /** What ended the context, if anything did: a fault, or {@link close}. */
  get failure(): BasicError | undefined {
    return this.#failure;
  }

  /** @throws BasicError what ended the context. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** @throws BasicError for any answer but success. */
  call(name: DriverFunction, ...args: readonly ForeignArgument[]): void {
    this.check();
    const code = this.driver.api[name](...args);
    if (code !== CUDA.CUDA_SUCCESS) throw this.explain(name, code);
  }

  /** As {@link Driver.handleFrom}. */
  handleFrom(name: DriverFunction, ...args: readonly ForeignArgument[]): number {
    this.check();
    try {
      return this.driver.handleFrom(name, ...args);
    } catch (error) {
      throw error instanceof DriverError ? this.explain(error.call, error.code) : error;
    }
  }

  /** An event that can be asked and waited for; {@link destroyEvent} or {@link close} ends it. */
  createEvent(): number {
    const event = this.handleFrom("cuEventCreate", CUDA.CU_EVENT_DISABLE_TIMING);
    this.#events.add(event);
    return event;
  }

  /** Ends an event, unless {@link close} has done so. */
  destroyEvent(event: number): void {
    if (this.#events.delete(event)) this.driver.api.cuEventDestroy(event);
  }

  /** The error for an answer of the driver; keeps it where the context is gone. */
  explain(call: DriverFunction, code: number): BasicError {
    const { driver, device, synchronous } = this;
    const refused = { call, code, name: driver.nameOf(code) };
    const error = explainFault(refused, { device: device.name, launched: this.#launched, synchronous });
    if (isSticky(code)) this.#failure ??= error;
    return error;
  }

  /** Notes a launch, and waits for it where that was asked for. */
  launched(kernel: string): void {
    this.#launches++;
    if (this.#launched.length === REMEMBERED) this.#launched.shift();
    this.#launched.push(kernel);
    if (this.synchronous) this.synchronize();
  }

  /** Waits for everything on the stream. */
  synchronize(): void {
    this.call("cuStreamSynchronize", this.stream);
    this.settled();
  }

  /** The first `launches` launches are known to have ended well. */
  settled(launches = this.#launches): void {
    const before = this.#launches - this.#launched.length;
    if (launches > before) this.#launched.splice(0, launches - before);
  }

  /** Gives the context back. What lives in it is gone, and what still waits for the device hears that. */
  close(): void {
    const { api } = this.driver;
    this.#failure ??= new BasicError(
      "E_CONFIG",
      "The CUDA backend was stopped, and something still waited for its device or asked it for more. Wait for values that " +
        "are being read (data(), array()) before stop(); to go on, start the backend again and make the tensors anew.",
    );
    // After a fault these fail too, and there is nobody to tell.
    for (const event of this.#events) this.destroyEvent(event);
    api.cuStreamDestroy(this.stream);
    api.cuDevicePrimaryCtxRelease(this.device.handle);
  }
}
