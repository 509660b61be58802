// How long a test waits for what must come.

/** Only a hang is longer, on a slow and busy machine too: nothing is claimed about time by it. Commands that start much at once wait longer. */
export const patienceMs = Number(process.env['TEST_PATIENCE_MS'] ?? 60_000);
