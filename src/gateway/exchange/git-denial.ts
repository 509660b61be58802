// The response to a push that is not allowed, in git's own words, so that git prints the reason beside each ref.
// https://git-scm.com/docs/pack-protocol ("Report Status", "side-band")

import { isReported, pushReport } from '../git/push-report.ts';
import type { RefusedPush } from '../git/refused-push.ts';
import type { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { HeaderList } from '../../http/header-list.ts';
import type { ProxyError } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ClientExchange } from './client-exchange.ts';
import { type Denial, denialText } from './denial.ts';
import type { ExchangeRecord } from './exchange-record.ts';
import { refuse } from './refusal.ts';
import type { RefusalResponse } from './refusal.ts';

/** Takes what is left of the push, up to a limit, and responds. */
export async function refusePush(
  client: ClientExchange,
  error: ProxyError,
  record: ExchangeRecord,
  { push, limits }: { readonly push: RefusedPush; readonly limits: Limits },
): Promise<void> {
  // Without a report the client takes 200 for success.
  if (!isReported(push.commands)) {
    refuse(client, error, record);
    return;
  }
  await dropRest(client.body, client.signal, limits);
  refuse(client, error, record, (denial) => reportResponse(denial, push));
}

/** Resolves when the body is over or broken, at the limit, or at the deadline: the response then goes out as it is. */
async function dropRest(body: Readable, signal: AbortSignal, limits: Limits): Promise<void> {
  if (body.readableEnded || body.destroyed || signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = (): void => {
    resolve(undefined);
  };
  let left = limits.refusedPushBytesMax;
  const onData = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) done();
  };
  const timer = setTimeout(done, limits.refusedPushTimeoutMs);
  body.on('data', onData).once('end', done).once('error', done).once('close', done);
  signal.addEventListener('abort', done, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    body.pause();
    body.off('data', onData).off('end', done).off('error', done).off('close', done);
    signal.removeEventListener('abort', done);
  }
}

function reportResponse(denial: Denial, push: RefusedPush): RefusalResponse {
  const body = pushReport(denial.message, denialText(denial), push);
  const headers = new HeaderList([
    ['content-type', 'application/x-git-receive-pack-result'],
    ['cache-control', 'no-store'],
    ['x-deny-reason', denial.code],
    ['x-trace-id', denial.traceId],
    ['content-length', String(body.length)],
  ]);
  return { head: { status: 200, headers }, body };
}
