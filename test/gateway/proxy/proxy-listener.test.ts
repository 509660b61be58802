// The listener for clients without an agent: what it serves, and all that it refuses.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { proxyAudience } from '../../../src/gateway/sessions/proxy-token.ts';
import { sessionTokenType } from '../../../src/gateway/sessions/token-issuer.ts';
import {
  ask,
  basic,
  clearName,
  getInside,
  inTheClear,
  moved,
  nextResponse,
  openProxyScene,
  originName,
  type ProxyScene,
} from './proxy-scene.ts';

let scene: ProxyScene;
let target: string;

before(async () => {
  scene = await openProxyScene();
  target = `${originName}:${scene.origin.port}`;
});
after(async () => await scene[Symbol.asyncDispose]());

test('a client with a proxy token gets its request through, by rules and with one session', async () => {
  const token = scene.token({ subject: 'plain' });
  for (const fields of [basic(token), `proxy-authorization: BEARER ${token}\r\n`]) {
    const socket = await scene.connect('http/1.1');
    assert.match(await ask(socket, target, fields), /^HTTP\/1\.1 200 /);
    assert.match(await getInside(socket, scene.interceptionCa), /^HTTP\/1\.1 200 /);
  }
  const denied = await scene.connect();
  assert.match(await ask(denied, 'other.test:443', basic(token)), /^HTTP\/1\.1 200 /);
  const refused = connectTls({ socket: denied, servername: 'other.test', ca: scene.interceptionCa });
  await once(refused, 'secureConnect');
  refused.write('GET / HTTP/1.1\r\nHost: other.test\r\nConnection: close\r\n\r\n');
  assert.match(await text(refused), /^HTTP\/1\.1 403 .*x-deny-reason: policy_denied/is);
  const sessions = await scene.gateway.sessions.list({ living: true });
  const own = sessions.filter(({ principalId }) => principalId.endsWith('|plain'));
  assert.equal(own.length, 1);
  assert.equal(own[0]?.posture.tokenInContainer, true);
  assert.ok(scene.origin.requests.every(({ headers }) => headers['proxy-authorization'] === undefined));
});

test('a plain request in absolute form is served, each request shows the token, and the origin sees none of it', async () => {
  const token = scene.token();
  const socket = await scene.connect();
  const url = scene.clearOrigin.url(clearName, '/hello');
  socket.write(`GET ${url} HTTP/1.1\r\nHost: ${clearName}\r\n${basic(token)}\r\n`);
  assert.match(await nextResponse(socket), /^HTTP\/1\.1 200 /);
  assert.equal(scene.clearOrigin.requests.at(-1)?.headers['proxy-authorization'], undefined);
  const before = scene.clearOrigin.requests.length;
  socket.write(`GET ${url} HTTP/1.1\r\nHost: ${clearName}\r\n\r\n`);
  assert.match(await nextResponse(socket), /^HTTP\/1\.1 407 .*proxy-authenticate: Basic/is);
  assert.equal(scene.clearOrigin.requests.length, before);
});

