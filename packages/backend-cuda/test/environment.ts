import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** Of processes that compute on CUDA. */
    readonly cudaEnvironment: Readonly<Record<string, string>>;
  }
}

Object.assign(process.env, inject("cudaEnvironment"));
