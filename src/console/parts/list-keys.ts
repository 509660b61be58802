// Keys of a list with details beside it: up, down, and out of the details.

import { useKeys } from './keys.ts';

export interface ListKeys {
  /** In the order of the list. */
  readonly shown: readonly { readonly id: string }[];
  /** Id of the one that is marked; empty: none. */
  readonly marked: string;
  /** Empty: none is marked any more. */
  readonly mark: (id: string) => void;
}

export function useListKeys({ shown, marked, mark }: ListKeys): void {
  const move = (by: 1 | -1): void => {
    const at = shown.findIndex(({ id }) => id === marked);
    const next = shown[at < 0 ? 0 : Math.max(0, Math.min(shown.length - 1, at + by))];
    if (next !== undefined) mark(next.id);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Escape: marked === '' ? undefined : () => mark(''),
  });
}
