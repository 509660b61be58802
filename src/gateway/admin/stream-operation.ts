// Operations that go on: events as they are stored, and looks over the whole audit. Each ends when the token does, or who asks has gone.

import type { ServerResponse } from 'node:http';
import type { AdminOperation, StreamingOperation } from '../../api/admin/routes.ts';
import { RepeatedLook } from '../../system/repeated-look.ts';
import type { AdminParts, Asked } from './admin-parts.ts';
import { followEvents } from './event-operations.ts';
import { isStillKnown } from './operator.ts';
import { openWholeReplay } from './replay-operations.ts';
import { sendEvents } from './send-events.ts';
import { openVerification } from './verify-operation.ts';

/** What a revoked token still follows ends within 2 s. */
const stillKnownIntervalMs = 1000;

export interface Streaming {
  readonly response: ServerResponse;
  readonly log: (level: 'error', message: string) => void;
}

/** @throws ProxyError limit_exceeded, and what the operation throws before its first event */
export async function streamOperation(
  operation: StreamingOperation,
  parts: AdminParts,
  asked: Asked<AdminOperation>,
  { response, log }: Streaming,
): Promise<void> {
  using _place = operation === 'follow' ? await parts.followers.join() : parts.wholeAudit.begin();
  const ended = new AbortController();
  await using look = new RepeatedLook({
    look: async () => {
      if (!(await isStillKnown(parts.operators, asked.operator, parts.clock()))) ended.abort();
    },
    intervalMs: stillKnownIntervalMs,
    onFault: ({ message }) => log('error', `admin API: ${message}`),
  });
  look.start();
  const signal = AbortSignal.any([ended.signal, asked.signal]);
  await sendEvents(response, await opened(operation, parts, asked, signal), signal);
}

/** `asked` was read by the schemas of that operation. */
async function opened(
  operation: StreamingOperation,
  parts: AdminParts,
  asked: Asked<AdminOperation>,
  signal: AbortSignal,
): Promise<AsyncIterable<object & { readonly id?: string }>> {
  switch (operation) {
    case 'follow':
      return await followEvents(parts, asked as unknown as Asked<'follow'>, signal);
    case 'replayWhole':
      return await openWholeReplay(parts, asked as unknown as Asked<'replayWhole'>, signal);
    case 'verifyAudit':
      return openVerification(parts, asked as unknown as Asked<'verifyAudit'>, signal);
  }
}
