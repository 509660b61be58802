// One message to a receiver of notices, and what its response says.

import type { Secret } from '../../protocol/secret.ts';
import { fetchReason, isServiceUrl, type ServiceOctetFetch } from '../forward/service-fetch.ts';
import { type Delivery, laterBy } from '../telemetry/delivery-queue.ts';
import { signedFields, webhookKey } from './standard-webhook.ts';

export interface NoticeSender {
  readonly name: string;
  /** Asked for each message: a file may change. */
  readonly url: () => Promise<Secret<string>>;
  readonly secret: (() => Promise<Secret<string>>) | undefined;
  readonly contentType: string;
  readonly ca: readonly string[];
  readonly fetch: ServiceOctetFetch;
  readonly timeoutMs: number;
  readonly clock: () => number;
}

export interface NoticeMessage {
  readonly id: string;
  readonly body: string;
}

const laterStatuses: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Never throws. */
export async function sendNotice(
  sender: NoticeSender,
  { id, body }: NoticeMessage,
  signal: AbortSignal,
): Promise<Delivery> {
  const { name, secret, contentType, ca, fetch, timeoutMs, clock } = sender;
  try {
    const url = (await sender.url()).reveal().trim();
    if (!isServiceUrl(url)) return { outcome: 'later', reason: 'its URL is not https' };
    const key =
      secret === undefined ? undefined : webhookKey((await secret()).reveal(), `of notices.${name}`);
    const timestamp = Math.floor(clock() / 1000);
    const { status, retryAfter } = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': contentType,
        ...(key === undefined ? {} : signedFields(key, { id, timestamp, body })),
      },
      body,
      timeoutMs,
      signal,
      ...(ca.length === 0 ? {} : { ca }),
    });
    if (status >= 200 && status < 300) return { outcome: 'taken', refused: 0 };
    const reason = `the receiver responds with status ${status}`;
    if (!laterStatuses.has(status)) return { outcome: 'refused', reason };
    return laterBy(retryAfter, reason);
  } catch (error) {
    // Neither the error nor its cause has the URL, whose path may be a secret.
    return { outcome: 'later', reason: fetchReason(error) };
  }
}
