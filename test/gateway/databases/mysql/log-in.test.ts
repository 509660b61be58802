// The parts of a log-in on both sides, without a server: what is read, what is written, and what a server does not get.

import assert from 'node:assert/strict';
import { createHash, createPrivateKey, createPublicKey, verify } from 'node:crypto';
import { test } from 'node:test';

import {
  agreed,
  askedFor,
  capability,
  hasAll,
  isThere,
  offered,
} from '../../../../src/gateway/databases/mysql/capabilities.ts';
import { ed25519Proof } from '../../../../src/gateway/databases/mysql/ed25519-proof.ts';
import {
  type Greeting,
  greetingPacket,
  readGreeting,
} from '../../../../src/gateway/databases/mysql/greeting.ts';
import {
  readHandshakeResponse,
  responsePacket,
  tlsRequestPacket,
} from '../../../../src/gateway/databases/mysql/handshake-response.ts';
import { KnownServers } from '../../../../src/gateway/databases/mysql/known-servers.ts';
import {
  errorPacket,
  okPacket,
  okStatus,
  packetHeadBytes,
} from '../../../../src/gateway/databases/mysql/packet.ts';
import { passwordProof } from '../../../../src/gateway/databases/mysql/password-proofs.ts';
import {
  ServerLogin,
  type ServerLoginOptions,
} from '../../../../src/gateway/databases/mysql/server-login.ts';
import { ThreadIds } from '../../../../src/gateway/databases/mysql/thread-ids.ts';
import { mysqlLoginMethods } from '../../../../src/policy/mysql-end.ts';
import { Secret } from '../../../../src/protocol/secret.ts';

const all = 0xffff_ffff;
const nonce = Buffer.from('abcdefghijklmnopqrst');
const greeting: Greeting = {
  version: '11.8.2-MariaDB',
  threadId: 0xfedc_ba98,
  nonce,
  capabilities: { basic: 0xfffe_fffe, mariadb: 0xff },
  characterSet: 45,
  status: 2,
  method: 'mysql_native_password',
};

test('a greeting is read as it is written, and none that ends before it should', () => {
  const packet = greetingPacket(greeting).subarray(packetHeadBytes);
  assert.deepEqual(readGreeting(packet), greeting);
  // The name of the method may end with the packet.
  const needed = packet.length - greeting.method.length - 1;
  for (let length = 0; length < needed; length += 1)
    assert.equal(readGreeting(packet.subarray(0, length)), undefined, String(length));
  assert.equal(readGreeting(packet.subarray(0, needed))?.method, '');
  for (const version of ['', 'a\nb', 'x'.repeat(65), 'é'])
    assert.equal(readGreeting(greetingPacket({ ...greeting, version }).subarray(packetHeadBytes)), undefined);
});

test('what a client says is read as it is written, in each form of its proof, and none that is cut', () => {
  const capabilities = {
    basic: (capability.protocol41 | capability.pluginAuth | capability.secureConnection) >>> 0,
    mariadb: 0x1c,
  };
  const response = {
    capabilities,
    packetBytesMax: 2 ** 30,
    characterSet: 45,
    user: 'me',
    proof: Buffer.from('proof'),
    database: undefined,
    method: 'mysql_native_password',
  };
  const read = (basic: number, database?: string) => {
    const one = {
      ...response,
      capabilities: { ...capabilities, basic: (capabilities.basic | basic) >>> 0 },
      database,
    };
    const packet = responsePacket(1, one).subarray(packetHeadBytes);
    assert.deepEqual(readHandshakeResponse(packet), { kind: 'response', ...one });
    return packet;
  };
  read(0);
  read(capability.pluginAuthCounted);
  const packet = read(capability.withDatabase, 'orders');
  // Names at the end may end with the packet; before them nothing may.
  const needed = packet.length - 'orders\0mysql_native_password\0'.length;
  for (let length = 0; length < needed; length += 1)
    assert.equal(readHandshakeResponse(packet.subarray(0, length)).kind, 'malformed', String(length));
  const old = Buffer.from(packet);
  old.writeUInt32LE(0, 0);
  assert.deepEqual(readHandshakeResponse(old), {
    kind: 'malformed',
    reason: 'the client does not speak protocol 4.1',
  });
  const tls = {
    ...response,
    capabilities: { ...capabilities, basic: (capabilities.basic | capability.tls) >>> 0 },
  };
  assert.deepEqual(readHandshakeResponse(tlsRequestPacket(1, tls).subarray(packetHeadBytes)), {
    kind: 'tls-request',
  });
  // A proof that says it is longer than all that came.
  const long = Buffer.from(packet);
  long[36 - packetHeadBytes + 3] = 0xff;
  assert.equal(readHandshakeResponse(long).kind, 'malformed');
});

