// What takes minutes at a gateway elsewhere: how far it is, and what comes of it at the end.

import type { AdminConnection } from '../../admin/admin-connection.ts';
import type { AuditEvent } from '../../api/audit-event.ts';
import { ProxyError } from '../../protocol/error.ts';
import { serverBackend } from './server-backend.ts';

/** @throws ProxyError admin_unreachable where it ends without a result, and as what is followed */
export async function lastOf<Told extends { readonly looked: number }, Result>(
  told: AsyncIterable<Told>,
  resultOf: (told: Told) => Result | undefined,
  onSeen: (events: number) => void,
): Promise<Result> {
  for await (const one of told) {
    const result = resultOf(one);
    if (result !== undefined) return result;
    onSeen(one.looked);
  }
  throw new ProxyError('admin_unreachable', 'it ended before there was a result; its log may say why');
}

/** All events of a gateway elsewhere that one may see, the oldest first. */
export async function* eventsAtServer(
  connection: AdminConnection,
  fromMs: number | undefined,
): AsyncGenerator<AuditEvent> {
  const backend = serverBackend(connection);
  let behind: string | undefined;
  do {
    const { events, next } = await backend.eventsInTime({ fromMs }, behind, undefined);
    yield* events;
    behind = next;
  } while (behind !== undefined);
}
