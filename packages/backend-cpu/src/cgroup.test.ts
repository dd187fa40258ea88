import { expect, it } from "vitest";

import { cgroupCpus } from "./cgroup.js";

const V2_MOUNT = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n";
const V1_MOUNT = "35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n";

/** CPUs that a machine with these files allows. */
function cpus(files: Readonly<Record<string, string>>): number | undefined {
  return cgroupCpus((path) => files[path]);
}

it("knows no limit without control groups", () => {
  expect(cpus({})).toBeUndefined();
  expect(cpus({ "/proc/self/cgroup": "\n", "/proc/self/mountinfo": "not a mount\n" })).toBeUndefined();
});

it("takes version 2's quota over period", () => {
  const files = { "/proc/self/cgroup": "0::/\n", "/proc/self/mountinfo": V2_MOUNT };
  expect(cpus({ ...files, "/sys/fs/cgroup/cpu.max": "150000 100000\n" })).toBe(1.5);
  expect(cpus({ ...files, "/sys/fs/cgroup/cpu.max": "max 100000\n" })).toBeUndefined();
  expect(cpus(files)).toBeUndefined();
});

it("takes the least limit from the own group up to the root", () => {
  const files = {
    "/proc/self/cgroup": "0::/machine.slice/job\n",
    "/proc/self/mountinfo": V2_MOUNT,
    "/sys/fs/cgroup/machine.slice/cpu.max": "200000 100000",
    "/sys/fs/cgroup/machine.slice/job/cpu.max": "800000 100000",
  };
  expect(cpus(files)).toBe(2);
});

it("takes version 1's quota, where -1 is none", () => {
  const files = {
    "/proc/self/cgroup": "5:memory:/a\n4:cpu,cpuacct:/docker/c0ffee\n0::/ignored\n",
    "/proc/self/mountinfo": V1_MOUNT,
    "/sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_period_us": "50000\n",
  };
  const quota = "/sys/fs/cgroup/cpu,cpuacct/docker/c0ffee/cpu.cfs_quota_us";
  expect(cpus({ ...files, [quota]: "150000\n" })).toBe(3);
  expect(cpus({ ...files, [quota]: "-1\n" })).toBeUndefined();
});

it("finds the group of a container, whose mount shows a part of the tree", () => {
  const files = {
    "/proc/self/cgroup": "4:cpu:/docker/c0ffee\n",
    "/proc/self/mountinfo": V1_MOUNT.replace(" / /sys", " /docker/c0ffee /sys"),
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "50000",
    "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000",
  };
  expect(cpus(files)).toBe(0.5);
  expect(cpus({ ...files, "/proc/self/cgroup": "4:cpu:/elsewhere\n" })).toBe(0.5);
});

it("reads mount points with blanks in them", () => {
  const files = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": V2_MOUNT.replace("/sys/fs/cgroup", "/my\\040groups"),
    "/my groups/cpu.max": "400000 100000",
  };
  expect(cpus(files)).toBe(4);
});
