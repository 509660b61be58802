// The seed protocol through a real gateway, by a client that shares no code with us: `ws`, `jose` and a hand-made chunk.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { test } from 'node:test';

import { SignJWT, base64url, exportJWK, generateKeyPair } from 'jose';
import type { JWK } from 'jose';
import { WebSocket } from 'ws';

import { embeddedConfig } from '../../../src/gateway/config/config.ts';
import { startGateway } from '../../../src/gateway/gateway.ts';
import type { Gateway } from '../../../src/gateway/gateway.ts';
import { openSigningKey } from '../../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../../src/gateway/sessions/token-issuer.ts';
import { httpsOrigin } from '../../support/origin.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { get, sendRaw } from '../support/raw-http.ts';

const authority = createTestAuthority();
const basePath = '/v1/code/upstreamproxy';

/** `UpstreamProxyChunk { bytes data = 1 }`: tag 0x0a, length as a varint, bytes. */
function encode(data: Uint8Array): Buffer {
  const head = [0x0a];
  for (let left = data.length; ; left >>>= 7) {
    head.push(left > 0x7f ? (left & 0x7f) | 0x80 : left);
    if (left <= 0x7f) return Buffer.concat([Buffer.from(head), data]);
  }
}

function decode(message: Buffer): Buffer {
  if (message.length === 0) return message;
  assert.equal(message[0], 0x0a);
  let at = 1;
  while (((message[at] ?? 0) & 0x80) !== 0) at += 1;
  return message.subarray(at + 1);
}

interface Session {
  readonly accessToken: string;
  proof(method: string, url: string, accessToken?: string): Promise<string>;
}

async function post(
  gateway: Gateway,
  path: string,
  headers: Record<string, string>,
  body: unknown,
): Promise<Record<string, unknown>> {
  const text = JSON.stringify(body);
  const request = httpsRequest(`${gateway.url}${path}`, {
    method: 'POST',
    ca: gateway.serverCaPem,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
  });
  request.end(text);
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  assert.equal(response.statusCode, 200, Buffer.concat(chunks).toString());
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, unknown>;
}

/** Enrols with RFC 9449 as a client of another make would. */
async function enrol(gateway: Gateway, token: string): Promise<Session> {
  const { privateKey, publicKey } = await generateKeyPair('Ed25519');
  const jwk: JWK = await exportJWK(publicKey);
  const proof: Session['proof'] = async (method, url, accessToken) => {
    const ath =
      accessToken === undefined
        ? {}
        : {
            ath: base64url.encode(
              new Uint8Array(await crypto.subtle.digest('SHA-256', Buffer.from(accessToken))),
            ),
          };
    return new SignJWT({ htm: method, htu: url, jti: crypto.randomUUID(), ...ath })
      .setProtectedHeader({ typ: 'dpop+jwt', alg: 'Ed25519', jwk: { kty: jwk.kty, crv: jwk.crv, x: jwk.x } })
      .setIssuedAt()
      .sign(privateKey);
  };
  const posture = {
    runtime: 'node',
    runtimeVersion: '0',
    platform: 'linux',
    nondumpable: false,
    execOnly: false,
    untraced: false,
    coreLimitZero: false,
    inspectorClosed: false,
    environmentClean: false,
    jailed: false,
    uid: 1000,
    notes: ['another client'],
  };
  const url = `${gateway.url}${basePath}/session`;
  const response = await post(
    gateway,
    `${basePath}/session`,
    { authorization: `Bearer ${token}`, dpop: await proof('POST', url) },
    { key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x }, posture, agent: { version: '9.9' } },
  );
  return { accessToken: String(response['access_token']), proof };
}

/** One WebSocket for one connection; what is written goes out in chunks. */
async function openChunks(gateway: Gateway, session: Session): Promise<Duplex> {
  const url = `${gateway.url}${basePath}/ws`;
  const socket = new WebSocket(url.replace('https:', 'wss:'), 'upstreamproxy.chunk', {
    ca: gateway.serverCaPem,
    headers: {
      authorization: `DPoP ${session.accessToken}`,
      dpop: await session.proof('GET', url, session.accessToken),
    },
  });
  await once(socket, 'open');
  assert.equal(socket.protocol, 'upstreamproxy.chunk');
  const duplex = new Duplex({
    read: () => undefined,
    write: (data: Buffer, _encoding, done) => socket.send(encode(data), done),
    final: (done) => {
      socket.close();
      done();
    },
  });
  socket.on('message', (message: Buffer) => {
    const data = decode(message);
    if (data.length > 0) duplex.push(data);
  });
  socket.on('close', () => duplex.push(null));
  return duplex;
}

