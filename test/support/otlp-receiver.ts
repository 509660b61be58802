// A collector for tests: takes OTLP over HTTP and reads it by the published files of the protocol, with a library that is not the gateway's.

import { once } from 'node:events';
import http, { type IncomingHttpHeaders, type RequestListener } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';
import type { TestAuthority } from './test-authority.ts';

const folder = fileURLToPath(new URL('otlp-proto/', import.meta.url));

const types = {
  '/v1/traces': 'opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest',
  '/v1/logs': 'opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest',
  '/v1/metrics': 'opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
} as const;
export type OtlpPath = keyof typeof types;

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => `${folder}${target}`;
root.loadSync(
  ['trace/v1/trace', 'logs/v1/logs', 'metrics/v1/metrics'].map(
    (name) => `opentelemetry/proto/collector/${name}_service.proto`,
  ),
);

/** A message as plain data, whose fields the tests name. */
// eslint-disable-next-line typescript/no-explicit-any -- of whatever form the protocol's files give it
export type Decoded = Readonly<Record<string, any>>;

/** As plain data: 64 bit numbers as texts, octets in hex, enums by name. Throws for what is no such message. */
export function readOtlp(path: OtlpPath, octets: Uint8Array): Decoded {
  const type = root.lookupType(types[path]);
  const message = type.decode(octets);
  // What is written again is what came: no field was of an unknown number, which a decoder passes over.
  if (!Buffer.from(type.encode(message).finish()).equals(Buffer.from(octets)))
    throw new Error('it has fields that the protocol does not');
  return JSON.parse(
    JSON.stringify(type.toObject(message, { longs: String, enums: String, bytes: Array, arrays: true })),
  ) as Decoded;
}

/** A response to a batch of which so many items were refused. */
export function partialSuccess(refused: number, text: string): Uint8Array {
  const type = root.lookupType('opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse');
  return type.encode({ partialSuccess: { rejectedSpans: refused, errorMessage: text } }).finish();
}

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly message: Decoded;
}

export interface OtlpReceiver extends AsyncDisposable {
  readonly port: number;
  readonly received: readonly Received[];
  /** All spans, records or metrics so far. */
  spans(): readonly Decoded[];
  records(): readonly Decoded[];
  metrics(): readonly Decoded[];
  /** When the receiver has what makes this true. */
  until(holds: () => boolean): Promise<void>;
}

/** Over TLS where there is an authority, for 127.0.0.1; `respond` takes the place of its responses. */
export async function otlpReceiver(
  options: { readonly authority?: TestAuthority; readonly respond?: RequestListener } = {},
): Promise<OtlpReceiver> {
  const received: Received[] = [];
  const faults: unknown[] = [];
  const waiting = new Set<() => void>();
  const listener: RequestListener = (request, response) => {
    void (async () => {
      const { url: path = '', headers } = request;
      const octets = await buffer(request);
      try {
        received.push({ path, headers, message: readOtlp(path as OtlpPath, octets) });
      } catch (error) {
        faults.push(error);
      }
      for (const look of waiting) look();
      if (options.respond !== undefined) options.respond(request, response);
      else response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
    })();
  };
  const { authority } = options;
  const server =
    authority === undefined
      ? http.createServer(listener)
      : https.createServer(authority.issue('127.0.0.1'), listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const parts = (path: OtlpPath, outer: string, scope: string, inner: string) =>
    received
      .filter((one) => one.path === path)
      .flatMap(({ message }) => message[outer])
      .flatMap((one) => one[scope])
      .flatMap((one) => one[inner]);
  return {
    port: (server.address() as AddressInfo).port,
    received,
    spans: () => parts('/v1/traces', 'resourceSpans', 'scopeSpans', 'spans'),
    records: () => parts('/v1/logs', 'resourceLogs', 'scopeLogs', 'logRecords'),
    metrics: () => parts('/v1/metrics', 'resourceMetrics', 'scopeMetrics', 'metrics'),
    until: async (holds) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const look = (): void => {
        if (faults.length > 0) reject(faults[0]);
        else if (holds()) resolve();
      };
      waiting.add(look);
      look();
      await promise.finally(() => waiting.delete(look));
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

export function hexOf(octets: readonly number[]): string {
  return Buffer.from(octets).toString('hex');
}

/** Attributes as names and values. */
export function attributesOf({ attributes }: Decoded): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    (attributes as { key: string; value: Record<string, unknown> }[]).map(({ key, value }) => [
      key,
      Object.values(value)[0],
    ]),
  );
}