test('nothing that hides packets, opens files or changes the form of queries is offered or asked for', () => {
  const every = { basic: all - 1, mariadb: all };
  const never = {
    compress: 5,
    localFiles: 7,
    attributes: 20,
    expired: 22,
    zstd: 26,
    queryAttributes: 27,
    factors: 28,
  };
  for (const server of [every, { ...every, basic: all }])
    for (const one of [
      offered(server),
      agreed({ basic: all, mariadb: all }, server),
      askedFor(agreed({ basic: all, mariadb: all }, server), { isEncrypted: true, hasDatabase: true }),
    ])
      for (const [name, bit] of Object.entries(never)) assert.ok(!hasAll(one.basic, 2 ** bit), name);
  // Progress reports and commands in one another.
  assert.equal(offered(every).mariadb & 0b11, 0);
  assert.equal(offered({ ...every, basic: all }).mariadb, 0);
});

test('what a client and a server agreed on has to be there when the session begins', () => {
  const server = { basic: all - 1, mariadb: 0xff };
  const both = agreed({ basic: all, mariadb: 0 }, server);
  assert.ok(isThere(both, server));
  assert.ok(!isThere(both, { basic: server.basic - capability.deprecateEof, mariadb: 0xff }));
  const ofMariadb = agreed({ basic: all - 1, mariadb: 0b100 }, server);
  assert.ok(isThere(ofMariadb, { basic: all - 1, mariadb: 0b100 }));
  assert.ok(!isThere(ofMariadb, { basic: all, mariadb: 0 }));
  assert.ok(!hasAll(askedFor(both, { isEncrypted: false, hasDatabase: false }).basic, capability.tls));
});

test('proofs are those that servers know', () => {
  const hash = (algorithm: string, ...parts: readonly Uint8Array[]): Buffer =>
    createHash(algorithm).update(Buffer.concat(parts)).digest();
  for (const password of ['a', 'canary of a user', 'schlüssel']) {
    // As a server does it: what it keeps is the hash of the hash.
    const kept = hash('sha1', hash('sha1', Buffer.from(password)));
    const native = passwordProof('mysql_native_password', password, nonce);
    const opened = native.map((octet, at) => octet ^ (hash('sha1', nonce, kept)[at] ?? 0));
    assert.deepEqual(hash('sha1', opened), kept);
    const keptSha2 = hash('sha256', hash('sha256', Buffer.from(password)));
    const caching = passwordProof('caching_sha2_password', password, nonce);
    const openedSha2 = caching.map((octet, at) => octet ^ (hash('sha256', keptSha2, nonce)[at] ?? 0));
    assert.deepEqual(hash('sha256', openedSha2), keptSha2);
  }
});

test('client_ed25519 is Ed25519 where the password is as long as a key, and verified for one of any length', () => {
  const message = Buffer.alloc(32, 'n');
  for (let at = 0; at < 12; at += 1) {
    const password = createHash('md5').update(String(at)).digest('hex');
    const der = Buffer.concat([
      Buffer.from('302e020100300506032b657004220420', 'hex'),
      Buffer.from(password),
    ]);
    const key = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    const proof = ed25519Proof(password, message);
    assert.ok(verify(null, message, key, proof));
    assert.notDeepEqual(ed25519Proof(password, message), proof);
    assert.deepEqual(
      ed25519Proof(password, message, Buffer.alloc(32, at)),
      ed25519Proof(password, message, Buffer.alloc(32, at)),
    );
    assert.equal(ed25519Proof(password.slice(0, at), message).length, 64);
  }
});

const password = new Secret('canary of a user');
const login = (more: Partial<ServerLoginOptions> = {}): ServerLogin =>
  new ServerLogin({
    password,
    methods: mysqlLoginMethods,
    isVerified: true,
    greeting: { method: 'caching_sha2_password', nonce },
    errorCharactersMax: 100,
    ...more,
  });
const ok = okPacket(0, 0x4002).subarray(packetHeadBytes);
const change = (method: string, given: Uint8Array = Buffer.concat([nonce, Uint8Array.of(0)])): Uint8Array =>
  Buffer.concat([Uint8Array.of(0xfe), Buffer.from(`${method}\0`), given]);
const fast = Uint8Array.of(1, 3);
const full = Uint8Array.of(1, 4);

test('each method ends with the OK of the server, with one round or two', () => {
  const caching = login();
  assert.deepEqual(caching.first(), {
    method: 'caching_sha2_password',
    proof: passwordProof('caching_sha2_password', password.reveal(), nonce),
  });
  assert.deepEqual(caching.receive(fast), { kind: 'wait' });
  // Changes of the session that the server tells of are not the client's.
  assert.deepEqual(caching.receive(ok), { kind: 'done', method: 'caching_sha2_password', status: 2 });
  const whole = login();
  assert.deepEqual(whole.receive(full), { kind: 'send', payload: Buffer.from('canary of a user\0') });
  assert.equal(whole.receive(ok).kind, 'done');
  const native = login();
  assert.deepEqual(native.receive(change('mysql_native_password')), {
    kind: 'send',
    payload: passwordProof('mysql_native_password', password.reveal(), nonce),
  });
  assert.deepEqual(native.receive(ok), { kind: 'done', method: 'mysql_native_password', status: 2 });
  const signed = login().receive(change('client_ed25519', Buffer.alloc(32, 1)));
  assert.ok(signed.kind === 'send' && signed.payload.length === 64);
  assert.equal(okStatus(Uint8Array.of(0)), undefined);
});

