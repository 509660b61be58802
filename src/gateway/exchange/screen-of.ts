// Whether a response is screened, and with what.

import type { ClientExchange } from './client-exchange.ts';
import type { Admitted, ExchangeParts } from './exchange-parts.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { ResponseRoom } from './response-room.ts';
import { ResponseScreen } from './response-screen.ts';

interface Screening {
  readonly admitted: Admitted;
  readonly record: ExchangeRecord;
  readonly room: ResponseRoom;
  readonly end: (error: ProxyError) => void;
}

/** Undefined where its rule does not say so. */
export function screenOf(
  client: ClientExchange,
  { credentials, limits }: Pick<ExchangeParts, 'credentials' | 'limits'>,
  { admitted, record, room, end }: Screening,
): ResponseScreen | undefined {
  const { screen } = admitted.decision;
  if (screen === undefined) return undefined;
  const { table } = credentials.leaks;
  const none = new Set<string>();
  return new ResponseScreen({
    client,
    screen,
    canaries: { table, kinds: new Set(['canary']), own: none, allowed: none, placeholders: [] },
    limits,
    keep: (octets) => room.keep(octets),
    onMark: (fact) => record.screened(fact),
    fail: end,
  });
}
