import assert from 'node:assert/strict';
import { createHash, createHmac, pbkdf2Sync } from 'node:crypto';
import { test } from 'node:test';

import { type Message, messageOf, uint32 } from '../../../../src/gateway/databases/postgres/message.ts';
import {
  type LoginStep,
  ServerLogin,
  type ServerLoginOptions,
} from '../../../../src/gateway/databases/postgres/server-login.ts';
import { preparedPassword, ScramLogin } from '../../../../src/gateway/databases/postgres/scram.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const nonce = 'rOprNGfwEbeRWgbNEkqO';
const options: ServerLoginOptions = {
  user: 'agent',
  password: new Secret('pencil'),
  methods: ['scram-sha-256', 'md5', 'cleartext'],
  isVerified: true,
  binding: undefined,
  nonce,
  iterationsMax: 10_000,
  errorCharactersMax: 100,
};

function request(code: number, ...parts: readonly (Uint8Array | string)[]): Message {
  return { type: 0x52, body: messageOf('R', uint32(code), ...parts).subarray(5) };
}

const ok = request(0);
const mechanisms = (...names: readonly string[]): Message =>
  request(10, names.map((name) => `${name}\0`).join(''), '\0');

async function last(given: Partial<ServerLoginOptions>, ...messages: readonly Message[]): Promise<LoginStep> {
  const login = new ServerLogin({ ...options, ...given });
  let step: LoginStep = { kind: 'wait' };
  for (const message of messages) step = await login.receive(message);
  return step;
}

function sent(step: LoginStep): string {
  assert.equal(step.kind, 'send');
  return step.kind === 'send' ? Buffer.from(step.bytes).toString('latin1') : '';
}

/** A server that knows the password. */
function server(clientFirst: string, { password = 'pencil', iterations = 4096, binding = '' } = {}) {
  const bare = clientFirst.replace(/^[^,]*,,/, '');
  const header = clientFirst.slice(0, clientFirst.length - bare.length);
  const first = `r=${bare.replace(/^.*r=/, '')}%hvYDpWUa2RaTCAfuxFIlj)hNlF,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=${String(iterations)}`;
  const salted = pbkdf2Sync(
    password,
    Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'),
    iterations,
    32,
    'sha256',
  );
  const channel = Buffer.concat([Buffer.from(header), Buffer.from(binding)]).toString('base64');
  const withoutProof = `c=${channel},${first.split(',')[0] ?? ''}`;
  const signed = `${bare},${first},${withoutProof}`;
  const hmac = (key: Uint8Array | string, text: string): Buffer =>
    createHmac('sha256', key).update(text).digest();
  const clientKey = hmac(salted, 'Client Key');
  const signature = hmac(createHash('sha256').update(clientKey).digest(), signed);
  const proof = Buffer.from(clientKey.map((octet, i) => octet ^ (signature[i] ?? 0))).toString('base64');
  const final = `v=${hmac(hmac(salted, 'Server Key'), signed).toString('base64')}`;
  return { first, final, expected: `${withoutProof},p=${proof}` };
}

test('SCRAM says what RFC 7677 says, and takes the signature of the server', async () => {
  const scram = new ScramLogin({ ...options, iterationsMin: 1, isBindingOffered: false, binding: undefined });
  assert.equal(scram.first, `n,,n=,r=${nonce}`);
  const { first, final, expected } = server(scram.first);
  assert.equal(await scram.final(first), expected);
  assert.equal(scram.verify(final), true);
  for (const wrong of [
    '',
    'v=',
    'e=invalid-proof',
    `${final}x`,
    final.replace(/.{4}$/, 'AAA='),
    final.slice(2),
  ])
    assert.equal(scram.verify(wrong), false, wrong);
});

test('SCRAM binds the certificate where both can, and says so where only the server did not offer it', () => {
  const binding = Buffer.from('hash');
  for (const [offered, bound, mechanism, header] of [
    [true, binding, 'SCRAM-SHA-256-PLUS', 'p=tls-server-end-point,,'],
    [false, binding, 'SCRAM-SHA-256', 'y,,'],
    [true, undefined, 'SCRAM-SHA-256', 'n,,'],
    [false, undefined, 'SCRAM-SHA-256', 'n,,'],
  ] as const) {
    const scram = new ScramLogin({ ...options, iterationsMin: 1, isBindingOffered: offered, binding: bound });
    assert.deepEqual([scram.mechanism, scram.first], [mechanism, `${header}n=,r=${nonce}`]);
  }
});

test('a log-in by SCRAM ends when the server has shown that it knows the password', async () => {
  for (const binding of [undefined, Buffer.from('hash')]) {
    const login = new ServerLogin({ ...options, binding });
    const first = sent(await login.receive(mechanisms('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256')));
    const header = binding === undefined ? 'n,,' : 'p=tls-server-end-point,,';
    const name = binding === undefined ? 'SCRAM-SHA-256' : 'SCRAM-SHA-256-PLUS';
    const clientFirst = `${header}n=,r=${nonce}`;
    assert.equal(first.slice(5), `${name}\0\0\0\0${String.fromCharCode(clientFirst.length)}${clientFirst}`);
    const peer = server(clientFirst, { binding: binding?.toString() ?? '' });
    assert.equal(sent(await login.receive(request(11, peer.first))).slice(5), peer.expected);
    assert.deepEqual(await login.receive(request(12, peer.final)), { kind: 'wait' });
    assert.deepEqual(await login.receive(ok), { kind: 'done', method: 'scram-sha-256' });
    assert.equal((await login.receive(ok)).kind, 'failed', 'it is over');
  }
});

