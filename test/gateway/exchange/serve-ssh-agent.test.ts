import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import { test } from 'node:test';
import ssh2 from 'ssh2';

import { GrantedPolicy } from '../../../src/policy/granted-policy.ts';
import { agentFrame } from '../../../src/protocol/ssh-agent.ts';
import {
  bindRequest,
  ed25519Key,
  field,
  hashData,
  identitiesRequest,
  logInData,
  signRequest,
} from '../../support/ssh-agent-messages.ts';
import { sendRaw } from '../support/raw-http.ts';
import { openRequestPath, type RequestPath, type RequestPathOptions } from '../support/request-path.ts';

const host = 'upstreamproxy.invalid';
const server = ed25519Key();
const otherServer = ed25519Key();
const sessionId = Buffer.alloc(32, 7);
const pairs = {
  login: ssh2.utils.generateKeyPairSync('ed25519'),
  commits: ssh2.utils.generateKeyPairSync('ed25519'),
  unused: ssh2.utils.generateKeyPairSync('ed25519'),
};
const textOf = (name: keyof typeof pairs): string => pairs[name].public.split(' ').slice(0, 2).join(' ');
const blobOf = (name: keyof typeof pairs): Buffer =>
  Buffer.from(pairs[name].public.split(' ')[1] ?? '', 'base64');
const fingerprint = (blob: Buffer): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
const bastion = `{ name: bastion, sign: { logIn: { server: bastion.test, hostKeys: '${server.text} a comment', users: [deploy, ops] } }, inject: login }`;
const hashes = '{ name: hashes, sign: { hashes: git }, inject: commits }';

function openScene(...rules: readonly string[]): RequestPath {
  return openSceneWith({}, ...rules);
}

/** @param claims of the tokens of its sessions */
function openSceneWith(claims: RequestPathOptions['claims'], ...rules: readonly string[]): RequestPath {
  const credential = (name: keyof typeof pairs, use: 'log-in' | 'hashes') =>
    ({ kind: 'agent-key', use, publicKey: textOf(name), source: { env: name } }) as const;
  return openRequestPath({
    claims,
    policy: `rules: [${rules.join(', ')}]`,
    hosts: [],
    trust: [],
    credentials: {
      login: credential('login', 'log-in'),
      unused: credential('unused', 'log-in'),
      commits: credential('commits', 'hashes'),
    },
    environment: { login: pairs.login.private, unused: pairs.unused.private, commits: pairs.commits.private },
    over: (base) => new GrantedPolicy(base, [], {}, { signLimits: { requestsPerSecond: 100 } }),
  });
}

async function ask(path: RequestPath, ...parts: readonly Buffer[]): ReturnType<typeof sendRaw> {
  const body = Buffer.concat(parts);
  const head = [
    'POST /ssh-agent HTTP/1.1',
    `Host: ${host}`,
    'Connection: close',
    'Accept: application/json',
    `Content-Length: ${body.length}`,
  ];
  const { socket } = path.open({ authority: `${host}:80`, mode: 'raw' }, 'one');
  return await sendRaw(socket, Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body]));
}

const messageOf = ({ body }: { readonly body: string }): Buffer => Buffer.from(body.trimEnd(), 'base64');
const bind = bindRequest({ server, sessionId });
const logIn = (user = 'deploy', key = blobOf('login')): Buffer =>
  signRequest(key, logInData({ sessionId, key, user }));

/** What a response has signed, by the public half of the key. */
function isSignedBy(name: keyof typeof pairs, response: { readonly body: string }, data: Buffer): boolean {
  const parsed = ssh2.utils.parseKey(pairs[name].public);
  if (parsed instanceof Error) throw parsed;
  // Length, type, length, then the algorithm and 64 octets.
  const octets = messageOf(response).subarray(-64);
  return verify(null, data, createPublicKey(parsed.getPublicPEM()), octets);
}

