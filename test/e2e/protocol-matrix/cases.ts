// The rows of the protocol matrix. Each runs its clients through agent and gateway and checks both ends.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

import { patternStream } from '../../support/pattern-bytes.ts';
import { waitUntil } from '../../support/program.ts';
import { eventCount, type HttpVersion } from './origin.ts';
import { openForwarder, runClient, runNode, type Scene } from './scene.ts';

export interface Cell {
  readonly scene: Scene;
  readonly client: HttpVersion;
  readonly upstream: HttpVersion;
  /** Unique in the scene. */
  readonly id: string;
}

export interface MatrixCase {
  readonly name: string;
  /** Programs that are the client, by the version that they speak. */
  readonly clients: Readonly<Record<HttpVersion, string>>;
  /** Why there is no such cell; undefined where there is one. */
  readonly absent?: (client: HttpVersion, upstream: HttpVersion) => string | undefined;
  /** Throws if anything is not as it should be. A text is a measurement for the table. */
  run(cell: Cell): Promise<string | void>;
}

const wireVersion = { h1: '1.1', h2: '2' } as const;
const originVersion = { h1: '1.1', h2: '2.0' } as const;

function authorityOf({ scene, upstream }: Cell): string {
  return `${upstream}.test:${scene.origins[upstream].port}`;
}

function urlOf(cell: Cell, path: string, client = ''): string {
  return `https://${authorityOf(cell)}${path}?${cell.id}${client}`;
}

/** The origin got the request, in its own version of HTTP. */
function checkOrigin(cell: Cell, method: string, client = ''): void {
  const seen = cell.scene.origins[cell.upstream].seen(cell.id + client);
  assert.equal(seen?.httpVersion, originVersion[cell.upstream], 'version of HTTP at the origin');
  assert.equal(seen.method, method, 'method at the origin');
}

/** Runs curl; gives what it printed, and fails if it spoke another version or got another status than meant. */
async function curl(
  cell: Cell,
  path: string,
  args: readonly string[],
  expect: CurlExpectation,
): Promise<string> {
  const version = cell.client === 'h1' ? '--http1.1' : '--http2';
  const common = ['-sS', version, '--max-time', '100', '-w', '\n%{http_version} %{response_code}'];
  const output = await runClient(cell.scene, 'curl', [...common, ...args, urlOf(cell, path)], expect.input);
  const at = output.lastIndexOf('\n');
  assert.equal(output.slice(at + 1), `${wireVersion[cell.client]} ${expect.status ?? 200}`);
  checkOrigin(cell, expect.method);
  return output.slice(0, at);
}

interface CurlExpectation {
  readonly method: string;
  readonly status?: number;
  readonly input?: string | Uint8Array;
}

/** nghttp knows no proxy, so it connects to a port that does the CONNECT for it. */
async function nghttp(cell: Cell, path: string, args: readonly string[]): Promise<string> {
  const authority = authorityOf(cell);
  await using forwarder = await openForwarder(cell.scene.agent.relayPort, authority);
  const url = `https://127.0.0.1:${forwarder.port}${path}?${cell.id}nghttp`;
  return await runClient(cell.scene, 'nghttp', [
    '--no-dep',
    '-t',
    '100',
    '-H',
    `:authority: ${authority}`,
    ...args,
    url,
  ]);
}

function node(cell: Cell, what: string, path: string): Promise<unknown> {
  return runNode(cell.scene, 'node-client.ts', [what, cell.client, urlOf(cell, path, 'node')]);
}

function sinkResponse(method: string, body: string | Uint8Array): string {
  const sha256 = createHash('sha256').update(body).digest('hex');
  return `${JSON.stringify({ method, bytes: Buffer.from(body).length, sha256 })}\n`;
}

/** File of the large upload and what the origin has to say about it; made once a scene. */
async function uploadFile(scene: Scene): Promise<{ readonly path: string; readonly response: string }> {
  const path = join(scene.deployment.directory, 'upload');
  await pipeline(patternStream(scene.uploadBytes), async (source) => await writeFile(path, source));
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return {
    path,
    response: `${JSON.stringify({ method: 'POST', bytes: scene.uploadBytes, sha256: hash.digest('hex') })}\n`,
  };
}

const grpcKind = (title: string, what: string, expected: unknown): MatrixCase => ({
  name: `gRPC ${title}`,
  clients: { h1: '', h2: 'grpc-js' },
  absent: (client, upstream) =>
    client === 'h2' && upstream === 'h2' ? undefined : 'gRPC is HTTP/2 at both ends',
  run: async ({ scene }) => {
    const before = scene.grpc.cancelled();
    assert.deepEqual(
      await runNode(scene, 'grpc-client.ts', [what, `grpc.test:${scene.grpc.port}`]),
      expected,
    );
    if (what !== 'give-up') return;
    await waitUntil('the server sees both calls end', () => scene.grpc.cancelled() === before + 2);
  },
});

const echoes = sinkResponse('POST', 'something');
const somethingSha256 = createHash('sha256').update('something').digest('hex');

