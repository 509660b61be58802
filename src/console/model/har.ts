// Exchanges as an HTTP Archive (HAR 1.2), which the developer tools of browsers open. Fields and bodies are not recorded, so the archive has none; what is
// ours stands in names of their own.

import type { AuditEvent } from '../../api/audit-event.ts';
import { plainText } from './clean-text.ts';
import { urlOf } from './event-facts.ts';

/** Those among the events that were requests. */
export function harOf(events: readonly AuditEvent[], version: string): object {
  return {
    log: {
      version: '1.2',
      creator: { name: 'upstreamproxy', version },
      entries: events.flatMap((event) => entryOf(event) ?? []),
    },
  };
}

function entryOf(event: AuditEvent): object | undefined {
  const url = urlOf(event);
  const { method, kind, time, durationMs, address, connection } = event;
  if (url === undefined || method === undefined || kind !== 'exchange') return undefined;
  const timings = timingsOf(event);
  return {
    startedDateTime: time,
    time: durationMs ?? sumOf(timings),
    request: {
      method,
      url: inAscii(url),
      httpVersion: event.protocol ?? 'unknown',
      cookies: [],
      headers: [],
      queryString: queryOf(url),
      headersSize: -1,
      bodySize: event.requestBytes ?? -1,
    },
    response: {
      status: event.status ?? 0,
      statusText: '',
      httpVersion: event.upstreamProtocol ?? 'unknown',
      cookies: [],
      headers: [],
      content: { size: event.responseBytes ?? 0, mimeType: 'x-unknown' },
      redirectURL: '',
      headersSize: -1,
      bodySize: event.responseBytes ?? -1,
    },
    cache: {},
    timings,
    ...(address === undefined || address.startsWith('via ') ? {} : { serverIPAddress: address }),
    ...(connection === undefined ? {} : { comment: `${connection} connection` }),
    _upstreamproxy: oursOf(event),
  };
}

/** By name; no value of a credential is in an event. */
function oursOf(event: AuditEvent): object {
  const { id, traceId, verdict, rule, errorCode, sessionId, policyVersion, injected, observed } = event;
  return { id, traceId, verdict, rule, errorCode, sessionId, policyVersion, injected, observed };
}

/** Each stage begins where the one before it was over; -1: there was none (HAR 1.2, timings). */
function timingsOf({ times = {}, durationMs = 0 }: AuditEvent): Readonly<Record<string, number>> {
  const { queuedMs, decidedMs, resolvedMs, dialledMs, securedMs, sentMs, firstByteMs, lastByteMs } = times;
  let at = 0;
  const until = (ms: number | undefined): number => {
    if (ms === undefined) return -1;
    const took = Math.max(0, ms - at);
    at = Math.max(at, ms);
    return took;
  };
  const blocked = until(decidedMs ?? queuedMs);
  const dns = until(resolvedMs);
  const connect = until(securedMs ?? dialledMs);
  const ssl = securedMs === undefined || dialledMs === undefined ? -1 : Math.max(0, securedMs - dialledMs);
  const send = Math.max(0, until(sentMs));
  const wait = Math.max(0, until(firstByteMs));
  const receive = Math.max(0, until(lastByteMs ?? Math.max(at, durationMs)));
  return { blocked, dns, connect, ssl, send, wait, receive };
}

/** TLS is part of connecting. */
function sumOf(timings: Readonly<Record<string, number>>): number {
  return Object.entries(timings).reduce(
    (sum, [name, ms]) => (name === 'ssl' ? sum : sum + Math.max(0, ms)),
    0,
  );
}

/** As it stands: what would not decode is given as it is. */
function queryOf(url: string): readonly { readonly name: string; readonly value: string }[] {
  const at = url.indexOf('?');
  if (at < 0) return [];
  return [...new URLSearchParams(url.slice(at + 1))].map(([name, value]) => ({
    name: plainText(name, Number.POSITIVE_INFINITY),
    value: plainText(value, Number.POSITIVE_INFINITY),
  }));
}

function inAscii(url: string): string {
  return url.toWellFormed().replaceAll(/[^\x21-\x7e]/gu, (character) => encodeURIComponent(character));
}
