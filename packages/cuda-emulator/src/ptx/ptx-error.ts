/** PTX that cannot be read or translated. */
export class PtxError extends Error {
  constructor(what: string, line: number) {
    super(`PTX line ${line}: ${what}`);
    this.name = "PtxError";
  }
}
