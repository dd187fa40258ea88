import fc from "fast-check";
import { expect, it } from "vitest";

import { groupRows, groupsWithin } from "./group-rows.js";

const small = fc.integer({ min: 0, max: 3000 });

it("groups rows by where they point, in order", () => {
  const rows = fc.array(fc.integer({ min: -3, max: 40 }), { maxLength: 60 });
  fc.assert(
    fc.property(rows, small, small, (list, from, length) => {
      const groups = groupsWithin(groupRows(Int32Array.from(list)), from % 41, (from % 41) + (length % 41));
      const found = Array.from(groups.targets, (target, i) => [
        target,
        ...groups.sources.subarray(groups.starts[i], groups.starts[i + 1]),
      ]);
      const within = [...new Set(list)].filter(
        (target) => target >= from % 41 && target < (from % 41) + (length % 41),
      );
      const expected = within
        .sort((a, b) => a - b)
        .map((target) => [target, ...list.flatMap((row, i) => (row === target ? [i] : []))]);
      expect(found).toEqual(expected);
    }),
  );
});

it("holds every row that points somewhere once", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: -3, max: 9 }), { maxLength: 40 }), (list) => {
      const { targets, starts, sources } = groupRows(Int32Array.from(list));
      const found = Array.from(targets, (target, i) =>
        Array.from(sources.slice(starts[i], starts[i + 1]), (source) => [target, source]),
      ).flat();
      const expected = list
        .flatMap((target, source) => (target < 0 ? [] : [[target, source]]))
        .sort(([a = 0, i = 0], [b = 0, j = 0]) => a - b || i - j);
      expect(found).toEqual(expected);
    }),
  );
});
