import { MathBackendCPU } from "@tensorflow/tfjs-backend-cpu";

/** The stock cpu backend without its greeting. */
export class QuietCpu extends MathBackendCPU {
  constructor() {
    super();
    Reflect.set(this, "firstUse", false);
  }
}
