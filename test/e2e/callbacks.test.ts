// A question is told to a system by a signed notice, decided by a signed callback, and nobody else decides it: real gateway and agent, curl
// as the client that is held.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { type EndlessOrigin, endlessOrigin } from '../support/endless-origin.ts';
import { freePort } from '../support/free-port.ts';
import { waitUntil } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

interface Notice {
  readonly data: {
    readonly question: { readonly id: string; readonly asked: string; readonly choices: readonly string[] };
  };
}

const secret = `whsec_${randomBytes(32).toString('base64')}`;
const slackSecret = randomBytes(16).toString('hex');
const told: Notice[] = [];
let chat: readonly string[] = [];
let receiver: http.Server;
let origin: EndlessOrigin;
let set: Deployment;
let agent: AgentProcess;
let port: number;

before(async () => {
  const authority = createTestAuthority();
  receiver = http.createServer((request, response) => {
    void (async () => {
      if (request.url === '/chat') chat = [...chat, await text(request)];
      // Written by the gateway.
      else told.push((await json(request)) as Notice);
      response.writeHead(200).end();
    })();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const at = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  origin = await endlessOrigin(authority);
  port = await freePort();
  set = await deploy({
    rules: [
      { name: 'ask-writes', hosts: ['api.test'], methods: ['POST'], ask: true },
      { name: 'here', scheme: 'http', hosts: ['127.0.0.1'], ports: [port], addresses: '127.0.0.0/8' },
    ],
    authority,
    environment: { SECRET: secret, SLACK_SECRET: slackSecret, CHAT_URL: `${at}/chat` },
    config: {
      limits: { drainTimeoutMs: 2000 },
      upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl, noProxy: '127.0.0.1' } },
      notices: {
        systems: { url: `${at}/`, secret: { env: 'SECRET' }, tell: 'question' },
        chat: { urlFrom: { env: 'CHAT_URL' }, format: 'slack', tell: 'question' },
      },
      callbacks: {
        listen: { port },
        senders: {
          systems: { format: 'webhook', secret: { env: 'SECRET' }, people: { '7': { name: 'ada' } } },
          chat: {
            format: 'slack',
            secret: { env: 'SLACK_SECRET' },
            people: { U1: { name: 'bob' }, U2: { name: 'eve', sees: { team: 'web' } } },
          },
        },
      },
    },
  });
  agent = await set.startAgent();
});
after(async () => {
  await agent?.[Symbol.asyncDispose]();
  await set?.[Symbol.asyncDispose]();
  await origin?.[Symbol.asyncDispose]();
  receiver?.close();
});

const curl = (...args: readonly string[]): Promise<CommandResult> =>
  runCommand('curl', ['-sS', '-i', ...args], { env: { ...process.env, ...agent.env } });

let messages = 0;

/** What the gateway says to a message: its status, and what it has. */
async function post(
  path: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  method = 'POST',
): Promise<{ readonly status: number; readonly said: string }> {
  const request = http.request({ host: '127.0.0.1', port, path, method, headers, agent: false });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { status: response.statusCode ?? 0, said: await text(response) };
}

function signed(body: string, id = `msg_${(messages += 1)}`): Record<string, string> {
  const now = new Date();
  return {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(id, now, body),
  };
}

function slackSigned(form: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const mac = createHmac('sha256', slackSecret).update(`v0:${timestamp}:${form}`).digest('hex');
  return { 'x-slack-request-timestamp': timestamp, 'x-slack-signature': `v0=${mac}` };
}

const pressed = (user: string, button: { readonly action_id: string; readonly value: string }): string =>
  new URLSearchParams({
    payload: JSON.stringify({ type: 'block_actions', user: { id: user }, actions: [button] }),
  }).toString();

/** The question that was told last, once there are so many. */
async function question(count: number): Promise<Notice['data']['question']> {
  await waitUntil(`${count} notices`, () => told.length >= count && chat.length >= count);
  const last = told[count - 1]?.data.question;
  assert.ok(last !== undefined);
  return last;
}

test('a request waits, a system is told, and what it sends for a person lets the request go on', async () => {
  const held = curl('--data', 'title=hello', 'https://api.test/issues?x=1');
  const { id, asked, choices } = await question(1);
  assert.equal(asked, 'POST https://api.test/issues?…');
  assert.deepEqual(choices, ['once', 'session', 'minutes', 'always']);
  const body = JSON.stringify({ user: '7', question: id, decision: 'once' });
  // Whoever does not have the secret, or is nobody there, or comes twice, decides nothing.
  assert.equal((await post('/v1/callbacks/systems', body, {})).status, 401);
  assert.equal((await post('/v1/callbacks/chat', body, signed(body))).status, 401);
  assert.equal((await post('/v1/callbacks/nobody', body, signed(body))).status, 404);
  const stranger = JSON.stringify({ user: '8', question: id, decision: 'once' });
  assert.equal((await post('/v1/callbacks/systems', stranger, signed(stranger))).status, 401);
  // A preview follows every link that it can find.
  for (const path of ['/', '/v1/callbacks/systems', `/v1/callbacks/systems?question=${id}&decision=once`])
    for (const method of ['GET', 'HEAD'])
      assert.ok([404, 405].includes((await post(path, '', signed(''), method)).status));
  assert.deepEqual(origin.requests, []);
  const headers = signed(body);
  assert.deepEqual(await post('/v1/callbacks/systems', body, headers), { status: 200, said: '' });
  assert.match((await held).stdout, /^HTTP\/[12.]+ 200/m);
  assert.equal((await post('/v1/callbacks/systems', body, headers)).status, 401);
  assert.equal((await post('/v1/callbacks/systems', body, signed(body))).status, 409);
  const events = await set.audit();
  const step = events.find(({ action }) => action === 'question_answered');
  assert.equal((step?.['details'] as { readonly operator?: string })?.operator, 'ada by systems');
  assert.ok(events.some(({ action }) => action === 'refused'));
});

test('a button of a chat decides for whoever it is bound to, and for their sessions alone', async () => {
  const held = curl('--data', 'two', 'https://api.test/other');
  const { id } = await question(2);
  const message = chat[1] ?? '';
  assert.ok(message.includes(`"value":"${id} deny"`), message);
  const deny = { action_id: 'upstreamproxy_deny', value: `${id} deny` };
  const byEve = pressed('U2', deny);
  assert.equal((await post('/v1/callbacks/chat', byEve, slackSigned(byEve))).status, 404);
  const byBob = pressed('U1', deny);
  assert.equal((await post('/v1/callbacks/chat', byBob, slackSigned(byBob))).status, 200);
  const { stdout } = await held;
  assert.match(stdout, /^HTTP\/[12.]+ 403/m);
  assert.match(stdout, /^x-should-retry: false/im);
  assert.ok(!origin.requests.includes('POST api.test /other'));
});

test('a workload does not reach the listener, though a rule opens its port', async () => {
  const body = JSON.stringify({ user: '7', question: 'q', decision: 'once' });
  const fields = Object.entries(signed(body)).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
  const noProxy = ['--noproxy', ''];
  const { stdout } = await curl(
    ...noProxy,
    ...fields,
    '--data',
    body,
    `http://127.0.0.1:${port}/v1/callbacks/systems`,
  );
  assert.match(stdout, /^x-deny-reason: address_denied/im);
});
