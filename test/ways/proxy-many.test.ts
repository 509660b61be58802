// A thousand connections at once to a real gateway, of which some show tokens that are not good. Its memory is looked at from outside.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { loadGatewayConfig } from '../../src/gateway/config/config.ts';
import { placesOfConfig } from '../../src/cli/gateway/identity-access.ts';
import { networksClaim, proxyAudience, proxyTokenType } from '../../src/gateway/sessions/proxy-token.ts';
import type { SigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { ask, basic } from '../gateway/proxy/proxy-scene.ts';
import { mustRun } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { httpOrigin, type Origin } from '../support/origin.ts';
import { launcher } from '../support/program.ts';

const skip = process.env['TEST_WAYS'] === undefined ? '`npm run test:ways` runs it' : false;
const count = 1_000;
/** Of the process, for each connection: two sessions of TLS have some 60 KiB, and what is read and written at once. */
const bytesPerConnectionMax = 400 * 1024;

describe('a thousand connections at once', { skip }, () => {
  let origin: Origin;
  let set: Deployment;
  let port: number;
  let ca: string;
  let key: SigningKey;

  before(async () => {
    origin = await httpOrigin();
    port = await freePort();
    // All handshakes are on one thread, of a machine that may be busy.
    const ms = 300_000;
    const patient = {
      handshakeTimeoutMs: ms,
      headTimeoutMs: ms,
      lingerTimeoutMs: ms,
      enrolFailureDelayMs: 10,
    };
    set = await deploy({
      rules: [
        {
          name: 'api',
          hosts: 'api.test',
          scheme: 'http',
          ports: [origin.port],
          addresses: ['127.0.0.0/8'],
          limits: { requestsPerSecond: 10_000 },
        },
      ],
      hosts: { 'api.test': '127.0.0.1' },
      config: {
        proxy: { address: '127.0.0.1', port },
        limits: { drainTimeoutMs: 2_000, enrolFailuresPerSecondMax: 1_000, ...patient },
      },
    });
    ca = await readFile(set.gatewayCaFile, 'utf8');
    key = await (await placesOfConfig(await loadGatewayConfig(set.configFile))).signingKey.read();
  });
  after(async () => {
    await set?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
  });

  async function tokenOf(
    subject: string,
    { networks, nowMs = Date.now() }: { readonly networks?: string; readonly nowMs?: number } = {},
  ): Promise<string> {
    const { tokens } = await loadGatewayConfig(set.configFile);
    return issueSessionToken({
      key,
      issuer: tokens.issuer,
      audience: proxyAudience(tokens.audience),
      typ: proxyTokenType,
      subject,
      ttlSeconds: 3_600,
      nowMs,
      claims: networks === undefined ? {} : { [networksClaim]: [networks] },
    });
  }

  async function connect(): Promise<TLSSocket> {
    const socket = connectTls({ port, host: '127.0.0.1', ca });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  }

  /** What the gateway has in memory, and the most that it had. */
  async function memory(): Promise<{ readonly now: number; readonly most: number }> {
    const status = await readFile(`/proc/${set.gateway.pid}/status`, 'utf8');
    const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return { now: kib('VmRSS') * 1024, most: kib('VmHWM') * 1024 };
  }

  test('are all served or refused by what they show, in a bounded memory', async (context) => {
    const name = `api.test:${origin.port}`;
    const good = await tokenOf('many');
    const revoked = await tokenOf('revoked');
    // Its session begins, and is ended.
    const first = await connect();
    assert.match(await ask(first, name, basic(revoked)), /^HTTP\/1\.1 200 /);
    const listed = await mustRun(launcher, ['session', 'list', '--config', set.configFile, '--json']);
    // Printed by our own command.
    const { id } = JSON.parse(listed.split('\n').find((line) => line.includes('|revoked"')) ?? '{}') as {
      readonly id: string;
    };
    const closed = once(first, 'close');
    await mustRun(launcher, ['session', 'revoke', id, '--config', set.configFile]);
    await closed;
    const session = await readFile(await set.issueToken(), 'utf8');
    const bad: readonly string[] = [
      `${good}x`,
      session,
      await tokenOf('expired', { nowMs: Date.now() - 7_200_000 }),
      await tokenOf('elsewhere', { networks: '192.0.2.0/24' }),
      revoked,
    ];
    const before = await memory();
    const sockets = await Promise.all(Array.from({ length: count }, connect));
    // Each fifth shows one that is not good, all of them the same number of times.
    const tokens = sockets.map((_, i) => (i % 5 === 4 ? bad[Math.floor(i / 5) % bad.length]! : good));
    const heads = await Promise.all(sockets.map((socket, i) => ask(socket, name, basic(tokens[i]!))));
    const told = heads.map((head, i) => `${tokens[i] === good ? 'good' : 'bad'} ${head.slice(9, 12)}`);
    assert.deepEqual(new Set(told), new Set(['good 200', 'bad 407']));
    const inside = `GET /hello HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
    // All of them stand before the first one asks.
    const bodies = await Promise.all(
      sockets
        .filter((_, i) => tokens[i] === good)
        .map(async (socket) => {
          socket.write(inside);
          return await text(socket);
        }),
    );
    assert.equal(bodies.filter((body) => body.startsWith('HTTP/1.1 200 ')).length, (count * 4) / 5);
    const { most } = await memory();
    const each = Math.round((most - before.now) / count / 1024);
    context.diagnostic(
      `${Math.round(before.now / 1024 ** 2)} MiB before, ${each} KiB more for each at its peak`,
    );
    assert.ok(most - before.now < count * bytesPerConnectionMax, `${each} KiB for each connection`);
    for (const socket of sockets) socket.destroy();
    const living = await mustRun(launcher, ['session', 'list', '--config', set.configFile, '--json']);
    assert.equal(living.split('\n').filter((line) => line.includes('|many"')).length, 1, living);
    assert.ok(!/\|(expired|elsewhere)"/.test(living), living);
  });
});
