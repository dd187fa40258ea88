import { REFERENCE_BACKEND, startReferenceBackend, testBackend } from "../src/index.js";

// Runs the contracts' own gradients and backward contracts, which the fallback does not.
testBackend({ backend: REFERENCE_BACKEND, start: () => startReferenceBackend() });
