// Where the agent's few words go. No secret value is ever part of a message.

/** A sink for lines; the caller adds time and place. */
export interface Logger {
  info(message: string): void;
  warn(message: string): void;
}

/** Says nothing: information is dropped and so are warnings. */
export const silentLogger: Logger = { info() {}, warn() {} };

/** Warnings to standard error, one line each; the default of the library. */
export const standardErrorLogger: Logger = {
  info() {},
  warn(message) {
    process.stderr.write(`upstreamproxy: ${message}\n`);
  },
};