test('keys of the rules are listed, and no others', async () => {
  await using path = openScene(bastion, hashes);
  const listed = Buffer.concat([
    Buffer.of(12, 0, 0, 0, 2),
    field(blobOf('login')),
    field('login'),
    field(blobOf('commits')),
    field('commits'),
  ]);
  assert.deepEqual(messageOf(await ask(path, identitiesRequest)), Buffer.from(agentFrame(listed)));
  path.setPolicy('rules: []');
  assert.deepEqual(
    messageOf(await ask(path, identitiesRequest)),
    Buffer.from(agentFrame(Buffer.of(12, 0, 0, 0, 0))),
  );
});

test('a log-in at the server of the rule is signed, and the audit says where, as whom and with which key', async () => {
  await using path = openScene(bastion);
  assert.deepEqual(messageOf(await ask(path, bind)), Buffer.from(agentFrame(Buffer.of(6))));
  const response = await ask(path, bind, logIn('ops'));
  assert.equal(response.status, 200, response.body);
  assert.ok(isSignedBy('login', response, logInData({ sessionId, key: blobOf('login'), user: 'ops' })));
  const event = (await path.events(2))[1];
  assert.deepEqual(
    [event?.verdict, event?.rule, event?.injected, event?.details],
    [
      'allow',
      'bastion',
      ['login'],
      {
        signature: {
          kind: 'log-in',
          server: 'bastion.test',
          user: 'ops',
          hostKey: fingerprint(server.blob),
          key: fingerprint(blobOf('login')),
        },
      },
    ],
  );
});

test('another server, user or key, and what no server has signed, is refused', async () => {
  await using path = openScene(bastion);
  const key = blobOf('login');
  const otherId = Buffer.alloc(32, 8);
  // It shows the key of the server, and signs with another.
  const forged = bindRequest({
    server: { blob: server.blob, privateKey: otherServer.privateKey },
    sessionId,
  });
  const replayed = bindRequest({
    server,
    sessionId: otherId,
    signature: Buffer.concat([field('ssh-ed25519'), field(sign(null, sessionId, server.privateKey))]),
  });
  const elsewhere = bindRequest({ server: otherServer, sessionId });
  const cases: readonly (readonly [number, string, readonly Buffer[]])[] = [
    [422, 'ssh_agent_refused', [logIn()]],
    [422, 'ssh_agent_refused', [forged]],
    [422, 'ssh_agent_refused', [forged, logIn()]],
    [422, 'ssh_agent_refused', [replayed, signRequest(key, logInData({ sessionId: otherId, key }))]],
    [422, 'ssh_agent_refused', [elsewhere]],
    [403, 'policy_denied', [elsewhere, logIn()]],
    [403, 'policy_denied', [bind, logIn('root')]],
    [403, 'policy_denied', [bind, logIn('deploy', blobOf('unused'))]],
    [403, 'policy_denied', [bind, logIn('deploy', blobOf('commits'))]],
    [403, 'policy_denied', [signRequest(key, hashData())]],
    [422, 'ssh_agent_refused', [bind, signRequest(key, hashData())]],
    [413, 'body_too_large', [Buffer.alloc(50_000)]],
  ];
  for (const [at, [status, code, parts]] of cases.entries()) {
    const response = await ask(path, ...parts);
    assert.deepEqual(
      [response.status, response.body.includes(code)],
      [status, true],
      `${at}: ${response.body}`,
    );
  }
  assert.ok(path.audit.every(({ injected = [] }) => injected.length === 0));
});

test('a hash for git is signed where a rule takes hashes, with its key alone', async () => {
  await using path = openScene(bastion, hashes);
  const data = hashData();
  const response = await ask(path, signRequest(blobOf('commits'), data));
  assert.equal(response.status, 200, response.body);
  assert.ok(isSignedBy('commits', response, data));
  const [event] = await path.events(1);
  assert.deepEqual(event?.details, {
    signature: { kind: 'hash', namespace: 'git', hash: 'sha512', key: fingerprint(blobOf('commits')) },
  });
  for (const request of [
    signRequest(blobOf('login'), data),
    signRequest(blobOf('commits'), hashData('file')),
  ]) {
    assert.notEqual((await ask(path, request)).status, 200);
  }
  // Nor does the key of the hashes log in.
  assert.equal((await ask(path, bind, logIn('deploy', blobOf('commits')))).status, 403);
});