test('none, wrong, expired, foreign, withdrawn and out-of-network tokens get 407 in the same words, and the audit has why', async () => {
  const good = scene.token();
  const withdrawn = scene.token({ subject: 'withdrawn' });
  const [, payload = ''] = withdrawn.split('.');
  const { jti } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { jti: string };
  const { tokenKeyOf } = await import('../../../src/gateway/sessions/session-token.ts');
  const tokenKey = tokenKeyOf(scene.config.tokens.issuer, jti);
  await scene.gateway.store.sessions.withdraw(
    { tokenKey, tokenExpiresMs: Date.now() + 700_000 },
    'test',
    Date.now(),
  );
  const bad = {
    'signature does not verify': `${good.slice(0, -4)}${good.endsWith('AAAA') ? 'BBBB' : 'AAAA'}`,
    'token is expired': scene.token({ nowMs: Date.now() - 3_600_000 }),
    'claim "aud" is not': scene.token({ audience: scene.config.tokens.audience }),
    'type is not': scene.token({ typ: sessionTokenType }),
    'not for the network': scene.token({ networks: ['192.0.2.0/24', '2001:db8::/32'] }),
    'not for the network of 127': scene.token({ networks: 'everywhere' }),
    'withdrawn before': withdrawn,
    'is malformed': 'not.a',
  };
  const told = new Set<string>();
  for (const token of Object.values(bad)) {
    const socket = await scene.connect();
    const response = await ask(socket, target, basic(token));
    assert.match(response, /^HTTP\/1\.1 407 /);
    told.add(response.replace(/[0-9a-f]{32}/g, 'TRACE').replace(/\d+/g, 'N'));
    socket.destroy();
  }
  assert.equal(told.size, 1, [...told].join('\n'));
  // The beginning of a session waits for the audit, and so for what was told to it before.
  const last = await scene.connect();
  assert.match(await ask(last, target, basic(scene.token())), /^HTTP\/1\.1 200 /);
  last.destroy();
  const messages = (await scene.events()).map(({ message = '' }) => message).join('\n');
  for (const why of Object.keys(bad)) assert.ok(messages.includes(why), why);
  assert.ok(!JSON.stringify(await scene.events()).includes(good.slice(0, 40)));
});

test('an enrolment takes no proxy token, and a token for networks comes in from them', async () => {
  await assert.rejects(
    scene.gateway.sessions.enrol({
      token: scene.token({ audience: scene.config.tokens.audience }),
      proof: undefined,
      url: '',
      body: {},
      nowMs: Date.now(),
    }),
    { code: 'token_invalid' },
  );
  const socket = await scene.connect();
  const local = scene.token({ networks: ['10.0.0.0/8', '127.0.0.0/8'] });
  assert.match(await ask(socket, target, basic(local)), /^HTTP\/1\.1 200 /);
  socket.destroy();
  assert.equal(proxyAudience('a'), 'a/proxy');
});

test('behind a 407 the connection stays open for the next request, some times, and never for octets that came before it', async () => {
  const patient = await scene.connect();
  assert.match(await ask(patient, target), /^HTTP\/1\.1 407 (?!.*connection: close)/is);
  assert.match(await ask(patient, target, basic(scene.token())), /^HTTP\/1\.1 200 /);
  patient.destroy();
  const guessing = await scene.connect();
  for (let i = 0; i < 3; i += 1)
    assert.match(await ask(guessing, target), /^HTTP\/1\.1 407 (?!.*connection: close)/is);
  assert.match(await ask(guessing, target), /407 .*connection: close/is);
  const pipelined = await scene.connect();
  const smuggled = `CONNECT ${target} HTTP/1.1\r\n${basic(scene.token({ subject: 'smuggled' }))}\r\n`;
  pipelined.write(`CONNECT ${target} HTTP/1.1\r\n\r\n${smuggled}`);
  assert.match(await nextResponse(pipelined), /407 .*connection: close/is);
  assert.equal(await nextResponse(pipelined), '[end]');
  const withBody = await scene.connect();
  const url = scene.clearOrigin.url(clearName, '/hello');
  withBody.write(`POST ${url} HTTP/1.1\r\nHost: ${clearName}\r\nContent-Length: 9\r\n\r\n`);
  assert.match(await nextResponse(withBody), /407 .*connection: close/is);
  const sessions = await scene.gateway.sessions.list();
  assert.ok(!sessions.some(({ principalId }) => principalId.endsWith('|smuggled')));
});

