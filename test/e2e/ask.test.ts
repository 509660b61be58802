// A rule that asks a person: real gateway and agent processes, curl as the client that is held, answers by the admin API.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Access, Approver } from '../support/approver.ts';
import { type CommandResult, mustRun, runCommand } from '../support/command.ts';
import { mustRunShared } from '../support/command-process.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { type EndlessOrigin, endlessOrigin } from '../support/endless-origin.ts';
import { launcher, waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

let origin: EndlessOrigin;
let set: Deployment;
let agent: AgentProcess;
let approver: Approver;

before(async () => {
  const authority = createTestAuthority();
  origin = await endlessOrigin(authority);
  set = await deploy({
    rules: [
      { name: 'ask-writes', hosts: ['api.test'], methods: ['POST', 'DELETE'], ask: true },
      { name: 'ask-once', hosts: ['once.test'], ask: { choices: 'once' } },
      { name: 'ask-unseen', hosts: ['unseen.test'], ask: { body: 'unseen' } },
      { name: 'read', hosts: ['api.test'] },
    ],
    authority,
    config: {
      admin: {},
      limits: { drainTimeoutMs: 2000, askBodyBytesMax: 100_000 },
      upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
    },
  });
  agent = await set.startAgent();
  approver = await Approver.of({ ...set, stateDirectory: join(set.directory, 'state') });
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, ...agent.env });

const curl = (...args: readonly string[]): Promise<CommandResult> =>
  runCommand('curl', ['-sS', '-i', ...args], { env: environment() });

/** Curl that gives up once somebody is asked. Gives what it asked for. */
async function givingUp(...args: readonly string[]): Promise<Access> {
  const child = spawn('curl', ['-sS', ...args], { env: environment(), stdio: 'ignore' });
  const ended = once(child, 'close');
  const question = await approver.open();
  child.kill();
  await ended;
  return question;
}

const decide = (id: string, decision: string) => approver.decide(id, decision, 'as agreed');

const eventsOf = async (path: string): Promise<readonly Readonly<Record<string, unknown>>[]> =>
  (await set.audit()).filter((event) => event['kind'] === 'exchange' && event['path'] === path);

test('curl waits, goes on when somebody allows it once, and the audit says who and what', async () => {
  await approver.look();
  const held = curl('--data', 'title=hello', 'https://api.test/issues?x=1');
  const question = await approver.open();
  assert.equal(question.kind, 'question');
  assert.deepEqual(origin.requests, []);
  const bound = new Map(question.question?.bound.map(({ name, value }) => [name, value]));
  assert.equal(bound.get('request'), 'POST https://api.test/issues?x=1');
  assert.match(
    bound.get('body') ?? '',
    /^11 bytes of application\/x-www-form-urlencoded, SHA-256 [0-9a-f]{64}$/,
  );
  assert.equal(question.question?.shown, 'title=hello');
  const { status, value } = await decide(question.id, 'once');
  assert.deepEqual([status, value.state, value.question?.answered?.decision], [200, 'granted', 'once']);
  const { stdout } = await held;
  assert.match(stdout, /^HTTP\/[12.]+ 200/m);
  assert.match(stdout, /hello\n$/);
  assert.deepEqual(origin.requests, ['POST api.test /issues?x=1']);
  const [event] = await eventsOf('/issues?x=1');
  assert.equal(event?.['verdict'], 'allow');
  const { heldMs, ...facts } = (event?.['question'] ?? {}) as Record<string, unknown>;
  assert.ok(Number(heldMs) >= 0);
  assert.match(String(facts['by']), /^ada /);
  assert.deepEqual(
    { ...facts, by: 'ada' },
    { id: question.id, outcome: 'allowed', answer: 'once', by: 'ada' },
  );
  const steps = (await set.audit()).filter(({ action }) => String(action).startsWith('question_'));
  assert.deepEqual(
    steps.map(({ action }) => action),
    ['question_asked', 'question_answered'],
  );
});

test('a denial reaches curl as 403 that is not sent again, and is not asked about again', async () => {
  await approver.look();
  const held = curl('-X', 'DELETE', 'https://api.test/repository');
  const { id } = await approver.open();
  await decide(id, 'deny');
  const { stdout } = await held;
  assert.match(stdout, /^HTTP\/[12.]+ 403/m);
  assert.match(stdout, /^x-should-retry: false/im);
  assert.match(stdout, new RegExp(`said no \\(question ${id}\\): as agreed`));
  const again = await curl('-X', 'DELETE', 'https://api.test/repository');
  assert.match(again.stdout, new RegExp(`question ${id}`));
  assert.deepEqual(await approver.look(), []);
  assert.ok(!origin.requests.includes('DELETE api.test /repository'));
  const [event] = await eventsOf('/repository');
  assert.deepEqual([event?.['verdict'], event?.['errorCode']], ['deny', 'question_denied']);
});

test('a client that gave up gets nothing sent on, and what was allowed meanwhile holds when it comes back', async () => {
  await approver.look();
  const before = origin.requests.length;
  const { id, question } = await givingUp('--data', 'late', 'https://once.test/a');
  assert.deepEqual(question?.choices, ['once']);
  const tooWide = await decide(id, 'session');
  assert.equal(tooWide.status, 400);
  await decide(id, 'once');
  const second = await decide(id, 'deny');
  assert.equal(second.status, 409);
  // Another body is another question, which nobody answers.
  const other = await givingUp('--data', 'other', 'https://once.test/a');
  await decide(other.id, 'deny');
  assert.equal(origin.requests.length, before);
  const back = await curl('--data', 'late', 'https://once.test/a');
  assert.match(back.stdout, /^HTTP\/[12.]+ 200/m);
  assert.deepEqual(origin.requests.slice(before), ['POST once.test /a']);
  // It was used up.
  const third = await givingUp('--data', 'late', 'https://once.test/a');
  assert.equal(origin.requests.length, before + 1);
  await decide(third.id, 'deny');
});

test('an answer for the session holds for any body of the same URL, and no other URL', async () => {
  await approver.look();
  const held = curl('--data', 'one', 'https://api.test/comments');
  const { id } = await approver.open();
  await decide(id, 'session');
  assert.match((await held).stdout, /^HTTP\/[12.]+ 200/m);
  assert.match((await curl('--data', 'two', 'https://api.test/comments')).stdout, /^HTTP\/[12.]+ 200/m);
  const other = await givingUp('--data', 'two', 'https://api.test/comments?all');
  await decide(other.id, 'deny');
  const { status } = await approver.call('POST', `/v1/access/${id}/revoke`, {});
  assert.equal(status, 200);
  const after = await givingUp('--data', 'three', 'https://api.test/comments');
  await decide(after.id, 'deny');
});

test('a body that is too long, or has no end, is refused at once, unless the rule asks about it unseen', async () => {
  await approver.look();
  const big = join(set.directory, 'big');
  await writeFile(big, Buffer.alloc(200_000));
  const refused = await curl('--data-binary', `@${big}`, 'https://api.test/big');
  assert.match(refused.stdout, /^x-deny-reason: question_impossible/im);
  assert.deepEqual(await approver.look(), []);
  const held = curl('--data-binary', `@${big}`, 'https://unseen.test/big');
  const { id, question } = await approver.open();
  assert.equal(question?.body, 'unseen');
  await decide(id, 'once');
  assert.match((await held).stdout, /^HTTP\/[12.]+ 200/m);
  const upgrade = [
    '-H',
    'Connection: Upgrade',
    '-H',
    'Upgrade: websocket',
    '-H',
    'Sec-WebSocket-Version: 13',
  ];
  const socket = await curl(
    '--http1.1',
    ...upgrade,
    '-H',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'https://once.test/',
  );
  assert.match(socket.stdout, /^x-deny-reason: question_impossible/im);
});

test('an operator follows questions in the store and answers one by a command, without the admin API', async () => {
  const following = spawn(
    launcher,
    ['access', 'questions', '--follow', '--json', '--config', set.configFile],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  let noted = '';
  following.stderr.setEncoding('utf8').on('data', (piece: string) => (noted += piece));
  following.stdout.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  try {
    await waitUntil('the note that it is asked', () => noted.includes('you are there to be asked'));
    const held = curl('--data', 'by=command', 'https://once.test/command');
    await waitUntil('the question', () => said.includes('\n'));
    const { id } = JSON.parse(said.split('\n')[0] ?? '') as Access;
    const args = ['access', 'answer', id, 'once', '--config', set.configFile];
    const listed = await mustRunShared(['access', 'questions', '--config', set.configFile]);
    assert.match(listed, new RegExp(`^question ${id} of the rule ask-once`));
    assert.match(listed, /^ {2}request: POST https:\/\/once\.test\/command$/m);
    assert.match(listed, new RegExp(`answer ${id} once\\|deny$`, 'm'));
    assert.equal((await runCommand(launcher, args.with(3, 'session'))).code, 64);
    await mustRun(launcher, args);
    assert.match((await held).stdout, /^HTTP\/[12.]+ 200/m);
    assert.equal((await runCommand(launcher, args)).code, 75);
  } finally {
    following.kill();
  }
});
