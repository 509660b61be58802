// What ends a wait for a client: a timer, or what a caller has who knows that some of the time does not count.

export interface Deadline {
  clear(): void;
}

/** Calls once the time is over, unless it is cleared before. */
export type StartDeadline = (ms: number, onTimeout: () => void) => Deadline;

export const plainDeadline: StartDeadline = (ms, onTimeout) => {
  const timer = setTimeout(onTimeout, ms);
  return { clear: () => clearTimeout(timer) };
};
