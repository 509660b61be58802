// Operator commands by the admin API: the same as in the store, by --server or a context, and nothing for a server that is none.

import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { ChainReport } from '../../../src/store/chain/verify-chain.ts';
import { mustRun } from '../../support/command.ts';
import { mustRunShared, runShared } from '../../support/command-process.ts';
import { type AgentProcess, deploy, type Deployment } from '../../support/deployment.ts';
import { freePort } from '../../support/free-port.ts';
import { launcher } from '../../support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';

const authority = createTestAuthority();
let folder: TemporaryDirectory;
let set: Deployment;
let agent: AgentProcess;
let server: string;
let env: NodeJS.ProcessEnv;
const file = (name: string): string => join(folder.path, name);
const contexts = (): string => file('.config/upstreamproxy/contexts.json');

before(async () => {
  folder = await temporaryDirectory();
  env = { ...process.env, HOME: folder.path };
  const { cert, key } = authority.issue('127.0.0.1');
  await writeFile(file('cert.pem'), cert);
  await writeFile(file('key.pem'), key, { mode: 0o600 });
  await writeFile(file('ca.pem'), authority.caPem);
  const port = await freePort();
  server = `https://127.0.0.1:${port}`;
  set = await deploy({
    rules: [{ name: 'nothing', hosts: ['never.test'] }],
    config: {
      policy: 'store',
      admin: { listen: { port, certificate: file('cert.pem'), key: file('key.pem') } },
    },
  });
  agent = await set.startAgent();
  for (const role of ['viewer', 'administrator'])
    await here('operator', 'token', '--name', role, '--role', role, '--for', '1h', '--out', file(role));
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

/** A server of its own, by verified TLS: its origin. It ends with the test, however that ends. */
async function otherServer(stack: AsyncDisposableStack, respond: http.RequestListener): Promise<string> {
  const other = https.createServer({ ...authority.issue('127.0.0.1') }, respond);
  stack.defer(() => {
    other.close();
    other.closeAllConnections();
  });
  other.listen(0, '127.0.0.1');
  await once(other, 'listening');
  return `https://127.0.0.1:${(other.address() as AddressInfo).port}`;
}

/** In the store of this machine. */
const here = (...args: readonly string[]): Promise<string> =>
  mustRunShared([...args, '--config', set.configFile], { env });
const own = (...args: readonly string[]): Promise<string> => mustRunShared(args, { env });
const tried = (...args: readonly string[]) => runShared(args, { env });
const there = (role: string): readonly string[] => [
  '--server',
  server,
  '--ca',
  file('ca.pem'),
  '--token-file',
  file(role),
];

async function askAccess(path: string): Promise<string> {
  const asked = http.request({
    port: agent.relayPort,
    method: 'POST',
    path: 'http://upstreamproxy.invalid/access',
    headers: { host: 'upstreamproxy.invalid', 'content-type': 'application/json' },
  });
  asked.end(JSON.stringify({ url: `https://docs.test${path}`, method: 'GET', reason: 'a \u001b[2J test' }));
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  const pieces: Buffer[] = [];
  for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  return (JSON.parse(Buffer.concat(pieces).toString()) as { readonly id: string }).id;
}

const lines = (text: string): readonly Readonly<Record<string, unknown>>[] =>
  text
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);

test('what is listed by the API is what the store lists', async () => {
  await askAccess('/a');
  for (const args of [
    ['access', 'list'],
    ['access', 'list', '--all'],
    ['audit', 'tail', '-n', '50'],
    ['operator', 'list'],
  ]) {
    const [ours, theirs] = [
      await here(...args, '--json'),
      await own(...args, '--json', ...there('administrator')),
    ];
    const shown = (text: string) => lines(text).map((line) => Object.assign(line, { lastUsed: '' }));
    assert.ok(lines(ours).length > 0, args.join(' '));
    assert.deepEqual(shown(theirs), shown(ours), args.join(' '));
  }
  const session = (text: string) =>
    lines(text).map((line) => Object.assign(line, { lastSeen: '', tunnels: 0 }));
  assert.deepEqual(
    session(await own('session', 'list', '--json', ...there('viewer'))),
    session(await here('session', 'list', '--json')),
  );
  assert.match(
    await own('access', 'list', ...there('viewer')),
    /GET https:\/\/docs\.test\/a .* a \\u\{1b\}\[2J test$/m,
  );
  const denied = ['audit', 'tail', '--denied', '-n', '1', '--json'];
  assert.deepEqual(await own(...denied, ...there('viewer')), await here(...denied));
});

test('the audit is verified, learned from and replayed there as in the store', async () => {
  await askAccess('/learned');
  const policyFile = file('other.yaml');
  await writeFile(policyFile, 'rules:\n  - { name: other, hosts: other.test }\n');
  for (const args of [
    ['policy', 'learn'],
    ['policy', 'learn', '--since', '1h'],
    ['policy', 'replay', policyFile, '--json'],
    ['policy', 'replay', policyFile, '--json', '--since', '1h'],
  ])
    assert.equal(await own(...args, ...there('viewer')), await here(...args), args.join(' '));
  // Heads are signed while it runs.
  const report = (text: string) => Object.assign(JSON.parse(text) as object, { uncovered: 0 });
  for (const period of [[], ['--since', '1h'], ['--until', '2020-01-01']]) {
    const args = ['audit', 'verify', '--format', 'json', ...period];
    const ours = report(await here(...args));
    const theirs = report(await own(...args, ...there('viewer')));
    assert.deepEqual(theirs, ours, args.join(' '));
    if (period.length === 0) assert.ok((theirs as unknown as ChainReport).events > 3);
  }
  assert.match(
    await own('audit', 'verify', ...there('viewer')),
    /^\d+ events in \d+ chains: nothing found$/m,
  );
  const keyed = await tried('audit', 'verify', '--key', file('ca.pem'), ...there('viewer'));
  assert.deepEqual([keyed.code, keyed.stdout], [64, '']);
  assert.match(keyed.stderr, /--key goes with a store here/);
});

test('what is decided by the API is told as in the store, and says which gateways have taken it', async () => {
  const by = there('administrator');
  const first = await askAccess('/b');
  assert.match(
    await own('access', 'grant', first, '--for', '10m', ...by),
    new RegExp(
      `^granted ${first} until \\S+: GET https://docs\\.test/b, scope exact, for the session\\nconfirmed by 1 of 1 gateway in [0-9.]+ s\\n$`,
    ),
  );
  assert.match(
    await own('access', 'revoke', first, '--note', 'enough', ...by),
    /^revoked \S+\nconfirmed by 1 of 1/,
  );
  const second = await askAccess('/c');
  const [denied] = lines(await own('access', 'deny', second, '--json', ...by));
  assert.equal(denied?.['done'], `denied ${second}`);
  assert.match(JSON.stringify(denied?.['confirmed']), /^\[\{"gateway":"\w+"\}\]$/);
  const made = (
    await own(
      'operator',
      'token',
      '--name',
      'ci',
      '--role',
      'viewer',
      '--for',
      '1h',
      '--sees',
      'team=web',
      ...by,
    )
  ).trim();
  assert.match(made, /^upadm_[\w-]{43}$/);
  const row = lines(await own('operator', 'list', '--json', ...by)).find(({ name }) => name === 'ci');
  assert.deepEqual(row?.['sees'], { team: 'web' });
  assert.equal(await own('operator', 'revoke', String(row?.['id']), ...by), 'revoked the token of ci\n');
  const events = await set.audit();
  const grant = events.find(({ action }) => action === 'access_granted');
  assert.match(JSON.stringify(grant?.['details']), /administrator \(token /);
});

test('login keeps a context, which commands ask that name no gateway; it is used, listed and forgotten', async () => {
  const given = await tried('session', 'list');
  assert.match(given.stderr, /which gateway\?/);
  const login = ['login', '--server', server, '--ca', file('ca.pem')];
  assert.match(
    await own(...login, '--token-file', file('viewer')),
    new RegExp(
      `^logged in to ${server} as viewer \\(token \\S+\\), viewer, until \\S+\\nthe context 127\\.0\\.0\\.1:\\d+ is the current one\\n$`,
    ),
  );
  const token = (await readFile(file('administrator'), 'utf8')).trim();
  await mustRun(launcher, [...login, '--name', 'admin', '--token-env', 'ADMIN_TOKEN'], {
    env: { ...env, ADMIN_TOKEN: token },
  });
  assert.equal((await stat(contexts())).mode & 0o777, 0o600);
  assert.equal((await stat(join(contexts(), '..'))).mode & 0o777, 0o700);
  assert.match(await own('context', 'list'), /^ +name +server\n +127\.0\.0\.1:\d+ +\S+\n\* +admin +\S+\n$/);
  assert.ok(lines(await own('session', 'list', '--json')).length > 0);
  const name = new URL(server).host;
  assert.match(
    await own('context', 'use', name),
    new RegExp(`^${name} is the current context: ${server}\\n$`),
  );
  const refused = await tried('operator', 'list');
  assert.equal(refused.code, 77);
  assert.match(refused.stderr, /needs the role administrator \[operator_refused\]/);
  assert.match(await own('operator', 'list', '--context', 'admin'), /^id /);
  // What is named goes before the current one.
  assert.match(await here('operator', 'list'), /^id /);
  assert.doesNotMatch(await own('context', 'list', '--json'), /upadm_/);
  await own('context', 'remove', name);
  assert.match((await tried('session', 'list')).stderr, /which gateway\?/);
  assert.match(
    (await tried('session', 'list', '--context', name)).stderr,
    /there is no context of that name/,
  );
});

test('a file of contexts that others may read, that leads elsewhere or is none is refused, and so is a token that is none', async () => {
  await own('context', 'use', 'admin');
  await chmod(contexts(), 0o640);
  assert.match((await tried('session', 'list')).stderr, /others may read it, and it holds tokens/);
  const text = await readFile(contexts(), 'utf8');
  const home = file('other-home');
  await mkdir(join(home, '.config', 'upstreamproxy'), { recursive: true });
  const link = join(home, '.config', 'upstreamproxy', 'contexts.json');
  await chmod(contexts(), 0o600);
  await symlink(contexts(), link);
  const at = (args: readonly string[]) => runShared(args, { env: { ...env, HOME: home } });
  assert.match((await at(['session', 'list'])).stderr, /it is no file/);
  await writeFile(contexts(), text.replace('"version": 1', '"version": 2'), { mode: 0o600 });
  assert.match((await tried('context', 'list')).stderr, /it is none of this program/);
  await writeFile(contexts(), text);
  await writeFile(file('no-token'), 'ghp_of_something_else');
  const login = await tried('login', '--server', server, '--token-file', file('no-token'));
  assert.match(login.stderr, /that is no token of the admin API/);
  assert.doesNotMatch(login.stderr, /ghp_/);
});

test('a server that is not verified gets no token, and options that contradict each other are refused', async () => {
  const [, , , , ...byViewer] = there('viewer');
  const other = createTestAuthority();
  await writeFile(file('other.pem'), other.caPem);
  for (const ca of [[], ['--ca', file('other.pem')]]) {
    const { code, stderr } = await tried('session', 'list', '--server', server, ...ca, ...byViewer);
    assert.equal(code, 69, stderr);
    assert.match(stderr, /\[admin_unreachable\]/);
  }
  for (const [args, told] of [
    [['--server', 'http://admin.example.com', ...byViewer], /--server takes https/],
    [['--server', `${server}/v1`, ...byViewer], /--server takes https/],
    [['--server', 'https://ada:secret@127.0.0.1', ...byViewer], /--server takes https/],
    [['--server', server], /with which token\?/],
    [['--server', server, '--config', set.configFile, ...byViewer], /not both/],
    [['--context', 'admin', '--state', folder.path], /not both/],
    [['--context', 'admin', ...byViewer], /--token-file goes with --server/],
  ] as const) {
    const { code, stderr } = await tried('session', 'list', ...args);
    assert.equal(code, 64, stderr);
    assert.match(stderr, told);
  }
});

test('a server that is none of ours steers nothing: no redirect is followed, and no text of it acts on the terminal', async () => {
  const seen: string[] = [];
  const controls = ['\u001b', '\u0007', '\u202e'];
  const evil = controls.join('evil');
  let respond: (response: http.ServerResponse) => void = () => undefined;
  await using stack = new AsyncDisposableStack();
  const at = await otherServer(stack, (request, response) => {
    seen.push(request.url ?? '');
    respond(response);
  });
  const hostileAt = () => ['--server', at, ...there('viewer').slice(2)];
  const list = () => tried('session', 'list', ...hostileAt());
  respond = (response) => response.writeHead(307, { location: `${server}/v1/sessions` }).end();
  assert.match((await list()).stderr, /it redirects, and no redirect is followed \[admin_unreachable\]/);
  assert.equal(seen.length, 1);
  respond = (response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
  assert.match((await list()).stderr, /no admin API that this program knows/);
  respond = (response) => response.end(JSON.stringify({ items: [{ id: 7 }] }));
  assert.match((await list()).stderr, /no admin API that this program knows/);
  respond = (response) =>
    response.writeHead(403).end(JSON.stringify({ code: 'operator_refused', detail: evil }));
  const { stderr } = await list();
  assert.match(stderr, /\[operator_refused\]/);
  for (const control of controls) assert.equal(stderr.includes(control), false);
  // Cursors without an end, the same and ever others.
  const before = (): string => String(seen.at(-1)).replace(/.*before=/, '');
  for (const next of [() => 'again', () => (before() === 'a' ? 'b' : 'a'), () => `p${seen.length}`]) {
    respond = (response) => response.end(JSON.stringify({ items: [], next: next() }));
    for (const command of ['session list', 'access list', 'audit tail']) {
      seen.length = 0;
      const { code, stderr: said } = await tried(...command.split(' '), ...hostileAt());
      assert.equal(code, 69, said);
      assert.match(said, /100 pages with nothing on them \(adminEmptyPagesMax\) \[admin_unreachable\]/);
    }
  }
  // A policy whose file has a name that acts.
  const version = { policy: 'main', number: 1, version: 'v', published: '2026-01-01T00:00:00.000Z' };
  const files = [evil, 'b'].map((name) => ({ name, text: 'a' }));
  respond = (response) =>
    response.end(
      JSON.stringify({
        ...version,
        id: 'main@1',
        publishedBy: 'x',
        withdrawn: false,
        files,
      }),
    );
  const shown = await tried('policy', 'show', ...hostileAt());
  assert.match(shown.stderr, /no admin API that this program knows/);
  for (const control of controls) assert.equal(`${shown.stdout}${shown.stderr}`.includes(control), false);
});

test('what is done is done where nobody can say who has it: a note, and the exit code of what was done', async () => {
  await using stack = new AsyncDisposableStack();
  let changes: object | undefined;
  const cut = await otherServer(stack, (request, response) => {
    const { method, url = '' } = request;
    request.resume();
    if (method === 'GET' && url.startsWith('/v1/changes'))
      if (changes === undefined) response.writeHead(502).end('<html>');
      else response.end(JSON.stringify(changes));
    else if (method === 'GET') response.writeHead(503).end('<html>');
    else if (url.includes('/sessions/')) response.end(JSON.stringify(revoked));
    else response.end(JSON.stringify(published));
  });
  const at = ['--server', cut, ...there('administrator').slice(2)];
  const time = '2026-01-01T00:00:00.000Z';
  const session = { id: 'a', principal: 'p', claims: {}, state: 'revoked', created: time, expires: time };
  const revoked = { ...session, tunnels: 0, posture: [], notes: [], agentVersion: '1' };
  const version = {
    id: 'main@1',
    policy: 'main',
    number: 1,
    version: 'v',
    withdrawn: false,
    published: time,
  };
  const published = { version: { ...version, publishedBy: 'x', files: [] }, warnings: [] };
  const revoke = await tried('session', 'revoke', 'a', ...at);
  assert.deepEqual([revoke.code, revoke.stdout], [0, 'revoked a\n'], revoke.stderr);
  assert.match(
    revoke.stderr,
    /it is done; which gateways have taken it is not known: .* \[admin_unreachable\]/,
  );
  await writeFile(file('one.yaml'), 'rules:\n  - { name: one, hosts: one.test }\n');
  const publish = await tried('policy', 'publish', file('one.yaml'), '--seen', '0', ...at);
  assert.deepEqual([publish.code, publish.stdout], [0, 'published main@1, version v\n'], publish.stderr);
  assert.match(publish.stderr, /it is done; what gateways made of it is not known: /);
  // --quiet leaves out what is good, and not who still serves what was revoked.
  const [confirmed, missing] = [['a'], ['b']];
  for (const [late, told] of [
    [missing, /^upstreamproxy: confirmed by 1 of 2 gateways; within \S+ s not by b$/m],
    [[], /^(?!.*confirmed by)/s],
  ] as const) {
    changes = { change: 1, confirmed, missing: late, seconds: 0 };
    const quiet = await tried('session', 'revoke', 'a', '--quiet', ...at);
    assert.deepEqual([quiet.code, quiet.stdout], [0, ''], quiet.stderr);
    assert.match(quiet.stderr, told);
  }
});

test('policies are published, shown, rolled back and withdrawn by the API, as in the store', async () => {
  const by = there('administrator');
  await writeFile(file('one.yaml'), 'rules:\n  - { name: one, hosts: one.test }\n');
  await writeFile(file('two.yaml'), 'rules:\n  - { name: two, hosts: two.test }\n');
  const first = await own('policy', 'publish', file('one.yaml'), '--note', 'the first', ...by);
  assert.match(
    first,
    /^published main@1, version \w+\nconfirmed by 1 of 1 gateway in [0-9.]+ s\n1 gateway took it\n$/m,
  );
  const seen = await tried('policy', 'publish', file('two.yaml'), '--seen', '0', ...by);
  assert.deepEqual([seen.code, seen.stdout], [75, '']);
  const [second] = lines(await own('policy', 'publish', file('two.yaml'), '--json', ...by));
  assert.deepEqual([second?.['number'], second?.['isWithdrawn']], [2, false]);
  assert.match(String(second?.['diff']), /two\.test/);
  await writeFile(file('bad.yaml'), 'rules:\n  - { name: bad, hosts: 7 }\n');
  const bad = await tried('policy', 'publish', file('bad.yaml'), ...by);
  assert.notEqual(bad.code, 0);
  assert.match(bad.stderr, /bad\.yaml:2/);
  const rolled = await own('policy', 'rollback', '1', ...by);
  assert.match(rolled, /^published main@3/m);
  assert.equal(await own('policy', 'show', ...by), await readFile(file('one.yaml'), 'utf8'));
  assert.equal(await own('policy', 'show', '2', ...by), await readFile(file('two.yaml'), 'utf8'));
  const refused = await tried('policy', 'withdraw', ...there('viewer'));
  assert.equal(refused.code, 77);
  await own('policy', 'withdraw', '--name', 'main', ...by);
  const shown = (text: string) =>
    lines(text).map(({ number, version, isWithdrawn, note, backTo, isPublished, published, publishedBy }) => [
      number,
      version,
      isWithdrawn,
      note,
      backTo,
      isPublished,
      published,
      publishedBy,
    ]);
  const [ours, theirs] = [
    await here('policy', 'history', '--json'),
    await own('policy', 'history', '--json', ...by),
  ];
  assert.equal(lines(ours).length, 4);
  assert.deepEqual(shown(theirs), shown(ours));
  assert.equal(await own('policy', 'history', ...by), await here('policy', 'history'));
});

test('a session is ended by the API, and its end is confirmed', async () => {
  const [session] = lines(await own('session', 'list', '--json', ...there('viewer')));
  const ended = await own(
    'session',
    'revoke',
    String(session?.['id']),
    '--reason',
    'a test',
    ...there('administrator'),
  );
  assert.match(ended, /^revoked \S+\nconfirmed by 1 of 1 gateway/);
  const again = await tried('session', 'revoke', String(session?.['id']), ...there('administrator'));
  assert.equal(again.code, 75);
  assert.match(again.stderr, /\[state_changed\]/);
});
