// Keeps a list still while a pointer is over it.

import { useRef, useState } from 'react';
import { type HeldList, holdList } from '../model/held-list.ts';

export interface Held {
  /** How many came or went meanwhile. */
  readonly waiting: number;
  /** Shows what waits. */
  readonly release: () => void;
  /** For the element around the list. */
  readonly handlers: {
    readonly onPointerEnter: () => void;
    readonly onPointerLeave: () => void;
  };
}

/** Several lists that stand in one element. */
export function heldTogether(...all: readonly Held[]): Held {
  return {
    waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
    release: () => {
      for (const { release } of all) release();
    },
    handlers: {
      onPointerEnter: () => {
        for (const { handlers } of all) handlers.onPointerEnter();
      },
      onPointerLeave: () => {
        for (const { handlers } of all) handlers.onPointerLeave();
      },
    },
  };
}

/** `what`: another list when it is another text, and nothing is held over. */
export function useHeldList<Item extends { readonly id: string }>(
  what: string,
  now: readonly Item[],
  gone?: ReadonlyMap<string, Item>,
): Held & HeldList<Item> {
  const held = useRef<{ readonly what: string; readonly items: readonly Item[] }>(undefined);
  const shown = useRef(now);
  const [, look] = useState(0);
  const again = (): void => look((before) => before + 1);
  if (held.current !== undefined && held.current.what !== what) held.current = { what, items: now };
  // A list that was empty has nothing that could move.
  if (held.current?.items.length === 0) held.current = { what, items: now };
  const list =
    held.current === undefined ? { items: now, waiting: 0 } : holdList(held.current.items, now, gone);
  shown.current = list.items;
  return {
    ...list,
    release: () => {
      held.current = { what, items: now };
      again();
    },
    handlers: {
      // A finger is there only while it touches.
      onPointerEnter: () => {
        held.current ??= { what, items: shown.current };
      },
      onPointerLeave: () => {
        held.current = undefined;
        again();
      },
    },
  };
}
