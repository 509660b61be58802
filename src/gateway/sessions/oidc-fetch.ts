// Fetching the small JSON documents of an issuer: HTTPS only, bounded in time and bytes, no redirects.

import { Buffer } from 'node:buffer';
import { Readable } from 'node:stream';
import { ProxyError } from '../../protocol/error.ts';
import type { ProxyErrorOptions } from '../../protocol/error.ts';
import type { Limits } from '../../protocol/limits.ts';
import type { ServiceFetch } from '../forward/service-fetch.ts';

/** What is needed of a fetch; the platform's own fits. */
export type IssuerFetch = (
  url: string,
  init: {
    readonly signal: AbortSignal;
    readonly redirect: 'error';
    readonly headers: Record<string, string>;
  },
) => Promise<{ readonly status: number; readonly body: AsyncIterable<Uint8Array> | null }>;

/** The gateway's own way to services, as a fetch of documents. The certificates count beside the gateway's roots. */
export function issuerFetch(fetch: ServiceFetch, ca: readonly string[] = []): IssuerFetch {
  const trust = ca.length === 0 ? {} : { ca };
  return async (url, { signal, headers }) => {
    const { status, text } = await fetch(url, { method: 'GET', headers, signal, ...trust });
    return { status, body: Readable.from([Buffer.from(text)]) };
  };
}

/** The JSON behind the URL, of any form. Throws ProxyError `issuer_unavailable` that names the URL. */
export async function fetchIssuerJson(fetch: IssuerFetch, url: string, limits: Limits): Promise<unknown> {
  const fail = (why: string, options: ProxyErrorOptions = {}): ProxyError =>
    new ProxyError('issuer_unavailable', `The issuer's document ${url} cannot be had: ${why}.`, options);
  // Whoever can change the document can make tokens, so a plain connection is never good enough.
  if (!URL.canParse(url) || new URL(url).protocol !== 'https:') throw fail('its URL is not https');
  const signal = AbortSignal.timeout(limits.jwksTimeoutMs);
  try {
    const { status, body } = await fetch(url, {
      signal,
      redirect: 'error',
      headers: { accept: 'application/json' },
    });
    const text = await textOf(body, limits.jwksBytesMax);
    if (status !== 200) throw fail(`status ${status}`);
    if (text === undefined)
      throw fail(`it is longer than ${limits.jwksBytesMax} bytes (jwksBytesMax)`, { limit: 'jwksBytesMax' });
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof ProxyError) throw error;
    const cause = { cause: error };
    if (signal.aborted) {
      const why = `no response within ${limits.jwksTimeoutMs} ms (jwksTimeoutMs)`;
      throw fail(why, { ...cause, limit: 'jwksTimeoutMs' });
    }
    if (error instanceof SyntaxError) throw fail('it is not JSON', cause);
    throw fail(reasonOf(error), cause);
  }
}

/** Undefined if there are more bytes; leaving the loop ends the transfer. */
async function textOf(body: AsyncIterable<Uint8Array> | null, bytesMax: number): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body ?? []) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** fetch hides the reason, such as a refused connection or certificate, in the cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}
