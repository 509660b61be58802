// An audit event of an exchange as spans: one of the exchange, and one of each stage that it went through. Names and attributes are those of
// OpenTelemetry's semantic conventions for HTTP where these are stable. There is no query, no header and no body in them.

import type { AuditEvent } from '../../api/audit-event.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { parseIsoTime } from '../audit/event-identity.ts';
import { forwardSpan, traceOf } from './trace-context.ts';
import { spanIdOf } from './trace-sampling.ts';

export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue | undefined>>;

/** As numbers of the protocol: INTERNAL, SERVER, CLIENT. */
export const spanKinds = { internal: 1, server: 2, client: 3 } as const;

export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly kind: keyof typeof spanKinds;
  readonly name: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly attributes: Attributes;
  readonly isError: boolean;
  readonly events: readonly { readonly name: string; readonly atMs: number }[];
}

/** The methods that the conventions name; another would let who asks make names. */
const knownMethods: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'DELETE',
  'CONNECT',
  'OPTIONS',
  'TRACE',
  'PATCH',
]);

/** None for an event that was not measured: a gateway was killed before its exchange ended. */
export function exchangeSpans(event: AuditEvent): readonly Span[] {
  const { durationMs, kind } = event;
  if (durationMs === undefined || (kind !== 'exchange' && kind !== 'stream')) return [];
  const beganMs = parseIsoTime(event.time);
  const { traceId, ...parent } = traceOf(event);
  const rootId = spanIdOf(event.traceId, 0);
  const root: Span = {
    traceId,
    spanId: rootId,
    ...parent,
    kind: 'server',
    name: kind === 'stream' ? 'stream' : methodOf(event).name,
    startMs: beganMs,
    endMs: beganMs + durationMs,
    attributes: { ...requestAttributes(event), ...ownAttributes(event) },
    isError: event.verdict === 'error' || (event.status ?? 0) >= 500,
    events: [],
  };
  const stages = stagesOf(event, durationMs).map((stage): Span => ({
    traceId,
    spanId: spanIdOf(event.traceId, stageNumbers[stage.name]),
    parentSpanId: rootId,
    kind: stage.name === 'forward' ? 'client' : 'internal',
    name: stage.name,
    startMs: beganMs + stage.fromMs,
    endMs: beganMs + Math.max(stage.fromMs, stage.toMs),
    attributes: stage.attributes ?? {},
    isError: stage.isError ?? false,
    events: (stage.events ?? []).map(({ name, ms }) => ({ name, atMs: beganMs + ms })),
  }));
  return [root, ...stages];
}

/** Of their spans: the origin is told that of `forward` before the others are known. */
const stageNumbers = { decide: 1, resolve: 2, dial: 3, tls: 4, forward: forwardSpan } as const;

interface Stage {
  readonly name: keyof typeof stageNumbers;
  readonly fromMs: number;
  readonly toMs: number;
  readonly attributes?: Attributes;
  readonly isError?: boolean;
  readonly events?: readonly { readonly name: string; readonly ms: number }[];
}

function stagesOf(event: AuditEvent, durationMs: number): readonly Stage[] {
  const { times = {}, address } = event;
  const { queuedMs = 0, decidedMs, resolvedMs, dialledMs, securedMs } = times;
  const stages: Stage[] = [];
  let fromMs = queuedMs;
  const stage = (name: Stage['name'], toMs: number | undefined, attributes: Attributes = {}): void => {
    if (toMs === undefined) return;
    stages.push({ name, fromMs, toMs, attributes });
    fromMs = Math.max(fromMs, toMs);
  };
  stage('decide', decidedMs, {
    'upstreamproxy.rule': bounded(event.rule),
    'upstreamproxy.policy_version': event.policyVersion,
  });
  stage('resolve', resolvedMs, { 'server.address': bounded(event.host) });
  stage('dial', dialledMs, { ...peerOf(address) });
  stage('tls', securedMs, { 'server.address': bounded(event.host) });
  if (address === undefined) return stages;
  const { sentMs, firstByteMs, lastByteMs } = times;
  const isFailed = (event.status ?? 0) >= 400 || event.verdict === 'error';
  return [
    ...stages,
    {
      name: 'forward',
      fromMs,
      toMs: lastByteMs ?? durationMs,
      isError: isFailed,
      attributes: {
        ...requestAttributes(event),
        ...peerOf(address),
        'url.full': fullUrl(event),
        'network.protocol.version': versionOf(event.upstreamProtocol),
        'upstreamproxy.connection': event.connection,
      },
      events: [
        ...(sentMs === undefined ? [] : [{ name: 'sent', ms: sentMs }]),
        ...(firstByteMs === undefined ? [] : [{ name: 'first byte', ms: firstByteMs }]),
      ],
    },
  ];
}

function requestAttributes(event: AuditEvent): Attributes {
  const { host, port, scheme, protocol, status, errorCode } = event;
  const isFailed = errorCode !== undefined || (status ?? 0) >= 500;
  return {
    ...methodOf(event).attributes,
    'url.scheme': scheme,
    'url.path': pathOf(event),
    'server.address': bounded(host),
    'server.port': port,
    'network.protocol.name': event.kind === 'exchange' ? 'http' : undefined,
    'network.protocol.version': versionOf(protocol),
    'http.response.status_code': status,
    'error.type': isFailed ? (errorCode ?? String(status)) : undefined,
  };
}

function ownAttributes(event: AuditEvent): Attributes {
  return {
    'upstreamproxy.event_id': event.id,
    'upstreamproxy.trace_id': event.traceId,
    'upstreamproxy.verdict': event.verdict,
    'upstreamproxy.rule': bounded(event.rule),
    'upstreamproxy.policy_version': event.policyVersion,
    'upstreamproxy.session_id': bounded(event.sessionId),
    'upstreamproxy.principal': bounded(event.principal),
    'upstreamproxy.limit': event.limit,
    'upstreamproxy.request_bytes': event.requestBytes,
    'upstreamproxy.response_bytes': event.responseBytes,
  };
}

function methodOf({ method, kind }: AuditEvent): { readonly name: string; readonly attributes: Attributes } {
  if (kind === 'stream' || method === undefined) return { name: 'HTTP', attributes: {} };
  if (knownMethods.has(method)) return { name: method, attributes: { 'http.request.method': method } };
  return {
    name: 'HTTP',
    attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': bounded(method) },
  };
}

/** Without the query. Of a request that was refused before it was read it is not known where one begins. */
function pathOf({ path }: AuditEvent): string | undefined {
  if (path === undefined || !path.startsWith('/')) return undefined;
  return bounded(path.split(/[?#]/, 1)[0]);
}

function fullUrl(event: AuditEvent): string | undefined {
  const { scheme, host, port } = event;
  const path = pathOf(event);
  if (scheme === undefined || host === undefined || path === undefined) return undefined;
  const authority = host.includes(':') ? `[${host}]` : host;
  return `${scheme}://${bounded(authority)}${port === undefined ? '' : `:${port}`}${path}`;
}

/** Behind a proxy the address is `via HOST:PORT`: that of the proxy. */
function peerOf(address: string | undefined): Attributes {
  return { 'network.peer.address': bounded(address) };
}

/** Of `HTTP/1.1`, `h2` and their like. */
function versionOf(protocol: string | undefined): string | undefined {
  if (protocol === undefined) return undefined;
  return protocol.replace(/^(?:HTTP\/|http\/|h)/, '');
}

function bounded(text: string | undefined): string | undefined {
  const max = defaultLimits.telemetryTextCharactersMax;
  return text === undefined || text.length <= max ? text : text.slice(0, max);
}
