import type { BackendChoice } from "../protocol.js";
import { find } from "./elements.js";

const NEEDS_SECURE = "it needs https or localhost";

/**
 * Finds out what this browser can compute on and lets the visitor choose. WebGPU is chosen where it is there; where it is
 * not, the page says why and offers the CPU, and chooses nothing.
 */
export async function offerBackends(): Promise<void> {
  const form = find("start-form", HTMLFormElement);
  const [missing, cpu] = [await whyNoWebGpu(), whyNoCpu()];
  const webgpu = radio(form, "webgpu");
  webgpu.disabled = missing !== null;
  webgpu.checked = missing === null;
  find("webgpu-detail", HTMLElement).textContent = missing ?? "the graphics processor of this computer";
  radio(form, "cpu").disabled = cpu !== null;
  const threads = navigator.hardwareConcurrency;
  find("cpu-detail", HTMLElement).textContent = cpu ?? `WebAssembly, ${threads} threads`;
  const notice = find("no-webgpu", HTMLParagraphElement);
  notice.hidden = missing === null;
  const instead =
    cpu === null
      ? "The same training runs on the CPU: choose it below."
      : `The CPU cannot be used either: ${cpu}.`;
  notice.textContent = `WebGPU cannot be used: ${missing}. ${instead}`;
  const start = find("start", HTMLButtonElement);
  const update = (): void => {
    start.disabled = chosenBackend() === null;
  };
  form.addEventListener("change", update);
  update();
}

/** null before the visitor has chosen. */
export function chosenBackend(): BackendChoice | null {
  const value = new FormData(find("start-form", HTMLFormElement)).get("backend");
  return value === "webgpu" || value === "cpu" ? value : null;
}

async function whyNoWebGpu(): Promise<string | null> {
  // The types say that it is always there.
  const gpu = navigator.gpu as GPU | undefined;
  if (gpu === undefined) return isSecureContext ? "this browser has none" : NEEDS_SECURE;
  const adapter = await gpu.requestAdapter().catch(() => null);
  return adapter === null ? "the browser finds no graphics processor that it may use" : null;
}

function whyNoCpu(): string | null {
  if (import.meta.env.MODE === "webgpu") return "this page was built without the CPU kernels";
  if (crossOriginIsolated) return null;
  return isSecureContext ? "it needs a cross-origin isolated page: reload it once" : NEEDS_SECURE;
}

function radio(form: HTMLFormElement, value: BackendChoice): HTMLInputElement {
  const input = form.querySelector(`input[value="${value}"]`);
  if (input instanceof HTMLInputElement) return input;
  throw new Error(`index.html has no choice "${value}"`);
}
