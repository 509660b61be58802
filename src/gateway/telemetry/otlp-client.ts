// One request to a collector (OTLP/HTTP, binary): the response says whether it is taken, may come again or never (§ "OTLP/HTTP Response").

import type { Secret } from '../../protocol/secret.ts';
import { fetchReason, type ServiceOctetFetch, type ServiceOctets } from '../forward/service-fetch.ts';
import type { ClientCertificate } from '../credentials/sources/client-certificate.ts';
import { type Delivery, laterBy } from './delivery-queue.ts';
import { refusedItems } from './otlp-writer.ts';

export interface OtlpClientOptions {
  /** Without the path of a signal. */
  readonly endpoint: string;
  /** Asked for each request: a token may change. */
  readonly headers: () => Promise<Readonly<Record<string, Secret<string>>>>;
  readonly ca: readonly string[];
  /** Shown to a collector that asks for one. */
  readonly client?: ClientCertificate;
  readonly fetch: ServiceOctetFetch;
  readonly timeoutMs: number;
}

export type OtlpSignal = 'traces' | 'logs' | 'metrics';
export type OtlpSend = (signal: OtlpSignal, body: Uint8Array, end: AbortSignal) => Promise<Delivery>;

/** Those that the protocol calls retryable. */
const laterStatuses: ReadonlySet<number> = new Set([429, 502, 503, 504]);

/** Never throws. */
export function otlpClient(options: OtlpClientOptions): OtlpSend {
  const { endpoint, ca, client, fetch, timeoutMs } = options;
  return async (signal, body, end) => {
    try {
      const secrets = await options.headers();
      const headers = Object.fromEntries(
        Object.entries(secrets).map(([name, secret]) => [name, secret.reveal()]),
      );
      const shown = await client?.();
      const response = await fetch(`${endpoint}/v1/${signal}`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-protobuf' },
        body,
        timeoutMs,
        signal: end,
        ...(ca.length === 0 ? {} : { ca }),
        ...(shown === undefined ? {} : { client: shown }),
      });
      return judged(response);
    } catch (error) {
      // Of a credential or a connection; neither has anything of a header.
      return { outcome: 'later', reason: fetchReason(error) };
    }
  };
}

function judged({ status, octets, retryAfter }: ServiceOctets): Delivery {
  if (status >= 200 && status < 300) return { outcome: 'taken', refused: refusedItems(octets) };
  const reason = `the collector responds with status ${status}`;
  if (!laterStatuses.has(status)) return { outcome: 'refused', reason };
  return laterBy(retryAfter, reason);
}