async function connectVia(duplex: Duplex, at: string): Promise<string> {
  duplex.write(`CONNECT ${at} HTTP/1.1\r\nHost: ${at}\r\n\r\n`);
  const [response] = (await once(duplex, 'data')) as [Buffer];
  duplex.removeAllListeners('data');
  return response.toString();
}

test('a client of another make gets its requests through, and its refusals, over the seed protocol', async () => {
  await using origin = await httpsOrigin({ authority });
  await using directory = await temporaryDirectory();
  const policy = join(directory.path, 'policy.yaml');
  await writeFile(
    policy,
    `rules:\n  - { name: allowed, hosts: allowed.test, ports: ${origin.port}, addresses: 127.0.0.0/8 }\n`,
  );
  const ca = join(directory.path, 'origins.pem');
  await writeFile(ca, authority.caPem);
  const base = embeddedConfig(join(directory.path, 'state'), { policy: { mode: 'files', paths: [policy] } });
  await using gateway = await startGateway({
    ...base,
    upstream: { ...base.upstream, ca: [ca], hosts: { 'allowed.test': ['127.0.0.1'] } },
  });
  const { issuer, audience } = base.tokens;
  const key = await openSigningKey(base.stateDirectory);
  const session = await enrol(
    gateway,
    issueSessionToken({ key, issuer, audience, subject: 'other', ttlSeconds: 60, nowMs: Date.now() }),
  );

  const at = `allowed.test:${origin.port}`;
  const tunnel = await openChunks(gateway, session);
  assert.match(await connectVia(tunnel, at), /^HTTP\/1\.1 200 /);
  const plain = await fetch(gateway.url.replace('https', 'http')).catch(() => undefined);
  assert.equal(plain, undefined, 'the public port speaks TLS only');
  const interceptCa = await (
    await import('node:fs/promises')
  ).readFile(join(base.certificateAuthority.directory, 'ca.pem'), 'utf8');
  const secured = connectTls({ socket: tunnel, servername: 'allowed.test', ca: interceptCa });
  await once(secured, 'secureConnect');
  const response = await sendRaw(secured, get(at, '/hello'));
  assert.equal(response.status, 200);
  assert.match(response.body, /hello/);

  const other = await openChunks(gateway, session);
  assert.match(await connectVia(other, 'bad host'), /^HTTP\/1\.1 4\d\d .*x-deny-reason/is);

  const inner = await openChunks(gateway, session);
  const denied = await sendRaw(
    inner,
    'GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\nConnection: close\r\n\r\n',
  );
  assert.equal(denied.status, 403);
});

test('the tunnel refuses a proof that is used twice and a missing one, before anything is served', async () => {
  await using directory = await temporaryDirectory();
  const base = embeddedConfig(join(directory.path, 'state'));
  await using gateway = await startGateway(base);
  const { issuer, audience } = base.tokens;
  const key = await openSigningKey(base.stateDirectory);
  const session = await enrol(
    gateway,
    issueSessionToken({ key, issuer, audience, subject: 'other', ttlSeconds: 60, nowMs: Date.now() }),
  );
  const url = `${gateway.url}${basePath}/ws`;
  const proof = await session.proof('GET', url, session.accessToken);
  const attempt = async (headers: Record<string, string>): Promise<number> => {
    const socket = new WebSocket(url.replace('https:', 'wss:'), 'upstreamproxy.chunk', {
      ca: gateway.serverCaPem,
      headers,
    });
    const { promise, resolve } = Promise.withResolvers<number>();
    socket.on('open', () => {
      resolve(101);
      socket.close();
    });
    socket.on('unexpected-response', (request, response) => {
      resolve(response.statusCode ?? 0);
      request.destroy();
    });
    socket.on('error', () => undefined);
    return promise;
  };
  const authorization = `DPoP ${session.accessToken}`;
  assert.equal(await attempt({ authorization, dpop: proof }), 101);
  assert.equal(await attempt({ authorization, dpop: proof }), 401);
  assert.equal(await attempt({ authorization }), 401);
  assert.equal(
    await attempt({
      authorization: `Bearer ${session.accessToken}`,
      dpop: await session.proof('GET', url, session.accessToken),
    }),
    401,
  );
});
