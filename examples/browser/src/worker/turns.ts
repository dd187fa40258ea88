/**
 * One thing at a time on the device. While a run trains, what the page asks for waits for the next gap between two steps;
 * without a run it is done at once, in order.
 */
export class Turns {
  readonly #waiting: (() => Promise<void>)[] = [];
  #training = false;
  #idle: Promise<void> = Promise.resolve();

  /** Whether a run trains. */
  get busy(): boolean {
    return this.#training;
  }

  /** Does `work` in the next gap. Rejects with what it throws. */
  do<Result>(work: () => Promise<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => work().then(resolve, reject));
      if (!this.#training) this.#idle = this.#idle.then(() => this.gap());
    });
  }

  /** Runs a training run; what waits is done in its gaps, and what is left after it. */
  async training<Result>(run: () => Promise<Result>): Promise<Result> {
    await this.#idle;
    this.#training = true;
    try {
      return await run();
    } finally {
      this.#training = false;
      this.#idle = this.#idle.then(() => this.gap());
    }
  }

  /** A gap between two steps: does everything that waits. */
  async gap(): Promise<void> {
    for (let work = this.#waiting.shift(); work !== undefined; work = this.#waiting.shift()) await work();
  }
}
