// What a gateway elsewhere kept of an exchange or a shell.

import type { AdminConnection } from '../../admin/admin-connection.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { ShownBodies } from './operator-backend.ts';

/** With all lines of a recording, which come in parts. */
export async function wholeBodies(connection: AdminConnection, id: string): Promise<ShownBodies> {
  const first = await connection.ask('exchangeBodies', { id });
  if (first.recording === undefined) return first;
  const parts = [first.recording.cast];
  let { next } = first.recording;
  while (next !== undefined) {
    const { recording }: ShownBodies = await connection.ask('exchangeBodies', {
      id,
      query: { from: String(next) },
    });
    if (recording === undefined || (recording.next ?? Infinity) <= next)
      throw new ProxyError('admin_unreachable', 'its parts do not lead on: it is no admin API of ours');
    parts.push(recording.cast);
    next = recording.next;
  }
  const { bytes, whole } = first.recording;
  return { ...first, recording: { cast: parts.join(''), bytes, whole } };
}
