/** Text that is already safe HTML. */
export interface Html {
  readonly html: string;
}

type Part = string | number | Html | readonly Html[];

/** Tagged template: strings are escaped, {@link Html} and lists of it are not. */
export function html(strings: TemplateStringsArray, ...values: readonly Part[]): Html {
  const text = strings.map((chunk, i) => chunk + (i < values.length ? render(values[i] ?? "") : ""));
  return { html: text.join("") };
}

/** Marks a string of ours as safe. */
export function raw(text: string): Html {
  return { html: text };
}

function render(value: Part): string {
  if (typeof value === "string") return escapeText(value);
  if (typeof value === "number") return String(value);
  if ("html" in value) return value.html;
  return value.map((item) => item.html).join("");
}

function escapeText(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** A text of ours for people: `code` in backticks as such, and arrows drawn. */
export function prose(text: string): Html {
  const parts = text.replaceAll(" -> ", " → ").split(/`([^`]+)`/);
  return html`${parts.map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : html`${part}`))}`;
}

/** With a full stop where it ends without one; empty stays empty. */
export function sentence(text: string): string {
  const trimmed = text.trim();
  return trimmed === "" || /[.!?…]$/.test(trimmed) ? trimmed : `${trimmed}.`;
}

/** `0.7025` to `70.3 %`. */
export function percent(value: number | undefined): string {
  return value === undefined || Number.isNaN(value) ? "–" : `${(value * 100).toFixed(1)} %`;
}

/** Four significant digits, without a tail of zeros. */
export function number(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}
