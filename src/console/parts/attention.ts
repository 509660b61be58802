// Whether somebody is at the page: what it asks by itself, at which nobody is, keeps no session alive.

const attendedMs = 60_000;
const acts = ['pointerdown', 'pointermove', 'keydown', 'wheel', 'focus'] as const;

/** Looks at what is done in the page from now on. */
export function watchAttention(target: EventTarget, clock: () => number = Date.now): () => boolean {
  let lastMs = clock();
  const note = (): void => {
    lastMs = clock();
  };
  for (const act of acts) target.addEventListener(act, note, { passive: true, capture: true });
  return () => clock() - lastMs < attendedMs;
}
