/**
 * Start of the `main` of a shader whose workgroups `spread` puts on two axes: `number` is that of a workgroup, `lane` that of a
 * thread in it. Workgroups beyond the last one must return.
 */
export function mainOfGroups(threads: number): string {
  return /* wgsl */ `
@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(num_workgroups) groups : vec3<u32>,
  @builtin(local_invocation_index) lane : u32,
) {
  let number = group.x + group.y * groups.x;`.trim();
}
