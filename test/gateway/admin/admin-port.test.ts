// The admin API on a TCP port: by token alone, by its own names alone, with a certificate that is followed.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { type AddressInfo, connect, createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { isOwnHost } from '../../../src/gateway/admin/admin-port.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { hasIpv6Loopback } from '../../support/ipv6-loopback.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { openAdminScene } from './admin-fixture.ts';

const loopback = { address: '127.0.0.1', port: 0, names: [] };
const uid = process.getuid?.() ?? 0;

async function statusOf(asked: http.ClientRequest): Promise<number> {
  asked.end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode ?? 0;
}

test('whoever comes by TCP needs a token: nobody has the role that their user has at the socket', async () => {
  await using scene = await openAdminScene(new Map([[uid, 'administrator']]), loopback);
  assert.equal((await scene.call('GET', '/v1/who')).status, 200);
  const { port } = scene;
  const ask = (headers: Record<string, string>) =>
    statusOf(http.request({ port, host: '127.0.0.1', path: '/v1/who', headers, agent: false }));
  assert.equal(await ask({}), 401);
  const authorization = `Bearer ${await scene.token('viewer')}`;
  assert.equal(await ask({ authorization }), 200);
  // Another name that leads here, as a page of somebody else would have it.
  for (const host of [`rebound.test:${port}`, `localhost:${port}`, `127.0.0.1:${port + 1}`])
    assert.equal(await ask({ authorization, host }), 421, host);
});

test('a host is ours by address, by name, and by port', () => {
  const listen = { address: '10.0.0.1', port: 0, names: ['admin.example.com'] };
  for (const [host, isOwn] of [
    ['10.0.0.1:9443', true],
    ['admin.example.com:9443', true],
    ['ADMIN.example.com:9443', true],
    ['admin.example.com', true],
    ['admin.example.com:443', false],
    ['admin.example.com.evil.test:9443', false],
    ['evil.test:9443', false],
    ['admin.example.com:9443@evil.test', false],
    ['', false],
  ] as const)
    assert.equal(isOwnHost(host, listen, 9443), isOwn, host);
  assert.equal(isOwnHost(undefined, listen, 9443), false);
});

test('with a certificate it speaks TLS alone', async () => {
  await using directory = await temporaryDirectory();
  const authority = createTestAuthority();
  const { cert, key } = authority.issue('admin.example.com');
  const tls = { certificate: join(directory.path, 'cert.pem'), key: join(directory.path, 'key.pem') };
  await writeFile(tls.certificate, cert);
  await writeFile(tls.key, key);
  await using scene = await openAdminScene(new Map(), { ...loopback, names: ['admin.example.com'], tls });
  const headers = {
    authorization: `Bearer ${await scene.token('viewer')}`,
    host: `admin.example.com:${scene.port}`,
  };
  const options = { port: scene.port, host: '127.0.0.1', path: '/v1/who', headers, agent: false };
  const servername = 'admin.example.com';
  assert.equal(await statusOf(https.request({ ...options, ca: authority.caPem, servername })), 200);
  await assert.rejects(statusOf(https.request({ ...options, ca: [], servername })));
  await assert.rejects(statusOf(http.request(options)));
});

test('the end of the gateway waits for nobody who began a TLS handshake and says nothing', async () => {
  await using directory = await temporaryDirectory();
  const { cert, key } = createTestAuthority().issue('admin.example.com');
  const tls = { certificate: join(directory.path, 'cert.pem'), key: join(directory.path, 'key.pem') };
  await writeFile(tls.certificate, cert);
  await writeFile(tls.key, key);
  const scene = await openAdminScene(new Map(), { ...loopback, tls });
  const silent = connect(scene.port, '127.0.0.1');
  await once(silent, 'connect');
  silent.resume();
  const closed = once(silent, 'close');
  await scene[Symbol.asyncDispose]();
  await closed;
});

const skip = hasIpv6Loopback() ? false : 'this machine has no ::1';
const beside = { ...loopback, beside: '::1', names: ['new.localhost'], isByNameAlone: true };

test('it is served at the address beside it too, by the same names', { skip }, async () => {
  await using scene = await openAdminScene(new Map(), beside);
  const { port } = scene;
  const authorization = `Bearer ${await scene.token('viewer')}`;
  for (const host of ['127.0.0.1', '::1'])
    for (const [name, status] of [
      ['new.localhost', 200],
      ['127.0.0.1', 421],
      ['[::1]', 421],
      ['localhost', 421],
    ] as const) {
      const headers = { authorization, host: `${name}:${port}` };
      const asked = http.request({ port, host, path: '/v1/who', headers, agent: false });
      assert.equal(await statusOf(asked), status, `${host} as ${name}`);
    }
});

test(
  'it does not start where another has the address beside it, and does where there is none',
  { skip },
  async () => {
    await using other = createServer();
    other.listen(0, '::1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await assert.rejects(openAdminScene(new Map(), { ...beside, port }), { code: 'gateway_port_unusable' });
    // An address of documentation (RFC 3849), which this machine does not have.
    await using scene = await openAdminScene(new Map(), { ...beside, beside: '2001:db8::1' });
    const headers = { host: `new.localhost:${scene.port}` };
    const asked = http.request({
      port: scene.port,
      host: '127.0.0.1',
      path: '/v1/who',
      headers,
      agent: false,
    });
    assert.equal(await statusOf(asked), 401);
  },
);
