/**
 * What the loop needs from the outside world: a folder on disk in Node, OPFS or memory in a browser.
 *
 * Paths are relative, with `/`.
 */
export interface RunStore {
  /** A name for messages, for example the folder. */
  readonly location: string;
  read(path: string): Promise<Uint8Array>;
  exists(path: string): Promise<boolean>;
  /** Writes the whole file or nothing. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds one line. */
  append(path: string, line: string): Promise<void>;
  /** Cuts a file of lines back to its first `lines` lines. */
  truncateLines(path: string, lines: number): Promise<void>;
  list(folder: string): Promise<readonly string[]>;
  remove(path: string): Promise<void>;
  /** Writes all files under a temporary name with a hashed manifest, syncs, then renames to `folder`. */
  writeFolder(folder: string, files: Readonly<Record<string, Uint8Array>>): Promise<void>;
  /** Reads a folder of {@link writeFolder}; E_CHECKPOINT_CORRUPT where a hash differs or a file is missing. */
  readFolder(folder: string): Promise<Readonly<Record<string, Uint8Array>>>;
  /** Takes the run for this process; E_RUN_LOCKED where another holds it. Returns the release. */
  lock(): Promise<() => Promise<void>>;
}
