/**
 * Bytes of a file: in memory, or in pieces as they are made, so that no more than one is in memory: a piece may hold only
 * until the next one is asked for.
 */
export type FileContent = Uint8Array | AsyncIterable<Uint8Array>;

/**
 * What the loop needs from the outside world: a folder on disk in Node, OPFS or memory in a browser.
 *
 * Paths are relative, with `/`.
 */
export interface RunStore {
  /** A name for messages, for example the folder. */
  readonly location: string;
  /** The whole file. */
  read(path: string): Promise<Uint8Array>;
  /** Whether there is a file or folder of that name. */
  exists(path: string): Promise<boolean>;
  /** Writes the whole file or nothing. */
  write(path: string, bytes: Uint8Array): Promise<void>;
  /** Adds one line. */
  append(path: string, line: string): Promise<void>;
  /** Cuts a file of lines back to its first `lines` lines. */
  truncateLines(path: string, lines: number): Promise<void>;
  /** Names inside of a folder, sorted; none where it does not exist. */
  list(folder: string): Promise<readonly string[]>;
  /** Removes a file, or a folder with all it holds. */
  remove(path: string): Promise<void>;
  /**
   * Writes all files under a temporary name with a hashed manifest, syncs, then renames to `folder`. Where a file's pieces
   * end in an error, nothing is written.
   */
  writeFolder(folder: string, files: Readonly<Record<string, FileContent>>): Promise<void>;
  /** Reads a folder of {@link writeFolder}; E_CHECKPOINT_CORRUPT where a hash differs or a file is missing. */
  readFolder(folder: string): Promise<Readonly<Record<string, Uint8Array>>>;
  /** Takes the run for this process; E_RUN_LOCKED where another holds it. Returns the release. */
  lock(): Promise<() => Promise<void>>;
}
