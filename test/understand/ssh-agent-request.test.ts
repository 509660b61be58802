import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readAgentRequest } from '../../src/understand/ssh-agent-request.ts';
import {
  bindRequest,
  ed25519Key,
  field,
  hashData,
  identitiesRequest,
  logInData,
  signRequest,
} from '../support/ssh-agent-messages.ts';

const server = ed25519Key();
const other = ed25519Key();
const key = ed25519Key().blob;
const sessionId = Buffer.alloc(32, 7);
const bind = bindRequest({ server, sessionId });
const logIn = signRequest(key, logInData({ sessionId, key }));
const hash = signRequest(key, hashData());
const read = (...parts: readonly Buffer[]): ReturnType<typeof readAgentRequest> =>
  readAgentRequest(Buffer.concat(parts));

test('a log-in of the session that is bound is one, by either method', () => {
  for (const data of [logInData({ sessionId, key }), logInData({ sessionId, key, hostKey: server.blob })]) {
    const request = read(bind, signRequest(key, data));
    assert.ok(typeof request !== 'string' && request.kind === 'sign', String(request));
    assert.deepEqual(request.signs, {
      kind: 'log-in',
      user: 'deploy',
      hostKey: new Uint8Array(server.blob),
    });
    assert.deepEqual(Buffer.from(request.data), data);
  }
});

test('keys are asked for with and without a bind, and a hash for git without one', () => {
  assert.deepEqual(read(identitiesRequest), { kind: 'identities' });
  assert.deepEqual(read(bind, identitiesRequest), { kind: 'identities' });
  const request = read(hash);
  assert.ok(typeof request !== 'string' && request.kind === 'sign');
  assert.deepEqual(request.signs, { kind: 'hash', hash: 'sha512' });
});

test('what is not bound, bound elsewhere or forwarded is refused, and says why', () => {
  const otherId = Buffer.alloc(32, 8);
  const cases: readonly (readonly [RegExp, readonly Buffer[]])[] = [
    [/bound to no server/, [logIn]],
    [/another session/, [bindRequest({ server, sessionId: otherId }), logIn]],
    [/names another server/, [bind, signRequest(key, logInData({ sessionId, key, hostKey: other.blob }))]],
    [/forwarded/, [bindRequest({ server, sessionId, isForwarding: 1 }), logIn]],
    [/forwarded/, [bindRequest({ server, sessionId, isForwarding: 1 })]],
    [/bound already/, [bind, bind]],
    [/not one message/, [bind, bind, logIn]],
    [/no bind/, [logIn, bind]],
    [/nothing but a log-in/, [bind, hash]],
    [/not of its form/, [bindRequest({ server, sessionId, isForwarding: 2 })]],
    [/not of its length/, [bindRequest({ server, sessionId: Buffer.alloc(20) })]],
    [/no such extension/, [bindRequest({ server, sessionId, name: 'query' })]],
  ];
  for (const [why, parts] of cases) assert.match(String(read(...parts)), why);
});

test('another purpose, key, algorithm or form is refused', () => {
  const data = logInData({ sessionId, key });
  const cases: readonly (readonly [RegExp, Buffer])[] = [
    [/another purpose than git/, signRequest(key, hashData('file'))],
    [/another purpose than git/, signRequest(key, hashData('git\0'))],
    [/not of its form/, signRequest(key, hashData('git', 'sha512', 'x'))],
    [/another kind/, signRequest(key, hashData('git', 'sha1'))],
    [/another kind/, signRequest(key, hashData('git', 'sha384'))],
    [/not of its form/, signRequest(key, Buffer.concat([hashData(), Buffer.of(0)]))],
    [/neither a log-in/, signRequest(key, Buffer.from('anything'))],
    [/SHA-1/, signRequest(key, data, 2)],
    [/SHA-1/, signRequest(Buffer.concat([field('ssh-rsa'), field('e'), field('n')]), data)],
    [/SHA-1/, signRequest(Buffer.concat([field('ssh-dss'), field('p')]), data)],
    [/another key/, signRequest(key, logInData({ sessionId, key: other.blob }))],
    [/another key/, signRequest(key, logInData({ sessionId, key, algorithm: 'ssh-rsa' }))],
    [/another service/, signRequest(key, logInData({ sessionId, key, service: 'ssh-userauth' }))],
    [/another service/, signRequest(key, logInData({ sessionId, key, method: 'hostbased' }))],
    [/not of its form/, signRequest(key, logInData({ sessionId, key, hasSignature: 0 }))],
    [/not of its form/, signRequest(key, logInData({ sessionId, key, user: '' }))],
    [/not of its form/, signRequest(key, logInData({ sessionId, key, user: 'a\0b' }))],
    [/not of its form/, signRequest(key, Buffer.concat([data, Buffer.of(0)]))],
    [
      /not of its form/,
      signRequest(key, logInData({ sessionId, key, method: 'publickey', hostKey: server.blob })),
    ],
  ];
  for (const [why, request] of cases) {
    const isHash = request.includes('SSHSIG');
    assert.match(String(isHash ? read(request) : read(bind, request)), why);
  }
});

test('an agent takes no keys, and nothing is left over or cut off', () => {
  // Keys added, removed, locked, and those of cards.
  for (const type of [17, 18, 19, 20, 21, 22, 23, 25, 26, 0, 5, 255])
    assert.match(String(read(field(Buffer.of(type)))), /does nothing/);
  assert.match(String(read()), /not one message/);
  assert.match(String(read(Buffer.alloc(4))), /1 to 16384 octets/);
  assert.match(String(read(Buffer.from('7fffffff', 'hex'))), /1 to 16384 octets/);
  assert.match(String(read(logIn.subarray(0, -1))), /cut off/);
  assert.match(String(read(field(Buffer.of(11, 0)))), /more than that/);
});