test('a rule that denies comes first, and one that observes signs nothing', async () => {
  await using path = openScene(
    '{ name: no-ops, sign: { logIn: { server: any, users: ops } }, deny: true }',
    bastion,
  );
  assert.equal((await ask(path, bind, logIn('ops'))).status, 403);
  assert.equal((await ask(path, bind, logIn('deploy'))).status, 200);
  path.setPolicy('mode: observe\nrules: []');
  assert.notEqual((await ask(path, bind, logIn('deploy'))).status, 200);
});

test('servers with keys of ECDSA and RSA prove themselves, and none by SHA-1', async () => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' });
  const integer = (text: string): Buffer => {
    const octets = Buffer.from(text, 'base64url');
    return field((octets[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), octets]) : octets);
  };
  const rsa = Buffer.concat([field('ssh-rsa'), integer(e), integer(n)]);
  const curve = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '' } = curve.publicKey.export({ format: 'jwk' });
  const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]);
  const ecdsa = Buffer.concat([field('ecdsa-sha2-nistp256'), field('nistp256'), field(point)]);
  const both = sign('sha256', sessionId, { key: curve.privateKey, dsaEncoding: 'ieee-p1363' });
  const halves = [both.subarray(0, 32), both.subarray(32)].map((one) => integer(one.toString('base64url')));
  const lines = [`ssh-rsa ${rsa.toString('base64')}`, `ecdsa-sha2-nistp256 ${ecdsa.toString('base64')}`];
  await using path = openScene(
    `{ name: bastion, sign: { logIn: { server: bastion.test, hostKeys: ['${lines.join("', '")}'], users: deploy } }, inject: login }`,
  );
  const ofRsa = (algorithm: string, hash: string): Buffer =>
    Buffer.concat([field(algorithm), field(sign(hash, sessionId, privateKey))]);
  const cases: readonly (readonly [Buffer, Buffer, boolean])[] = [
    [rsa, ofRsa('rsa-sha2-256', 'sha256'), true],
    [rsa, ofRsa('rsa-sha2-512', 'sha512'), true],
    [rsa, ofRsa('rsa-sha2-512', 'sha256'), false],
    [rsa, ofRsa('ssh-rsa', 'sha1'), false],
    [ecdsa, Buffer.concat([field('ecdsa-sha2-nistp256'), field(Buffer.concat(halves))]), true],
    [ecdsa, Buffer.concat([field('ecdsa-sha2-nistp256'), field(Buffer.concat(halves.toReversed()))]), false],
    [ecdsa, Buffer.concat([field('ecdsa-sha2-nistp256'), field(both)]), false],
  ];
  for (const [at, [blob, signature, isTaken]] of cases.entries()) {
    const bound = bindRequest({ server: { blob, privateKey }, sessionId, signature });
    const response = await ask(path, bound, logIn());
    assert.equal(response.status === 200, isTaken, `${at}: ${response.body}`);
  }
});

test('what the token of the session gives no key for takes nothing of the limits of the rule', async () => {
  const granted: string[] = ['commits'];
  const limited = bastion.replace('inject: login', 'inject: login, limits: { requestsPerSession: 1 }');
  await using path = openSceneWith({ credentials: granted }, limited);
  for (let at = 0; at < 3; at += 1) {
    const response = await ask(path, bind, logIn());
    assert.deepEqual(
      [response.status, response.body.includes('credential_not_granted')],
      [403, true],
      response.body,
    );
  }
  granted.push('login');
  assert.deepEqual(
    [(await ask(path, bind, logIn())).status, (await ask(path, bind, logIn())).status],
    [200, 429],
  );
});
