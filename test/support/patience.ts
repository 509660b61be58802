// How long a test waits for what must come.

/** Only a hang is longer, on a slow and busy machine too: nothing is claimed about time by it. */
export const patienceMs = 60_000;