/** All rows, in the order of the table. */
export const matrixCases: readonly MatrixCase[] = [
  {
    name: 'GET',
    clients: { h1: 'curl, Node fetch', h2: 'curl, Node http2, nghttp' },
    run: async (cell) => {
      assert.equal(await curl(cell, '/sink', [], { method: 'GET' }), sinkResponse('GET', ''));
      assert.deepEqual(await node(cell, 'get', '/sink'), { status: 200, body: sinkResponse('GET', '') });
      checkOrigin(cell, 'GET', 'node');
      if (cell.client === 'h1') return;
      assert.equal(await nghttp(cell, '/sink', []), sinkResponse('GET', ''));
      checkOrigin(cell, 'GET', 'nghttp');
    },
  },
  {
    name: 'POST of 100 MiB',
    clients: { h1: 'curl', h2: 'curl, nghttp' },
    run: async (cell) => {
      const { path, response } = await uploadFile(cell.scene);
      const args = ['-X', 'POST', '-H', 'Expect:', '-T', path];
      assert.equal(await curl(cell, '/sink', args, { method: 'POST' }), response);
      if (cell.client === 'h2') assert.equal(await nghttp(cell, '/sink', ['-d', path]), response);
    },
  },
  {
    name: 'chunked, both ways',
    clients: { h1: 'curl', h2: 'curl' },
    run: async (cell) => {
      // Without a length, as far as curl knows: chunked over HTTP/1.1, DATA alone over HTTP/2.
      const input = 'piece '.repeat(20_000);
      const args = ['-X', 'POST', '-H', 'Expect:', '-T', '-'];
      assert.equal(await curl(cell, '/echo', args, { method: 'POST', input }), input);
    },
  },
  {
    name: 'server-sent events',
    clients: { h1: 'Node fetch', h2: 'Node http2' },
    run: async (cell) => {
      // Printed by our own client.
      const { lags } = (await node(cell, 'events', '/events')) as { lags: readonly number[] };
      // Each was sent when the one before had arrived: an event that waits for the next one, or for the end, waits for ever.
      assert.equal(lags.length, eventCount);
      const sorted = lags.toSorted((a, b) => a - b);
      const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
      return `first ${lags[0]?.toFixed(1)} ms, median ${median.toFixed(1)} ms`;
    },
  },
  {
    name: 'WebSocket',
    clients: { h1: 'ws', h2: 'Node http2 with the framing of ws' },
    run: async (cell) => {
      const received = ['first', 'x'.repeat(10), 'ünï'];
      assert.deepEqual(await node(cell, 'websocket', '/ws'), { received, ended: true });
      checkOrigin(cell, cell.upstream === 'h1' ? 'GET' : 'CONNECT', 'node');
    },
  },
  grpcKind('unary, with an error and its details', 'unary', {
    message: 'hello',
    details: 'not now: ünïcode',
  }),
  grpcKind('server streaming', 'server-stream', { messages: [0, 1, 2, 3, 4].map((i) => `event ${i}`) }),
  grpcKind('client streaming', 'client-stream', { bytes: 500_000 }),
  grpcKind('bidirectional streaming', 'bidirectional', { messages: ['one', 'two', 'three'] }),
  grpcKind('deadline and cancellation', 'give-up', { gaveUp: 2 }),
  {
    name: 'trailers, both ways',
    clients: { h1: 'Node https', h2: 'Node http2, nghttp' },
    run: async (cell) => {
      const trailers = { 'x-sum': somethingSha256, 'x-seen': 'by the client' };
      assert.deepEqual(await node(cell, 'trailers', '/trailers'), { body: 'body\n', trailers });
      checkOrigin(cell, 'POST', 'node');
      // nghttp declares a length, and a body with a length has no trailers in HTTP/1.1.
      if (cell.client === 'h1' || cell.upstream === 'h1') return;
      const file = join(cell.scene.deployment.directory, 'something');
      await writeFile(file, 'something');
      const shown = await nghttp(cell, '/trailers', [
        '-v',
        '-d',
        file,
        '--trailer',
        'x-amz-checksum-crc32: by nghttp',
      ]);
      assert.match(shown, new RegExp(`x-sum: ${somethingSha256}`));
      assert.match(shown, /x-seen: by nghttp/);
    },
  },
  {
    name: 'HEAD',
    clients: { h1: 'curl', h2: 'curl' },
    run: async (cell) => {
      const head = await curl(cell, '/range', ['-I'], { method: 'HEAD' });
      assert.match(head, /^content-length: 36\r$/im);
    },
  },
  {
    name: 'Range',
    clients: { h1: 'curl', h2: 'curl' },
    run: async (cell) => {
      const args = ['-r', '10-19', '-D', '-'];
      const response = await curl(cell, '/range', args, { method: 'GET', status: 206 });
      assert.match(response, /^content-range: bytes 10-19\/36\r$/im);
      assert.match(response, /\r\n\r\nabcdefghij$/);
    },
  },
  {
    name: '100-continue',
    clients: { h1: 'curl, Node https', h2: 'nghttp, Node http2' },
    run: async (cell) => {
      const body = 'sent after 100\n';
      const responded = await node(cell, 'expect-continue', '/sink');
      assert.deepEqual(responded, { status: 200, body: sinkResponse('POST', body) });
      const file = join(cell.scene.deployment.directory, 'something');
      await writeFile(file, 'something');
      if (cell.client === 'h1') {
        const args = [
          '-v',
          '--stderr',
          '-',
          '-X',
          'POST',
          '-H',
          'Expect: 100-continue',
          '--expect100-timeout',
          '30',
        ];
        const response = await curl(cell, '/sink', [...args, '-T', file], { method: 'POST' });
        assert.match(response, /HTTP\/1\.1 100 Continue/);
        assert.ok(response.includes(echoes.trim()));
      } else {
        assert.equal(await nghttp(cell, '/sink', ['--expect-continue', '-d', file]), echoes);
      }
    },
  },
  {
    name: '103 Early Hints',
    clients: { h1: 'Node https', h2: 'Node http2' },
    run: async (cell) => {
      const link = '</style.css>; rel=preload; as=style';
      assert.deepEqual(await node(cell, 'early-hints', '/hints'), { hint: 103, link, body: 'hinted\n' });
    },
  },
];
