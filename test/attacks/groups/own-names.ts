// Who the gateway, its principals and its own way out are: names that could be taken for another, and credentials for the wrong proxy.

import { once } from 'node:events';
import { createServer as createHttpServer, request as send, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { duplexPair } from 'node:stream';
import { connect, createServer as createTlsServer } from 'node:tls';

import fc from 'fast-check';

import { LoopGuard } from '../../../src/gateway/forward/loop-guard.ts';
import { principalIdOf } from '../../../src/gateway/sessions/principal-id.ts';
import { handleSessionRequest } from '../../../src/gateway/sessions/session-endpoints.ts';
import { createDialer } from '../../../src/net/dialer.ts';
import { ProxyChain } from '../../../src/net/proxy-chain.ts';
import { createResolver } from '../../../src/net/resolver.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { sessionPath } from '../../../src/protocol/session-messages.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { openRequestPath } from '../../gateway/support/request-path.ts';
import { createAgentKey, openTestSessions, posture, proofOf } from '../../gateway/session-fixture.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import type { AttackTable } from '../support/attack.ts';
import { searched, type Finding } from '../support/search.ts';

type Pair = readonly [issuer: string, subject: string];

function joinedAlike(
  [one, other]: readonly [Pair, Pair],
  join: (issuer: string, subject: string) => string,
): Finding {
  const isSame = one[0] === other[0] && one[1] === other[1];
  return !isSame && join(...one) === join(...other) ? `two are ${join(...one)}` : undefined;
}

const part = fc.array(fc.constantFrom('|', '%', '7', 'C', '%7C', '%25', 'a'), { minLength: 1, maxLength: 3 });
const pair: fc.Arbitrary<Pair> = fc.tuple(part, part).map(([a, b]) => [a.join(''), b.join('')]);

/** Two ways to cut one text, and two pairs of any texts. */
const pairs = fc.oneof(
  fc.tuple(pair, pair),
  pair.map(([a, b]): [Pair, Pair] => {
    const text = `${a}|${b}|${a}`;
    const first = text.indexOf('|');
    const last = text.lastIndexOf('|');
    return [
      [text.slice(0, first), text.slice(first + 1)],
      [text.slice(0, last), text.slice(last + 1)],
    ];
  }),
);

interface Hops {
  readonly before: readonly string[];
  readonly own: (pseudonym: string) => string;
  readonly behind: readonly string[];
}

const hop = fc.constantFrom('1.1 other', '2.0 proxy:3128 (squid/6.13)', 'HTTP/1.0 [::1]', '1.1 a (b, c)');
const hops: fc.Arbitrary<Hops> = fc.record({
  before: fc.array(hop, { maxLength: 2 }),
  own: fc.constantFrom(
    (name: string) => `1.1 ${name}`,
    (name: string) => `1.0 ${name} (a comment)`,
    (name: string) => `HTTP/2 ${name}`,
    (name: string) => `\t1.1   ${name} `,
  ),
  behind: fc.array(hop, { maxLength: 2 }),
});
const viaOf = ({ before, own, behind }: Hops, name: string): string =>
  [...before, own(name), ...behind].join(', ');

const spellings = fc
  .tuple(fc.array(fc.boolean(), { minLength: 12, maxLength: 12 }), fc.constantFrom('', '.'))
  .map(
    ([upper, end]) =>
      [...'gateway.test'].map((one, i) => (upper[i] === true ? one.toUpperCase() : one)).join('') + end,
  );

interface OwnStream {
  readonly host: string;
  readonly mode: 'raw' | 'tls' | 'proxy';
  readonly handling: string;
}

async function reachedUs({ host, mode, handling }: OwnStream): Promise<Finding> {
  const loops = new LoopGuard();
  loops.listensAs(['gateway.test'], 443);
  await using path = openRequestPath({
    policy: `rules: [{ name: all, hosts: "*.test", dangerouslyAllowWideHosts: true, ${handling}ports: 443, addresses: 127.0.0.0/8 }]`,
    hosts: ['gateway.test'],
    trust: [],
    loops,
  });
  const { ended } = path.open({ authority: `${host}:443`, mode });
  const code = (await ended)?.code;
  return code === 'loop_detected' || code === 'request_malformed' ? undefined : `${code} for ${host}`;
}

const proxyAuthority = createTestAuthority();

interface Unverified {
  readonly who: 'stranger' | 'another name';
  readonly maxVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly word: string;
}

/** What an https proxy that is not the right one hears before it is left alone. */
async function heardBy(
  { who, maxVersion }: Unverified,
  say: (port: number) => Promise<unknown>,
): Promise<string> {
  const identity =
    who === 'stranger' ? createTestAuthority().issue('127.0.0.1') : proxyAuthority.issue('other.test');
  const heard: Buffer[] = [];
  const server = createTlsServer({ ...identity, maxVersion }, (socket) => {
    socket
      .on('error', () => undefined)
      .on('data', (chunk: Buffer) => {
        heard.push(chunk);
        socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n');
      });
  });
  server.on('tlsClientError', () => undefined);
  const closed = new Promise((resolve) => {
    server.once('connection', (socket) => socket.once('close', resolve));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  await say((server.address() as AddressInfo).port).catch(() => undefined);
  await closed;
  server.close();
  return Buffer.concat(heard).toString('latin1');
}

function dialThrough(port: number, word: string): Promise<unknown> {
  const limits = defaultLimits;
  const chain = new ProxyChain({
    proxy: { host: '127.0.0.1', port },
    noProxy: [],
    limits,
    tls: { ca: [proxyAuthority.caPem] },
    credentials: () => Promise.resolve(new Secret(`agent:${word}`)),
  });
  const resolver = createResolver({ limits, hosts: {}, hostsFile: false });
  return createDialer({ resolver, trust: [proxyAuthority.caPem], limits, chain }).dial({
    destination: { scheme: 'https', host: 'far.test', port: 443 },
    addresses: [],
    principalId: 'p',
    alpn: ['http/1.1'],
  });
}

/** As clients do that verify when the handshake is over, and write while it runs. */
async function writtenAtOnce(port: number, word: string): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('error', () => undefined);
  const authorization = Buffer.from(`agent:${word}`).toString('base64');
  socket.write(`CONNECT far.test:443 HTTP/1.1\r\nProxy-Authorization: Basic ${authorization}\r\n\r\n`);
  await once(socket.resume(), 'close');
}

/** The ClientHello of a real client, with a name behind the outer one that nobody but the origin reads (RFC 9849). */
async function hidingHello(): Promise<Buffer> {
  const [near, far] = duplexPair();
  const client = connect({ socket: near, servername: 'allowed.test' });
  client.on('error', () => undefined);
  const [hello] = (await once(far, 'data')) as [Buffer];
  client.destroy();
  const body = Buffer.concat([hello, Buffer.of(0xfe, 0x0d, 0, 4, 0, 1, 2, 3)]);
  // Record, handshake, version and random; then session id, cipher suites and compression methods.
  let at = 5 + 4 + 2 + 32;
  at += 1 + body.readUInt8(at);
  at += 2 + body.readUInt16BE(at);
  at += 1 + body.readUInt8(at);
  for (const [offset, length] of [
    [3, 2],
    [6, 3],
    [at, 2],
  ] as const)
    body.writeUIntBE(body.readUIntBE(offset, length) + 8, offset, length);
  return body;
}

interface Hidden {
  /** Where the hello is cut, as shares of its length. */
  readonly cuts: readonly number[];
}

/** Whether the hello gets to an origin that could serve the hidden name. */
async function hiddenPassed(
  { cuts }: Hidden,
  ech: 'allow' | 'refuse',
  permit: (port: number) => void,
): Promise<Finding> {
  const hello = await hidingHello();
  const reached = Promise.withResolvers<Finding>();
  const origin = createTcpServer((socket) => {
    socket.on('error', () => undefined).destroy();
    reached.resolve('the hidden name went through');
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  // It listens on an address and a port.
  const { port } = origin.address() as AddressInfo;
  permit(port);
  await using path = openRequestPath({
    policy: `rules: [{ name: passed, hosts: allowed.test, ports: ${port}, addresses: 127.0.0.0/8, tls: { passthrough: true, ech: ${ech} } }]`,
    hosts: ['allowed.test'],
    trust: [],
  });
  const { socket, ended } = path.open({ authority: `allowed.test:${port}`, mode: 'raw' });
  socket.on('error', () => undefined);
  const places = [...cuts.map((share) => Math.floor((hello.length * share) / 100)), hello.length];
  let from = 0;
  for (const to of places.toSorted((a, b) => a - b)) {
    if (to > from) socket.write(hello.subarray(from, to));
    from = Math.max(from, to);
  }
  const refused = ended.then((error) =>
    error?.code === 'protocol_denied' ? undefined : `ended by ${error?.code}`,
  );
  const finding = await Promise.race([reached.promise, refused]);
  socket.destroy();
  origin.close();
  return finding;
}

interface Elsewhere {
  readonly host: string;
}

/** A token and a proof that were made for another place, presented here by who got hold of them there. */
async function replayed(
  { host }: Elsewhere,
  isFollowed: boolean,
  permit: (port: number) => void,
): Promise<Finding> {
  await using sessions = await openTestSessions();
  const server = createHttpServer((request, response) => {
    void handleSessionRequest(request, response, {
      sessions: sessions.service,
      publicOrigins: [isFollowed ? `http://${request.headers.host}` : 'http://gateway.example.com'],
      limits: defaultLimits,
      clock: () => sessions.nowMs(),
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // It listens on an address and a port.
  const { port } = server.address() as AddressInfo;
  permit(port);
  const key = createAgentKey();
  const proof = proofOf(key, {
    method: 'POST',
    url: `http://${host}${sessionPath}`,
    nowMs: sessions.nowMs(),
  });
  const headers = {
    host,
    dpop: proof,
    authorization: `Bearer ${sessions.token()}`,
    'content-type': 'application/json',
  };
  const request = send(`http://127.0.0.1:${port}${sessionPath}`, { method: 'POST', headers, agent: false });
  request.end(JSON.stringify({ key: key.jwk, posture, agent: { version: '0.1.0' } }));
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  server.close();
  return (response.statusCode ?? 500) < 300 ? `a proof for ${host} started a session` : undefined;
}

export const ownNames: AttackTable = {
  'OWN-01': searched({
    seed: 2301,
    inputs: pairs,
    runs: 5000,
    ours: (two) => joinedAlike(two, principalIdOf),
    naive: (two) => joinedAlike(two, (issuer, subject) => `${issuer}|${subject}`),
  }),
  'OWN-02': searched({
    seed: 2302,
    inputs: hops,
    ours: (input) => {
      const loops = new LoopGuard();
      try {
        loops.check({ host: 'example.com', port: 443 }, viaOf(input, loops.pseudonym));
      } catch (error) {
        return error instanceof ProxyError && error.code === 'loop_detected' ? undefined : String(error);
      }
      return 'it came through here before';
    },
    naive: (input) =>
      viaOf(input, 'own').endsWith('1.1 own') ? undefined : 'only the last hop was looked at',
  }),
  'OWN-03': searched({
    seed: 2303,
    inputs: fc.record({
      host: spellings,
      mode: fc.constantFrom('raw', 'tls'),
      handling: fc.constantFrom('tls: passthrough, ', 'scheme: tcp, ', ''),
    }),
    runs: 60,
    ours: reachedUs,
    naive: ({ host }) => (host === 'gateway.test' ? undefined : `${host} is another text`),
  }),
  'OWN-05': searched<Hidden>({
    seed: 2305,
    inputs: fc.record({ cuts: fc.array(fc.integer({ min: 1, max: 99 }), { maxLength: 4 }) }),
    runs: 30,
    ours: (input, arena) => hiddenPassed(input, 'refuse', (port) => arena.sentry.permit(port)),
    // The outer name is all that is looked at.
    naive: (input) => hiddenPassed(input, 'allow', () => undefined),
  }),
  'OWN-06': searched<Elsewhere>({
    seed: 2306,
    inputs: fc.record({
      host: fc.constantFrom(
        'evil.test',
        'gateway.example.com.evil.test',
        'gateway.example.com:8443',
        '127.0.0.1',
        'localhost:443',
      ),
    }),
    runs: 25,
    ours: (input, arena) => replayed(input, false, (port) => arena.sentry.permit(port)),
    naive: (input) => replayed(input, true, () => undefined),
  }),
  'OWN-04': searched<Unverified>({
    seed: 2304,
    inputs: fc.record({
      who: fc.constantFrom('stranger', 'another name'),
      maxVersion: fc.constantFrom('TLSv1.2', 'TLSv1.3'),
      word: fc.stringMatching(/^[a-z]{8}$/),
    }),
    runs: 20,
    ours: async (input, arena) => {
      const heard = await heardBy(input, (port) => {
        arena.sentry.permit(port);
        return dialThrough(port, input.word);
      });
      return heard === '' ? undefined : heard;
    },
    naive: async (input) => {
      const heard = await heardBy(input, (port) => writtenAtOnce(port, input.word));
      return heard.includes('Proxy-Authorization') ? heard : undefined;
    },
  }),
};
