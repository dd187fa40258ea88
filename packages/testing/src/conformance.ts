import { allContracts, BasicError, type KernelContract } from "@basic-mllm/core";
import * as tf from "@tensorflow/tfjs-core";

import { type AnyCase, checkCase } from "./case-check.js";

/** A case that a backend is known to fail. Kept honest: a gap that passes again fails the run. */
export interface KnownGap {
  /** Name of the contract: `BasicAttention`. */
  readonly contract: string;
  /** Title of the case. */
  readonly title: string;
  readonly reason: string;
  readonly issue: `#${number}`;
}

/** A backend and what it has to pass. */
export interface ConformanceOptions {
  /** Its name in tfjs's registry, under which it must run once `start` is done. */
  readonly backend: string;
  /** Starts it. A device that does not start is a failure, never a skip. */
  readonly start: () => Promise<unknown>;
  /** Default: every contract of core. */
  readonly contracts?: readonly KernelContract[];
  readonly knownGaps?: readonly KnownGap[];
  /** Factor on every tolerance, for devices with looser arithmetic; say where it comes from. Default 1. */
  readonly toleranceFactor?: number;
  /** What the device is called in the report. Default: the backend's name. */
  readonly device?: () => string;
}

/** One case that did not go as it should. */
export interface ConformanceFailure {
  readonly contract: string;
  readonly title: string;
  /** One line per failed check; for a gap that passes again, one line that says so. */
  readonly messages: readonly string[];
}

/** Counts of a run: `cases` = `passed` + `failed` + `gaps`. */
export interface ConformanceResult {
  readonly backend: string;
  readonly device: string;
  /** Contracts that were run. */
  readonly contracts: number;
  readonly cases: number;
  readonly passed: number;
  readonly failed: number;
  readonly gaps: number;
  readonly failures: readonly ConformanceFailure[];
}

/** A case with its contract and, if it is known to fail, its gap. */
export interface PlannedCase {
  readonly contract: KernelContract;
  readonly testCase: AnyCase;
  readonly gap: KnownGap | undefined;
}

/**
 * Every case of every contract.
 *
 * @throws BasicError `E_NAME_UNKNOWN` for a gap that names no case.
 */
export function planCases(options: ConformanceOptions): readonly PlannedCase[] {
  const { contracts = allContracts, knownGaps = [] } = options;
  const planned = contracts.flatMap((contract) =>
    contract.cases.map((testCase) => ({
      contract,
      testCase,
      gap: knownGaps.find((gap) => gap.contract === contract.name && gap.title === testCase.title),
    })),
  );
  const unused = knownGaps.find((gap) => !planned.some((entry) => entry.gap === gap));
  if (unused !== undefined) {
    throw new BasicError(
      "E_NAME_UNKNOWN",
      `The known gap "${unused.title}" of ${unused.contract} (${unused.issue}) names no case. Use the title of a case of that contract, or remove the gap.`,
    );
  }
  return planned;
}

/**
 * Starts the backend and checks that it runs.
 *
 * @throws BasicError `E_BACKEND_START` where another backend runs afterwards.
 */
export async function startForConformance({ backend, start }: ConformanceOptions): Promise<void> {
  await start();
  const current = tf.getBackend();
  if (current === backend) return;
  throw new BasicError(
    "E_BACKEND_START",
    `Backend "${backend}" did not start: tfjs runs on "${current}". A missing device fails the run; it is never skipped.`,
  );
}

/** Runs one planned case: its failures, where a known gap must have some. */
export async function runPlannedCase(
  { contract, testCase, gap }: PlannedCase,
  toleranceFactor = 1,
): Promise<readonly string[]> {
  const messages = await checkCase(contract, testCase, toleranceFactor);
  if (gap === undefined) return messages;
  return messages.length > 0
    ? []
    : [`known gap ${gap.issue} (${gap.reason}) passes again: remove it from the list`];
}

/** Runs every case of every contract, forward and gradient, on one backend. Needs no test runner. */
export async function runConformance(options: ConformanceOptions): Promise<ConformanceResult> {
  const planned = planCases(options);
  await startForConformance(options);
  const failures: ConformanceFailure[] = [];
  let gaps = 0;
  for (const entry of planned) {
    const messages = await runPlannedCase(entry, options.toleranceFactor);
    if (messages.length > 0) {
      failures.push({ contract: entry.contract.name, title: entry.testCase.title, messages });
    } else if (entry.gap !== undefined) {
      gaps++;
    }
  }
  const cases = planned.length;
  const failed = failures.length;
  return {
    backend: options.backend,
    device: options.device?.() ?? options.backend,
    contracts: (options.contracts ?? allContracts).length,
    cases,
    passed: cases - failed - gaps,
    failed,
    gaps,
    failures,
  };
}
