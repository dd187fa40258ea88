import type { Attributes, KernelCase, KernelContract } from "@basic-mllm/core";

/** A contract with other cases. */
export function withCases<Name extends string, Attrs extends Attributes>(
  contract: KernelContract<Name, Attrs>,
  cases: readonly KernelCase<NoInfer<Name>, NoInfer<Attrs>>[],
): KernelContract {
  // As in the list of all contracts: it can only be walked by name.
  return { ...contract, cases } as unknown as KernelContract;
}
