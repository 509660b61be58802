// What an operation tells that goes on for minutes: how far it is, and what comes of it at the end.

import { type AdminOperation, adminRoutes, type OutputOf } from '../api/admin/routes.ts';
import { faultReason } from '../protocol/fault-reason.ts';
import { defaultLimits } from '../protocol/limits.ts';
import type { AdminConnection, Question } from './admin-connection.ts';
import { AdminError } from './admin-error.ts';
import { EventLines } from './event-lines.ts';
import { requireWanted } from './retried-call.ts';

export type Telling = 'replayWhole' | 'verifyAudit';

/** One after the other, until it ends. Who stops reading ends it. @throws AdminError, ProxyError cancelled */
export async function* toldResults<Operation extends Telling>(
  connection: AdminConnection,
  operation: Operation,
  question: Pick<Question, 'body'>,
  signal?: AbortSignal,
): AsyncGenerator<OutputOf<Operation>> {
  // It says that it is alive each 15 s.
  const silent = new AbortController();
  const timer = setTimeout(() => silent.abort(), defaultLimits.adminResponseTimeoutMs);
  try {
    const either = signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]);
    const response = await connection.follow(operation, question, either);
    const lines = new EventLines();
    for await (const octets of response as AsyncIterable<Uint8Array>) {
      timer.refresh();
      for (const { data } of lines.push(octets)) yield read(operation, data);
    }
  } catch (error) {
    if (error instanceof AdminError) throw error;
    requireWanted(signal);
    const why = silent.signal.aborted ? 'nothing came for too long' : faultReason(error);
    const fault = { server: connection.place, operation, cause: error };
    throw new AdminError('admin_unreachable', `${connection.place}: ${why}`, fault);
  } finally {
    clearTimeout(timer);
    silent.abort();
  }
}

function read<Operation extends AdminOperation>(operation: Operation, data: string): OutputOf<Operation> {
  const value: unknown = JSON.parse(data);
  if (!adminRoutes[operation].output.safeParse(value).success)
    throw new Error('what responds there is no admin API that this program knows');
  // It fits the schema of this operation; what a later version has beside that is kept.
  return value as OutputOf<Operation>;
}
