// Pages by their cursors: one in memory at a time, and an end whatever the server says.

import { AdminError } from './admin-error.ts';
import { defaultLimits } from '../protocol/limits.ts';

export interface ListPage<Item> {
  readonly items: readonly Item[];
  readonly next?: string | undefined;
}

/** Longer than any cursor of ours; it goes into the next request. */
const cursorCharactersMax = 1_000;

/**
 * The items of page after page, until there is no `next`. Cursors that lead back are found without keeping them all: each is compared with one
 * that is kept for twice as many pages as the one before (Brent). @throws AdminError
 */
export async function* walkPages<Item>(
  { server, operation }: { readonly server: string; readonly operation: string },
  ask: (cursor: string | undefined) => Promise<ListPage<Item>>,
): AsyncGenerator<readonly Item[], void> {
  const refuse = (why: string): AdminError =>
    new AdminError('admin_unreachable', `${server}: ${why}`, { server, operation });
  let cursor: string | undefined;
  let kept: string | undefined;
  let [pages, keptFor, empty] = [0, 1, 0];
  for (;;) {
    const { items, next } = await ask(cursor);
    if (items.length > 0) yield items;
    if (next === undefined) return;
    if (next === cursor || next === kept) throw refuse('its pages lead back to where they were');
    if (next.length > cursorCharactersMax) throw refuse('its cursor is longer than any of ours');
    empty = items.length > 0 ? 0 : empty + 1;
    if (empty >= defaultLimits.adminEmptyPagesMax)
      throw refuse(`it leads on over ${empty} pages with nothing on them (adminEmptyPagesMax)`);
    pages += 1;
    if (pages === keptFor) {
      kept = next;
      keptFor *= 2;
      pages = 0;
    }
    cursor = next;
  }
}
