import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import type { TestContext } from 'node:test';
import { createServer } from 'node:tls';
import type { SecureVersion, TLSSocket } from 'node:tls';

import { createDialer } from '../../src/net/dialer.ts';
import type { Dialer } from '../../src/net/dialer.ts';
import { TlsSessions } from '../../src/net/tls-sessions.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const authority = createTestAuthority();

interface Scene {
  readonly port: number;
  /** Whether each handshake that came to its end was a resumption. */
  readonly resumed: readonly boolean[];
}

async function openOrigin(t: TestContext, maxVersion: SecureVersion): Promise<Scene> {
  const resumed: boolean[] = [];
  const server = createServer({ ...authority.issue('origin.test'), maxVersion }, (socket) => {
    resumed.push(socket.isSessionReused());
    socket.on('error', () => undefined).end('x');
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  // It listens on an address and a port.
  return { port: (server.address() as AddressInfo).port, resumed };
}

function dialerThatTrusts(caPem: string): Dialer {
  const resolver = { resolve: () => Promise.resolve(['127.0.0.1']) };
  return createDialer({ resolver, trust: [caPem], limits: defaultLimits });
}

async function visit(dialer: Dialer, port: number, sessions: TlsSessions): Promise<void> {
  const { socket } = await dialer.dial({
    destination: { scheme: 'https', host: 'origin.test', port },
    addresses: ['127.0.0.0/8'],
    principalId: 'p',
    sessions,
  });
  // The tickets of TLS 1.3 come with the first bytes.
  socket.resume();
  await once(socket, 'end');
  socket.destroy();
}

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`the next handshake of ${version} resumes, and only for those who share the place`, async (t) => {
    const { port, resumed } = await openOrigin(t, version);
    const dialer = dialerThatTrusts(authority.caPem);
    const [first, second] = [new TlsSessions(), new TlsSessions()];
    await visit(dialer, port, first);
    await visit(dialer, port, first);
    await visit(dialer, port, second);
    assert.deepEqual(resumed, [false, true, false]);
  });
}

test('a session is resumed no longer than its certificate was verified for, however often it is renewed', async (t) => {
  const { port, resumed } = await openOrigin(t, 'TLSv1.3');
  const dialer = dialerThatTrusts(authority.caPem);
  let nowMs = 0;
  const sessions = new TlsSessions({ nowMs: () => nowMs, wallMs: () => Date.now() });
  for (nowMs of [0, 200_000, 299_999, 300_000, 300_001]) await visit(dialer, port, sessions);
  assert.deepEqual(resumed, [false, true, true, false, true]);
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session of ${version} is not resumed once a certificate of its chain has expired, be it the origin's or one above`, async (t) => {
    const { port, resumed } = await openOrigin(t, version);
    const dialer = dialerThatTrusts(authority.caPem);
    let wallMs = Date.now();
    const sessions = new TlsSessions({ nowMs: () => 0, wallMs: () => wallMs });
    const { validTo } = new X509Certificate(authority.issue('origin.test').cert);
    await visit(dialer, port, sessions);
    wallMs = Date.parse(validTo) - 1;
    await visit(dialer, port, sessions);
    wallMs = Date.parse(validTo);
    await visit(dialer, port, sessions);
    assert.deepEqual(resumed, [false, true, false]);
  });
}

test('the certificate of the chain that ends first counts', () => {
  const clocks = { nowMs: () => 0, wallMs: () => Date.parse('2030-01-01') };
  const resumable = (leaf: object): number => {
    const sessions = new TlsSessions(clocks);
    const listeners = new Map<string, (session?: Buffer) => void>();
    const socket = {
      on: (event: string, listener: () => void) => listeners.set(event, listener),
      once: (event: string, listener: () => void) => listeners.set(event, listener),
      isSessionReused: () => false,
      getPeerX509Certificate: () => leaf,
    };
    sessions.collect(socket as unknown as TLSSocket, undefined);
    listeners.get('secureConnect')?.();
    listeners.get('session')?.(Buffer.of(1));
    return sessions.take() === undefined ? 0 : 1;
  };
  const [early, late] = ['Jan  1 00:00:00 2029 GMT', 'Jan  1 00:00:00 2031 GMT'];
  const root = { validTo: late, issuerCertificate: undefined as object | undefined };
  assert.equal(
    resumable({ validTo: late, issuerCertificate: { validTo: late, issuerCertificate: root } }),
    1,
  );
  assert.equal(
    resumable({ validTo: late, issuerCertificate: { validTo: early, issuerCertificate: root } }),
    0,
  );
  assert.equal(resumable({ validTo: early, issuerCertificate: root }), 0);
  assert.equal(resumable({ validTo: 'nonsense' }), 0);
  // A root names itself as its issuer.
  root.issuerCertificate = root;
  assert.equal(resumable({ validTo: late, issuerCertificate: root }), 1);
});

test('nothing is kept of an origin that was not verified', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { port } = await openOrigin(t, version);
    const sessions = new TlsSessions();
    const stranger = dialerThatTrusts(createTestAuthority().caPem);
    await assert.rejects(visit(stranger, port, sessions), { code: 'origin_untrusted' });
    assert.equal(sessions.size, 0);
  }
});

test('sessions are bounded, and the newest is taken first and once', () => {
  const sessions = new TlsSessions({ nowMs: () => 0, wallMs: () => 0 });
  const listeners = new Map<string, (session?: Buffer) => void>();
  const socket = {
    on: (event: string, listener: () => void) => listeners.set(event, listener),
    once: (event: string, listener: () => void) => listeners.set(event, listener),
    isSessionReused: () => false,
    getPeerX509Certificate: () => ({ validTo: 'Jan  1 00:00:00 2100 GMT' }),
  };
  sessions.collect(socket as unknown as TLSSocket, undefined);
  for (let n = 0; n < 9; n += 1) listeners.get('session')?.(Buffer.of(n));
  assert.equal(sessions.size, 0);
  listeners.get('secureConnect')?.();
  for (let n = 9; n < 20; n += 1) listeners.get('session')?.(Buffer.of(n));
  assert.equal(sessions.size, 4);
  const taken = Array.from({ length: 5 }, () => sessions.take()?.session[0]);
  assert.deepEqual(taken, [19, 18, 17, 16, undefined]);
});