test('a server gets the password itself by one method, once, and over verified TLS alone', () => {
  const failed = (machine: ServerLogin, payload: Uint8Array): string => {
    const step = machine.receive(payload);
    assert.equal(step.kind, 'failed', JSON.stringify(step));
    return step.kind === 'failed' ? step.message : '';
  };
  assert.match(failed(login({ isVerified: false }), full), /over verified TLS alone/);
  for (const before of [
    [full],
    [fast],
    [change('mysql_native_password')],
    [change('client_ed25519', Buffer.alloc(32))],
  ]) {
    const machine = login();
    for (const one of before) machine.receive(one);
    assert.match(failed(machine, full), /has no more to it/);
  }
  assert.match(failed(login({ methods: ['mysql_native_password'] }), full), /has no more to it/);
  for (const method of [
    'mysql_clear_password',
    'sha256_password',
    'dialog',
    'parsec',
    'auth_gssapi_client',
    '\n',
  ])
    assert.match(failed(login(), change(method)), /not spoken here/);
  assert.match(failed(login(), Uint8Array.of(0xfe)), /MySQL 3/);
  assert.match(
    failed(login({ methods: ['client_ed25519'] }), change('mysql_native_password')),
    /the rule does not allow/,
  );
  const twice = login();
  twice.receive(change('mysql_native_password'));
  assert.match(failed(twice, change('caching_sha2_password')), /twice/);
  for (const bad of [Buffer.alloc(0), Buffer.alloc(19), Buffer.alloc(40)])
    assert.match(failed(login(), change('mysql_native_password', bad)), /not as it has to be/);
  for (const other of [
    Uint8Array.of(1),
    Uint8Array.of(1, 2),
    Uint8Array.of(1, 4, 4),
    Uint8Array.of(0),
    Uint8Array.of(9),
  ])
    failed(login(), other);
});

test('what a rule does not allow is not even begun', () => {
  for (const [methods, method, length] of [
    [['mysql_native_password'], 'mysql_native_password', 20],
    [['caching_sha2_password'], 'caching_sha2_password', 32],
    [['client_ed25519'], 'mysql_native_password', 0],
  ] as const) {
    const first = login({ methods, greeting: { method: 'parsec', nonce } }).first();
    assert.deepEqual([first.method, first.proof.length], [method, length]);
  }
});

test('a refusal has the number and state of the server', () => {
  const refusal = { code: 1045, sqlState: '28000', message: 'Access denied' };
  assert.deepEqual(login().receive(errorPacket(2, refusal).subarray(packetHeadBytes)), {
    kind: 'rejected',
    refusal,
  });
});

test('numbers of connections are of their own session, rule and server', () => {
  const threads = new ThreadIds((count) => Buffer.alloc(count, 0xff));
  const scope = { sessionId: 's', rule: 'r', host: 'h', port: 3306 };
  const id = threads.newId();
  assert.equal(id, 2 ** 31 - 1);
  {
    using _ = threads.add(scope, { id, serverId: 7, address: 'a' });
    assert.equal(threads.find(scope, id, 'b')?.serverId, 7);
    assert.equal(threads.find(scope, 7, 'a')?.serverId, 7);
    assert.equal(threads.find(scope, 7, 'b'), undefined);
    for (const other of [{ sessionId: 't' }, { rule: 'q' }, { host: 'i' }, { port: 1 }])
      assert.equal(threads.find({ ...scope, ...other }, id, 'a'), undefined);
    assert.equal(threads.size, 1);
  }
  assert.deepEqual([threads.size, threads.find(scope, id, 'a')], [0, undefined]);
});

test('of servers so many are known, and the one that was longest not heard of makes room', () => {
  const servers = new KnownServers();
  const place = (port: number) => ({ rule: 'r', host: 'h', port });
  for (let port = 0; port <= 1000; port += 1) servers.add(place(port), greeting);
  assert.equal(servers.get(place(0)), undefined);
  assert.equal(servers.get(place(1))?.version, greeting.version);
  assert.equal(
    Object.keys(servers.get(place(1)) ?? {}).length,
    4,
    'no number and nothing to prove anything by',
  );
  servers.forget(place(1));
  assert.equal(servers.get(place(1)), undefined);
});