test('a server that does not show that it knows the password gets no session', async () => {
  const begun = mechanisms('SCRAM-SHA-256');
  const peer = server(`n,,n=,r=${nonce}`);
  const other = server(`n,,n=,r=${nonce}`, { password: 'another' });
  for (const messages of [
    [begun, ok],
    [begun, request(11, peer.first), ok],
    [begun, request(11, peer.first), request(12, other.final)],
    [begun, request(11, peer.first), request(12, '')],
    [begun, request(12, peer.final)],
    [request(11, peer.first)],
    [begun, begun],
    [begun, request(11, peer.first), request(11, peer.first)],
    [begun, request(3)],
    [begun, request(11, peer.first), request(3)],
    [request(3), begun],
  ])
    assert.equal((await last({}, ...messages)).kind, 'failed');
});

test('first messages of SCRAM that are none, or ask for too much work, are refused before any work', async () => {
  const { first } = server(`n,,n=,r=${nonce}`);
  for (const wrong of [
    '',
    'r=,s=,i=',
    first.replace(nonce, 'another'),
    first.replace(/%[^,]*/, ''),
    first.replace('i=4096', 'i=10001'),
    first.replace('i=4096', 'i=0'),
    first.replace('i=4096', 'i=-1'),
    first.replace('i=4096', 'i=99999999999999999999'),
    `m=ext,${first}`,
    `${first},x=y`,
    first.replace(/s=[^,]*/, 's=****'),
  ])
    assert.equal((await last({}, mechanisms('SCRAM-SHA-256'), request(11, wrong))).kind, 'failed', wrong);
});

test('a password is shown only as the rule allows, and only to a server that is known', async () => {
  const salt = Uint8Array.of(1, 2, 3, 4);
  const inner = createHash('md5').update('pencilagent').digest('hex');
  const hash = createHash('md5').update(inner).update(salt).digest('hex');
  assert.equal(sent(await last({}, request(3))).slice(5), 'pencil\0');
  assert.equal(sent(await last({}, request(5, salt))).slice(5), `md5${hash}\0`);
  assert.deepEqual(await last({}, request(5, salt), ok), { kind: 'done', method: 'md5' });
  for (const given of [{ methods: ['scram-sha-256'] }, { isVerified: false }] as const)
    for (const asked of [request(3), request(5, salt)])
      assert.equal((await last(given, asked)).kind, 'failed');
  assert.equal((await last({ methods: ['md5', 'cleartext'] }, mechanisms('SCRAM-SHA-256'))).kind, 'failed');
  for (const asked of [request(3), request(5, salt)])
    assert.equal((await last({}, asked, asked)).kind, 'failed', 'once');
});

test('without TLS a session begins behind SCRAM alone, with as many rounds as its RFC asks for', async () => {
  const plain = { isVerified: false };
  assert.match(JSON.stringify(await last(plain, ok)), /failed.*without SCRAM and without TLS/);
  const begun = mechanisms('SCRAM-SHA-256');
  for (const [iterations, given, kind] of [
    [4095, plain, 'failed'],
    [4096, plain, 'done'],
    [1, {}, 'done'],
  ] as const) {
    const { first, final } = server(`n,,n=,r=${nonce}`, { iterations });
    const step = await last(given, begun, request(11, first), request(12, final), ok);
    assert.equal(step.kind, kind, String(iterations));
  }
});

test('what is not spoken here fails, and what the server says of an error is taken in part', async () => {
  for (const message of [
    request(7),
    request(9),
    request(2),
    request(5, 'abc'),
    { type: 0x52, body: new Uint8Array(2) },
    mechanisms('SCRAM-SHA-512'),
    mechanisms(),
    { type: 0x5a, body: Uint8Array.of(0x49) },
    { type: 0x76, body: uint32(3) },
  ])
    assert.equal((await last({}, message)).kind, 'failed');
  assert.equal((await last({ binding: undefined }, mechanisms('SCRAM-SHA-256-PLUS'))).kind, 'failed');
  const error = messageOf('E', `SFATAL\0VFATAL\0C28P01\0M${'x'.repeat(500)}\0\0`).subarray(5);
  assert.deepEqual(await last({}, { type: 0x45, body: error }), {
    kind: 'rejected',
    sqlState: '28P01',
    message: 'x'.repeat(100),
  });
  assert.deepEqual(await last({}, { type: 0x4e, body: error }), { kind: 'wait' });
  assert.deepEqual(await last({}, ok), { kind: 'done', method: 'none' });
});

test('passwords are prepared as PostgreSQL prepares them', () => {
  for (const [password, prepared] of [
    ['plain ~ ASCII', 'plain ~ ASCII'],
    ['I\u00adX', 'IX'],
    ['\u00aa', 'a'],
    ['\u2168', 'IX'],
    ['a\u00a0b', 'a b'],
    ['\u0007\u00aa', '\u0007\u00aa'],
    ['\u00ad', '\u00ad'],
  ] as const)
    assert.equal(preparedPassword(password), prepared);
});
