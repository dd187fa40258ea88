/** Marks the reload that gives the page its shared memory, so that it happens once. */
const RELOADED = "basic-mllm-reloaded";

/**
 * Keeps the page for use without a network. Where the host sends no headers for shared memory, the service worker adds them,
 * which takes one reload.
 */
export async function keepForOffline(): Promise<void> {
  // The types say that it is always there; insecure pages lack it.
  const workers = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (workers === undefined || !import.meta.env.PROD) return;
  const registration = await workers
    .register(`${import.meta.env.BASE_URL}service-worker.js`)
    .catch(() => null);
  if (registration === null || crossOriginIsolated || sessionStorage.getItem(RELOADED) !== null) return;
  if (!(await isActive(registration))) return;
  sessionStorage.setItem(RELOADED, "yes");
  location.reload();
}

/** Waits for the worker; false where its installation fails, for which `navigator.serviceWorker.ready` would wait for ever. */
async function isActive({ installing, waiting, active }: ServiceWorkerRegistration): Promise<boolean> {
  const worker = active ?? waiting ?? installing;
  if (worker === null) return false;
  return new Promise((resolve) => {
    const look = (): void => {
      if (worker.state === "activated") resolve(true);
      if (worker.state === "redundant") resolve(false);
    };
    worker.addEventListener("statechange", look);
    look();
  });
}
