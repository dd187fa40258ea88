/** Whether a name matches a pattern as a whole: `*` stands for any letters (none too, dots too), `?` for one. */
export function matchesGlob(name: string, pattern: string): boolean {
  let [at, place] = [0, 0];
  // Where to go on after the last star, with one letter more under it.
  let [star, covered] = [-1, 0];
  while (at < name.length) {
    const sign = pattern[place];
    if (sign === "*") {
      star = place++;
      covered = at;
    } else if (sign !== undefined && (sign === "?" || sign === name[at])) {
      at++;
      place++;
    } else if (star >= 0) {
      at = ++covered;
      place = star + 1;
    } else return false;
  }
  return [...pattern.slice(place)].every((sign) => sign === "*");
}
