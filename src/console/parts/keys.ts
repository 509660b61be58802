// Keys that act. A key never acts while somebody writes.

import { useEffect, useRef, useState } from 'react';

/** A person needs about that long to see that something is new. */
const settleMs = 600;

export type KeyActs = Readonly<Record<string, (() => void) | undefined>>;

/** The path has what is inside of a shadow root, of which `target` is the host alone. */
function isWriting(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName))
  );
}

/** By `KeyboardEvent.key`. */
export function useKeys(acts: KeyActs): void {
  const current = useRef(acts);
  useEffect(() => {
    current.current = acts;
  });
  useEffect(() => {
    const press = (event: KeyboardEvent): void => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
      if (isWriting(event) || document.querySelector('dialog[open]') !== null) return;
      const act = current.current[event.key];
      if (act === undefined) return;
      // A button that has the focus is pressed by its own keys.
      if (event.key === 'Enter' && event.target instanceof HTMLButtonElement) return;
      event.preventDefault();
      act();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, []);
}
/** The same as a state, for what a pointer acts on: false for a moment after `what` became another. */
export function useSettledState(what: string): boolean {
  const [settled, setSettled] = useState<string>();
  useEffect(() => {
    const timer = setTimeout(() => setSettled(what), settleMs);
    return () => clearTimeout(timer);
  }, [what]);
  return settled === what;
}

/** Gives whether what is named by `what` has stayed the same for long enough that a key may act on it. */
export function useSettled(what: string): () => boolean {
  const changedAt = useRef(0);
  const known = useRef<string>(undefined);
  if (known.current !== what) {
    known.current = what;
    changedAt.current = performance.now();
  }
  return () => performance.now() - changedAt.current >= settleMs;
}
