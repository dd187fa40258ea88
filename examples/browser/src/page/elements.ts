/** The element with an id. @throws Error where the page has none of that kind: a mistake in index.html. */
export function find<Kind extends Element>(id: string, kind: new () => Kind): Kind {
  const element = document.getElementById(id);
  if (element instanceof kind) return element;
  throw new Error(`index.html has no ${kind.name} with the id "${id}"`);
}

/** A new element with a class and children. */
export function create<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  className: string,
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.className = className;
  element.append(...children);
  return element;
}

/** Options of a select, by their place in the list. */
export function fillSelect(select: HTMLSelectElement, names: readonly string[]): void {
  select.replaceChildren(...names.map((name, index) => new Option(name, `${index}`)));
}
