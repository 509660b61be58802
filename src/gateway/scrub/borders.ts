// Where a body may be let go although more is to come: at borders that its own text sets, whatever is searched for in it.

import { ProxyError } from '../../protocol/error.ts';
import type { Marked } from './secret-search.ts';

/** Looks at a body in the order in which it leaves, after replacement. */
export interface Borders {
  /**
   * Where in `text` the last border is, or 0. The octets from `from` on are new; those before are what is held of the ones before them.
   * @throws ProxyError origin_malformed for what cannot be searched
   */
  last(text: Uint8Array, from: number): number;
  /** Something was marked in the `text` about which `last` is asked next. @throws ProxyError origin_malformed */
  marked?(marked: Marked, from: number): void;
}

export const noBorders: Borders = { last: () => 0 };

/** It quotes nothing of the response. */
export function unsearchable(host: string, how: string): ProxyError {
  return new ProxyError(
    'origin_malformed',
    `${host} responded with ${how}, so the response cannot be searched for the injected credential and is not passed on`,
  );
}