test('octets behind the head of a CONNECT are the first of its connection', async () => {
  const socket = await scene.connect();
  const name = `${clearName}:${scene.clearOrigin.port}`;
  const inside = `GET /hello HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`;
  socket.write(`CONNECT ${name} HTTP/1.1\r\n${basic(scene.token())}\r\n${inside}`);
  const whole = await text(socket);
  assert.match(whole, /^HTTP\/1\.1 200 Connection established\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
});

test('what two readers could read in two ways is refused', async () => {
  const token = scene.token();
  const encoded = Buffer.from(`proxy:${token}`).toString('base64');
  for (const fields of [
    basic(token) + basic(token),
    `Proxy-Authorization: Basic ${encoded}=\r\n`,
    `Proxy-Authorization: Basic  ${encoded}\r\n`,
    `Proxy-Authorization: Basic ${Buffer.from(token).toString('base64')}\r\n`,
    `Proxy-Authorization: Basic ${Buffer.from(`proxy:${token}\n`).toString('base64')}\r\n`,
    `Proxy-Authorization: Digest ${token}\r\n`,
    `Proxy-Authorization: Bearer ${token}, Bearer ${token}\r\n`,
    `Authorization: Bearer ${token}\r\n`,
  ]) {
    const socket = await scene.connect();
    assert.match(await ask(socket, target, fields), /^HTTP\/1\.1 407 /, fields);
    socket.destroy();
  }
  for (const head of [
    `CONNECT ${target} HTTP/1.1\r\nContent-Length: 5\r\n${basic(token)}\r\n`,
    `CONNECT ${target} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n${basic(token)}\r\n`,
    `CONNECT ${target} HTTP/1.1\nHost: a\n${basic(token)}\n`,
    `CONNECT ${target} HTTP/1.1\r\n Folded: a\r\n${basic(token)}\r\n`,
    `CONNECT user:${token}@${target} HTTP/1.1\r\n${basic(token)}\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ]) {
    const socket = await scene.connect();
    socket.write(head);
    assert.match(await nextResponse(socket), /^HTTP\/1\.1 400 /, head);
    socket.destroy();
  }
  const inUrl = await scene.connect();
  const url = scene.clearOrigin.url(clearName, `/hello?token=${token}`);
  inUrl.write(`GET ${url} HTTP/1.1\r\nHost: ${clearName}\r\n${basic(token)}\r\n`);
  assert.match(await nextResponse(inUrl), /^HTTP\/1\.1 407 /);
  const whole = JSON.stringify(await scene.events()) + scene.logged.join('\n');
  assert.ok(!whole.includes(token.slice(-30)));
});

test('a token that comes in the clear ends, and the audit names the client that did it', async () => {
  const cases = (token: string): readonly (string | Uint8Array)[] => [
    `CONNECT ${target} HTTP/1.1\r\nUser-Agent: Wget/1.25\r\n${basic(token)}\r\n`,
    `CONNECT ${target} HTTP/1.0\r\nProxy-Authorization: Bearer ${token}\r\n\r\n`,
    `GET http://user:${token}@${clearName}/ HTTP/1.1\r\n\r\n`,
    Buffer.concat([Uint8Array.of(5, 1, 2, 1, 0, token.length % 256), Buffer.from(token)]),
    Buffer.concat([Uint8Array.of(4, 1, 0, 80, 127, 0, 0, 1), Buffer.from(token), Uint8Array.of(0)]),
  ];
  for (let i = 0; i < cases('').length; i += 1) {
    const token = scene.token({ subject: `exposed-${i}` });
    const socket = await scene.connect();
    assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
    const closed = once(socket, 'close');
    const told = await inTheClear(scene.port, cases(token)[i] ?? '');
    if (i < 3) assert.match(told, /^HTTP\/1\.1 400 .*good for nothing/is);
    await closed;
    const again = await scene.connect();
    assert.match(await ask(again, target, basic(token)), /^HTTP\/1\.1 407 /);
    again.destroy();
  }
  const fresh = scene.token({ subject: 'exposed-before-use' });
  await inTheClear(scene.port, cases(fresh)[0] ?? '');
  const late = await scene.connect();
  assert.match(await ask(late, target, basic(fresh)), /^HTTP\/1\.1 407 /);
  late.destroy();
  const alarms = (await scene.events()).filter(({ action }) => action === 'proxy_token_exposed');
  assert.equal(alarms.length, 6);
  assert.ok(alarms.some(({ details }) => details?.['userAgent'] === 'Wget/1.25'));
  assert.ok(alarms.every(({ kind, details }) => kind === 'alarm' && details?.['address'] === '127.0.0.1'));
});

test('in the clear nothing is served, and SOCKS is not asked for its password', async () => {
  assert.match(await inTheClear(scene.port, 'GET / HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400 .*TLS alone/s);
  assert.equal(await inTheClear(scene.port, Uint8Array.of(5, 3, 0, 1, 2)), '');
  assert.equal(await inTheClear(scene.port, 'SSH-2.0-x\r\n\r\n').then((one) => one.includes('SSH')), false);
});

test('the gateway itself, its ports and its own host are no destinations', async () => {
  const token = scene.token();
  for (const place of [
    `127.0.0.1:${scene.port}`,
    `localhost:${scene.port}`,
    `127.0.0.1:${scene.gateway.port}`,
  ]) {
    const socket = await scene.connect();
    const response = await ask(socket, place, basic(token));
    if (response.startsWith('HTTP/1.1 200 ')) {
      const tls = connectTls({ socket, servername: 'localhost', ca: [scene.interceptionCa, scene.serverCa] });
      tls.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      const inside = await text(tls).catch(() => 'reset');
      assert.ok(!inside.includes('ok\n'), place);
    } else assert.match(response, /^HTTP\/1\.1 (400|403|508) /);
    socket.destroy();
  }
});

test('HTTP/2 serves CONNECT with a token, and nothing else', async () => {
  const session = connectHttp2(`https://localhost:${scene.port}`, { ca: scene.serverCa });
  session.on('error', () => undefined);
  const begin = (headers: Record<string, string>) => {
    const stream = session.request(headers, { endStream: false });
    stream.on('error', () => undefined);
    return stream;
  };
  const connect = { ':method': 'CONNECT', ':authority': target };
  const [none] = await once(begin(connect), 'response');
  assert.equal(none[':status'], 407);
  assert.match(String(none['proxy-authenticate']), /Basic/);
  const field = { 'proxy-authorization': `Bearer ${scene.token()}` };
  const stream = begin({ ...connect, ...field });
  const [head] = await once(stream, 'response');
  assert.equal(head[':status'], 200);
  const tls = connectTls({ socket: stream as never, servername: originName, ca: scene.interceptionCa });
  await once(tls, 'secureConnect');
  tls.write(`GET /hello HTTP/1.1\r\nHost: ${originName}\r\nConnection: close\r\n\r\n`);
  assert.match(await text(tls), /^HTTP\/1\.1 200 /);
  const plain = begin({
    ':method': 'GET',
    ':scheme': 'http',
    ':authority': clearName,
    ':path': '/hello',
    ...field,
  });
  const [refused] = await once(plain, 'response');
  assert.equal(refused[':status'], 400);
  session.destroy();
});

test('a CONNECT over HTTP/2 that names a path or another protocol opens nothing', async () => {
  const token = `Bearer ${scene.token()}`;
  const connect = [':method', 'CONNECT', ':authority', target];
  for (const [more, isServed] of [
    [[], true],
    [[':path', '/'], false],
    [[':scheme', 'https', ':path', '/'], false],
    [[':scheme', 'https', ':path', '/', ':protocol', 'websocket'], false],
    [[':authority', 'other.test:443'], false],
  ] as const) {
    const socket = await scene.connect('h2');
    socket.write(Buffer.concat([preface, headersFrame([...connect, ...more, 'proxy-authorization', token])]));
    const frame = await firstFrameOfStream(socket);
    // In the static table of HPACK `:status: 200` is one octet, 0x88.
    const isOpen = frame.type === 1 && frame.payload[0] === 0x88;
    assert.equal(isOpen, isServed, `${more.join(' ')} ${JSON.stringify(frame)}`);
    socket.destroy();
  }
});

test('SOCKS5 inside of TLS takes the token as its password, and names stay names', async () => {
  const token = scene.token();
  const socket = await scene.connect();
  socket.write(Uint8Array.of(5, 3, 0, 1, 2));
  assert.deepEqual([...(await octets(socket, 2))], [5, 2]);
  const [name, password] = [token.slice(0, 250), token.slice(250)];
  socket.write(Buffer.concat([logIn(name, password), socksConnect(clearName, scene.clearOrigin.port)]));
  assert.deepEqual([...(await octets(socket, 12))].slice(0, 4), [1, 0, 5, 0]);
  socket.write(
    `GET /hello HTTP/1.1\r\nHost: ${clearName}:${scene.clearOrigin.port}\r\nConnection: close\r\n\r\n`,
  );
  assert.match(await text(socket), /^HTTP\/1\.1 200 /);
  const wrong = await scene.connect();
  wrong.write(Buffer.concat([Uint8Array.of(5, 1, 2), logIn('proxy', 'wrong')]));
  assert.deepEqual([...(await octets(wrong, 4))], [5, 2, 1, 1]);
  const without = await scene.connect();
  without.write(Uint8Array.of(5, 1, 0));
  assert.deepEqual([...(await octets(without, 2))], [5, 255]);
});

test('a session that is revoked ends its connections and its token', async () => {
  const token = scene.token({ subject: 'revoked' });
  const socket = await scene.connect();
  assert.match(await ask(socket, target, basic(token)), /^HTTP\/1\.1 200 /);
  const sessions = await scene.gateway.sessions.list({ living: true });
  const id = sessions.find(({ principalId }) => principalId.endsWith('|revoked'))?.id ?? '';
  const closed = once(socket, 'close');
  await scene.gateway.sessions.revoke(id, 'test');
  await closed;
  const again = await scene.connect();
  assert.match(await ask(again, target, basic(token)), /^HTTP\/1\.1 407 /);
  again.destroy();
});

function logIn(name: string, password: string): Buffer {
  return Buffer.concat([
    Uint8Array.of(1, name.length),
    Buffer.from(name),
    Uint8Array.of(password.length),
    Buffer.from(password),
  ]);
}

function socksConnect(name: string, port: number): Buffer {
  return Buffer.concat([
    Uint8Array.of(5, 1, 0, 3, name.length),
    Buffer.from(name),
    Uint8Array.of(port >> 8, port & 255),
  ]);
}

async function octets(socket: TLSSocket, count: number): Promise<Buffer> {
  for (;;) {
    const chunk: Buffer | null = socket.read(count);
    if (chunk !== null) return chunk;
    assert.ok(!socket.readableEnded && !socket.destroyed, 'the connection ended');
    await moved(socket);
  }
}

/** The preface of a client and empty SETTINGS (RFC 9113 §3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 'latin1');

/** HEADERS of stream 1 with END_HEADERS, each field a literal (RFC 7541 §6.2.3). */
function headersFrame(fields: readonly string[]): Buffer {
  const block = Buffer.concat(
    fields.flatMap((text, i) => [
      ...(i % 2 === 0 ? [Uint8Array.of(0x10)] : []),
      lengthOf(text),
      Buffer.from(text),
    ]),
  );
  return Buffer.concat([Uint8Array.of(0, block.length >> 8, block.length & 255, 1, 4, 0, 0, 0, 1), block]);
}

/** An integer with a prefix of 7 bits (RFC 7541 §5.1). */
function lengthOf({ length }: string): Uint8Array {
  if (length < 127) return Uint8Array.of(length);
  const octets = [127];
  let rest = length - 127;
  for (; rest >= 128; rest >>= 7) octets.push((rest & 127) | 128);
  return Uint8Array.of(...octets, rest);
}

async function firstFrameOfStream(
  socket: TLSSocket,
): Promise<{ readonly type: number; readonly payload: readonly number[] }> {
  for (;;) {
    const head = await octets(socket, 9);
    const length = head.readUIntBE(0, 3);
    const payload = length === 0 ? Buffer.alloc(0) : await octets(socket, length);
    const type = head[3] ?? 0;
    // Also what ends the connection.
    if ((head.readUInt32BE(5) & 0x7fffffff) === 1 || type === 7) return { type, payload: [...payload] };
  }
}
