// Server-sent events (WHATWG HTML §9.2): one JSON object each, where it has an id with that, so that who was cut off goes on behind it.

import type { ServerResponse } from 'node:http';
import { defaultLimits } from '../../protocol/limits.ts';

/** Balancers close what is silent; a comment is no event. */
const heartbeatMs = 15_000;

/** Sends all of them, as fast as they are read. Resolves when there are no more, or nobody reads. */
export async function sendEvents(
  response: ServerResponse,
  events: AsyncIterable<object & { readonly id?: string }>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.write(': follows\n\n');
  const heartbeat = setInterval(() => {
    if (response.writableLength === 0) response.write(': alive\n\n');
  }, heartbeatMs);
  heartbeat.unref();
  try {
    for await (const event of events) {
      const id = event.id === undefined ? '' : `id: ${event.id}\n`;
      response.write(`${id}data: ${JSON.stringify(event)}\n\n`);
      if (response.writableLength > defaultLimits.adminFollowerBytesMax) await drained(response, signal);
    }
  } finally {
    clearInterval(heartbeat);
    response.end();
  }
}

async function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
    signal.addEventListener('abort', done);
  });
}
