// The names behind a host are for the audit alone: no connection waits for them, and a refusal for a moment only.

import { defaultLimits } from '../protocol/limits.ts';

/** What is known of the names by the time at which it is asked; none before that. */
export function knownSoFar(names: Promise<readonly string[]>): () => readonly string[] {
  let known: readonly string[] = [];
  // It never rejects.
  void names.then((all) => (known = all));
  return () => known;
}

/** None if they do not come in time, or the signal ends first. Never rejects. */
export async function namesInTime(
  names: Promise<readonly string[]>,
  signal: AbortSignal | undefined,
): Promise<readonly string[]> {
  const { promise: over, resolve } = Promise.withResolvers<readonly string[]>();
  const stop = (): void => resolve([]);
  const timer = setTimeout(stop, defaultLimits.aliasGraceMs);
  signal?.addEventListener('abort', stop, { once: true });
  try {
    return await Promise.race([names, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
