/**
 * Runs the command line.
 *
 * @param argv - Arguments after `basic-mllm`.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage or recipe, 3 the loss became NaN or infinite, 130 stopped by Ctrl-C,
 * with a checkpoint written where there was a step.
 */
declare function main(argv: readonly string[]): Promise<number>;

export { main };
