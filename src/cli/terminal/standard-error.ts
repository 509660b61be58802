// What a program that serves says on standard error is for whoever reads it, and not worth its end.

/**
 * From now on a standard error that nobody reads any more, or that has no room, loses what is written to it. Without this
 * the next word would end the process: the log's reader was restarted, a terminal was closed.
 */
export function outliveStandardError(): void {
  process.stderr.on('error', () => {});
}
