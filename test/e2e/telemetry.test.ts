// Telemetry of a gateway, as a collector gets it: traces from client to origin, events and metrics, and nothing that is secret. A collector
// that never responds costs its events and no request.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { join } from 'node:path';
import { test } from 'node:test';

import { canary } from '../support/canary.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { httpsOrigin, type SeenRequest } from '../support/origin.ts';
import { attributesOf, type Decoded, hexOf, otlpReceiver } from '../support/otlp-receiver.ts';
import { syslogReceiver } from '../support/syslog-receiver.ts';
import { waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const secret = canary('telemetry');
const token = canary('telemetry-header');
const authority = createTestAuthority();

interface Scene extends AsyncDisposable {
  readonly set: Deployment;
  readonly seen: readonly SeenRequest[];
  readonly get: (
    path: string,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<{ readonly status: number; readonly body: string }>;
}

async function openScene(telemetry: object, config: object = {}): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const origin = stack.use(await httpsOrigin({ authority, defaultHost: 'api.test' }));
  const { port } = origin;
  const set = stack.use(
    await deploy({
      rules: [
        {
          name: 'api',
          hosts: ['api.test'],
          ports: [port],
          paths: ['/hello', '/status/**', '/reflect'],
          addresses: ['127.0.0.1'],
          inject: 'api',
        },
        {
          name: 'continued',
          hosts: ['api.test'],
          ports: [port],
          paths: '/echo',
          addresses: ['127.0.0.1'],
          trace: 'continue',
        },
      ],
      hosts: { 'api.test': '127.0.0.1' },
      credentials: { api: { kind: 'bearer', source: { env: 'API_TOKEN' } } },
      // What is of OpenTelemetry in the environment is for other programs.
      environment: {
        API_TOKEN: secret,
        COLLECTOR_TOKEN: token,
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
        OTEL_SDK_DISABLED: 'true',
        OTEL_SERVICE_NAME: 'another',
        OTEL_TRACES_SAMPLER: 'always_off',
      },
      authority,
      config: { telemetry, ...config },
    }),
  );
  const agent = stack.use(await set.startAgent());
  const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
  const connection = await agentThrough({ relayPort: agent.relayPort, host: 'api.test', port, ca });
  stack.defer(() => connection.destroy());
  const get: Scene['get'] = async (
    path,
    headers = {},
  ): Promise<{ readonly status: number; readonly body: string }> => {
    const request = https.get({ agent: connection, host: 'api.test', port, path, headers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return { status: response.statusCode ?? 0, body: await text(response) };
  };
  const owned = stack.move();
  return { set, seen: origin.requests, get, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a collector sees the way of a request from client to origin, the audit and the metrics, and no secret', async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await otlpReceiver({ authority }));
  const siem = stack.use(await syslogReceiver(authority));
  const folder = stack.use(await temporaryDirectory()).path;
  const ca = join(folder, 'collector-ca.pem');
  await writeFile(ca, authority.caPem);
  const { set, get } = stack.use(
    await openScene({
      otlp: {
        endpoint: `https://127.0.0.1:${receiver.port}/`,
        headers: { 'X-Collector-Token': { env: 'COLLECTOR_TOKEN' } },
        ca,
        tracesSampled: 1,
        logs: true,
        metricsIntervalSeconds: 1,
        resource: { 'deployment.environment.name': 'test' },
      },
      syslog: { address: `127.0.0.1:${siem.port}`, ca, hostname: 'gateway.test' },
    }),
  );
  assert.equal((await get(`/hello?key=${secret}`)).status, 200);
  assert.equal((await get('/denied')).status, 403);
  assert.equal((await get('/status/503')).status, 503);
  const roots = () => receiver.spans().filter(({ parentSpanId }) => parentSpanId === undefined);
  const exchanges = () => roots().filter((span) => attributesOf(span)['http.request.method'] === 'GET');
  await receiver.until(
    () =>
      exchanges().length === 3 &&
      receiver.records().filter(({ eventName }) => eventName === 'upstreamproxy.exchange').length === 3 &&
      receiver.metrics().length > 0,
  );
  const rootOf = (path: string): Decoded => {
    const found = exchanges().find((span) => attributesOf(span)['url.path'] === path);
    assert.ok(found, path);
    return found;
  };
  const below = (root: Decoded) =>
    receiver
      .spans()
      .filter(
        ({ parentSpanId }) => parentSpanId !== undefined && hexOf(parentSpanId) === hexOf(root['spanId']),
      );
  const hello = rootOf('/hello');
  assert.equal(hello['kind'], 'SPAN_KIND_SERVER');
  const stages = below(hello);
  assert.deepEqual(
    stages.map(({ name }) => name),
    ['decide', 'resolve', 'dial', 'tls', 'forward'],
  );
  for (const stage of stages) {
    assert.equal(hexOf(stage['traceId']), hexOf(hello['traceId']));
    assert.ok(BigInt(stage['startTimeUnixNano']) >= BigInt(hello['startTimeUnixNano']));
    assert.ok(BigInt(stage['endTimeUnixNano']) <= BigInt(hello['endTimeUnixNano']));
  }
  const attributes = attributesOf(hello);
  assert.equal(attributes['http.response.status_code'], '200');
  assert.equal(attributes['server.address'], 'api.test');
  assert.equal(attributes['upstreamproxy.rule'], 'api');
  assert.equal(attributesOf(stages[4] ?? {})['network.peer.address'], '127.0.0.1');
  assert.deepEqual(
    below(rootOf('/denied')).map(({ name }) => name),
    ['decide'],
  );
  assert.equal(rootOf('/status/503')['status'].code, 'STATUS_CODE_ERROR');
  // The same id as in the audit.
  const events = await set.audit();
  const event = events.find(({ path }) => String(path).startsWith('/hello'));
  assert.equal(event?.['traceId'], hexOf(hello['traceId']));
  assert.ok(receiver.records().some(({ body }) => JSON.parse(body.stringValue).id === event['id']));
  assert.ok(receiver.metrics().some(({ name }) => name === 'upstreamproxy.exchange_duration_seconds'));
  for (const { headers, message } of receiver.received) {
    assert.equal(headers['x-collector-token'], token);
    assert.equal(JSON.stringify(message).includes(token), false);
  }
  const first = receiver.received.find(({ path }) => path === '/v1/traces');
  const resource = attributesOf(first?.message['resourceSpans'][0].resource);
  assert.equal(resource['service.name'], 'upstreamproxy');
  assert.equal(resource['deployment.environment.name'], 'test');
  const messageOf = () => siem.messages.find(({ parameters }) => parameters['id'] === event['id']);
  await siem.until(() => messageOf() !== undefined);
  assert.equal(messageOf()?.hostname, 'gateway.test');
  assert.deepEqual(JSON.parse(messageOf()?.text ?? ''), event);
  // The query with the secret is the workload's own, and in the audit's logs alone.
  const traces = JSON.stringify(receiver.received.filter(({ path }) => path === '/v1/traces'));
  assert.equal(traces.includes(secret), false);
});

test('a collector that never responds holds up no request, and what it does not take is counted', async () => {
  await using stack = new AsyncDisposableStack();
  const sockets = new Set<Socket>();
  const silent = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  stack.defer(() => {
    silent.close();
    for (const socket of sockets) socket.destroy();
  });
  const metricsPort = await freePort();
  const { get } = stack.use(
    await openScene(
      {
        otlp: {
          endpoint: `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
          tracesSampled: 1,
          logs: true,
          metrics: false,
        },
      },
      { metrics: { port: metricsPort }, limits: { telemetryQueueEventsMax: 5, telemetryTimeoutMs: 600_000 } },
    ),
  );
  for (let i = 0; i < 40; i += 1) assert.equal((await get('/hello')).status, 200);
  const metrics = async (): Promise<string> => {
    const request = http.get({ host: '127.0.0.1', port: metricsPort, path: '/metrics' });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return text(response);
  };
  await waitUntil('the drops are counted', async () =>
    /telemetry_events_total\{receiver="traces",outcome="dropped"\} 3[0-9]\n/.test(await metrics()),
  );
  assert.match(await metrics(), /limit_hits_total\{limit="telemetryQueueEventsMax"\} \d+\n/);
  assert.match(await metrics(), /events_total\{kind="exchange",verdict="allow",code="",action=""\} 40\n/);
});

test("a rule goes on with the client's trace, to the origin; without it the client's field passes as it is", async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await otlpReceiver());
  const { get, seen } = stack.use(
    await openScene({
      // So few that no other exchange is in it.
      otlp: { endpoint: `http://127.0.0.1:${receiver.port}`, tracesSampled: 0.000_000_001, metrics: false },
    }),
  );
  const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
  const traceparent = `00-${traceId}-${spanId}-01`;
  const unsampled = `00-${traceId}-${spanId}-00`;
  assert.equal((await get('/hello', { traceparent })).status, 200);
  assert.equal((await get('/echo', { traceparent: unsampled })).status, 200);
  assert.equal((await get('/echo', { traceparent, tracestate: 'a=1' })).status, 200);
  await receiver.until(() => receiver.spans().length > 0);
  assert.deepEqual(
    seen.slice(0, 2).map(({ headers }) => headers['traceparent']),
    [traceparent, unsampled],
  );
  const spans = receiver.spans();
  for (const span of spans) assert.equal(hexOf(span['traceId']), traceId);
  const root = spans.find(({ kind }) => kind === 'SPAN_KIND_SERVER');
  const forward = spans.find(({ name }) => name === 'forward');
  assert.ok(root !== undefined && forward !== undefined);
  assert.equal(hexOf(root['parentSpanId']), spanId);
  assert.equal(attributesOf(root)['url.path'], '/echo');
  assert.equal(seen[2]?.headers['traceparent'], `00-${traceId}-${hexOf(forward['spanId'])}-01`);
  assert.equal(seen[2]?.headers['tracestate'], 'a=1');
  assert.equal(spans.filter(({ kind }) => kind === 'SPAN_KIND_SERVER').length, 1);
});

test('of several workers each sends its own events, and one of them the metrics of all', async () => {
  await using stack = new AsyncDisposableStack();
  const receiver = stack.use(await otlpReceiver());
  const { get } = stack.use(
    await openScene(
      {
        otlp: {
          endpoint: `http://127.0.0.1:${receiver.port}`,
          tracesSampled: 1,
          metricsIntervalSeconds: 1,
        },
      },
      { workers: 2 },
    ),
  );
  for (let i = 0; i < 4; i += 1) assert.equal((await get('/hello')).status, 200);
  const metricsSent = () => receiver.received.filter(({ path }) => path === '/v1/metrics');
  const allowed = (): number =>
    receiver
      .metrics()
      .filter(({ name }) => name === 'upstreamproxy.events')
      .flatMap(({ sum }) => sum.dataPoints)
      .filter((point) => attributesOf(point)['verdict'] === 'allow')
      .reduce((most, { asDouble }) => Math.max(most, asDouble), 0);
  const helloCount = (): number =>
    receiver
      .spans()
      .filter((span) => attributesOf(span)['url.path'] === '/hello' && span['kind'] === 'SPAN_KIND_SERVER')
      .length;
  await receiver.until(() => metricsSent().length >= 3 && allowed() === 4 && helloCount() === 4);
  const senders = metricsSent().map(
    ({ message }) => attributesOf(message['resourceMetrics'][0].resource)['service.instance.id'],
  );
  assert.equal(new Set(senders).size, 1);
});
