/** Gives a file's content, or undefined where there is none. */
export type ReadFile = (path: string) => string | undefined;

/** A place where a cgroup hierarchy is mounted. */
interface Mount {
  readonly version: 1 | 2;
  /** Which group of the hierarchy is seen at `point`. */
  readonly root: string;
  readonly point: string;
}

/**
 * CPUs that the control groups of this process allow, as a fraction: 1.5 is one and a half. Undefined for no limit.
 *
 * The limit is the least along the path from the process's own group up, in both versions of cgroups.
 */
export function cgroupCpus(read: ReadFile): number | undefined {
  const groups = parseGroups(read("/proc/self/cgroup") ?? "");
  const limits = parseMounts(read("/proc/self/mountinfo") ?? "").flatMap((mount) => {
    const group = groups.get(mount.version);
    if (group === undefined) return [];
    return foldersOf(mount, group).map((folder) => (mount.version === 2 ? limitV2 : limitV1)(folder, read));
  });
  const least = Math.min(...limits);
  return Number.isFinite(least) ? least : undefined;
}

/** Lines of /proc/self/cgroup: `0::/path` for version 2, `4:cpu,cpuacct:/path` for version 1. */
function parseGroups(text: string): ReadonlyMap<1 | 2, string> {
  const groups = new Map<1 | 2, string>();
  for (const line of text.split("\n")) {
    const [, id, controllers, path] = /^(\d+):([^:]*):(.*)$/.exec(line) ?? [];
    if (path === undefined) continue;
    if (id === "0" && controllers === "") groups.set(2, path);
    if (controllers?.split(",").includes("cpu") === true) groups.set(1, path);
  }
  return groups;
}

/** Lines of mountinfo: `36 35 98:0 ROOT POINT OPTIONS ... - TYPE SOURCE OPTIONS`. */
function parseMounts(text: string): readonly Mount[] {
  return text.split("\n").flatMap((line): Mount[] => {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root, point] = before.split(" ").map(unescapeOctal);
    const [type, , options = ""] = after.split(" ");
    if (root === undefined || point === undefined) return [];
    if (type === "cgroup2") return [{ version: 2, root, point }];
    return type === "cgroup" && options.split(",").includes("cpu") ? [{ version: 1, root, point }] : [];
  });
}

/** The kernel writes blanks in mount points as octal numbers. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 8)));
}

/** Folders from the process's group up to the mount point. A group outside the mount is seen as its root. */
function foldersOf({ root, point }: Mount, group: string): readonly string[] {
  const prefix = root === "/" ? "" : root;
  const inside = group === prefix || group.startsWith(`${prefix}/`) ? group.slice(prefix.length) : "";
  const parts = inside.split("/").filter((part) => part !== "" && part !== "..");
  return [...parts.keys(), parts.length].map((depth) => [point, ...parts.slice(0, depth)].join("/"));
}

/** cpu.max: `QUOTA PERIOD` in microseconds, or `max PERIOD`. */
function limitV2(folder: string, read: ReadFile): number {
  const [quota, period] = (read(`${folder}/cpu.max`) ?? "").trim().split(" ");
  return ratio(quota, period);
}

/** Quota -1 is no limit. */
function limitV1(folder: string, read: ReadFile): number {
  return ratio(read(`${folder}/cpu.cfs_quota_us`), read(`${folder}/cpu.cfs_period_us`));
}

function ratio(quota: string | undefined, period: string | undefined): number {
  const [most, per] = [Number(quota), Number(period)];
  return most > 0 && per > 0 ? most / per : Number.POSITIVE_INFINITY;
}
