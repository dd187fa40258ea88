/** What the build needs: `rust-version` of a Cargo.toml, for example `1.89`. */
export function neededRust(manifest) {
  return /^rust-version = "(\d+\.\d+)"/m.exec(manifest)[1];
}

/** Why a toolchain cannot build the addon, and what to do; null where it can. `cargo`: output of `cargo --version`. */
export function rustProblem(cargo, needed) {
  const what = `Building @basic-mllm/backend-cpu needs Rust ${needed} or later`;
  if (cargo === null) {
    return `${what}, and \`cargo\` was not found. Install it with rustup (https://rustup.rs), open a new shell, and run the build again.`;
  }
  const [, major, minor] = /^cargo (\d+)\.(\d+)/.exec(cargo) ?? [];
  const [neededMajor, neededMinor] = needed.split(".").map(Number);
  const isEnough =
    Number(major) > neededMajor || (Number(major) === neededMajor && Number(minor) >= neededMinor);
  if (isEnough) return null;
  return `${what}, and here is ${cargo.trim() || "a cargo that prints no version"}. Run \`rustup update\`, or install Rust with rustup (https://rustup.rs), and run the build again.`;
}
