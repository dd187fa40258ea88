import { CUDA } from "./constants.js";
import type { Session } from "./session.js";

/** So long a wait asks again as soon as other work of the process is done; after that, every millisecond. */
const EAGER_MS = 5;

/**
 * Resolves when everything that was enqueued before is done. The event is asked, not waited for: a wait on another thread
 * would have no context there.
 *
 * @throws BasicError what went wrong on the device; `E_CONFIG` where the session is closed meanwhile.
 */
export async function eventDone(session: Session): Promise<void> {
  const event = session.createEvent();
  const { api } = session.driver;
  try {
    session.call("cuEventRecord", event, session.stream);
    const { launches } = session;
    const from = performance.now();
    for (;;) {
      // The session may have been closed in the pause, and the event with it.
      session.check();
      const code = api.cuEventQuery(event);
      if (code !== CUDA.CUDA_SUCCESS && code !== CUDA.CUDA_ERROR_NOT_READY)
        throw session.explain("cuEventQuery", code);
      // Also at the end: what was given up has ended, too.
      session.whileWaiting?.();
      if (code === CUDA.CUDA_SUCCESS) return session.settled(launches);
      await pause(performance.now() - from < EAGER_MS ? 0 : 1);
    }
  } finally {
    session.destroyEvent(event);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    if (ms === 0) setImmediate(resolve);
    else setTimeout(resolve, ms);
  });
}
