// A workload that wants a request of its own to go on without the person who was asked: whatever it tries decides nothing.

import assert from 'node:assert/strict';
import { createHmac, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import http, { type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { Webhook } from 'standardwebhooks';
import { stringify } from 'yaml';
import { type Access, Approver } from '../support/approver.ts';
import { runCommand } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { type EndlessOrigin, endlessOrigin } from '../support/endless-origin.ts';
import { freePort } from '../support/free-port.ts';
import { launcher } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

type Headers = Readonly<Record<string, string>>;

const url = 'https://api.test/merge';
const secret = `whsec_${randomBytes(32).toString('base64')}`;
const slackSecret = randomBytes(16).toString('hex');

describe('a workload that wants to approve itself', () => {
  const stack = new AsyncDisposableStack();
  let origin: EndlessOrigin;
  let set: Deployment;
  let agent: AgentProcess;
  let approver: Approver;
  let adminPort: number;
  let callbacksPort: number;
  /** The question about `url`. */
  let id: string;

  before(async () => {
    const authority = createTestAuthority();
    const receiver = http.createServer((request, response) => {
      request.resume();
      response.writeHead(204).end();
    });
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    stack.defer(() => {
      receiver.closeAllConnections();
      receiver.close();
    });
    const receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
    origin = stack.use(await endlessOrigin(authority));
    adminPort = await freePort();
    callbacksPort = await freePort();
    set = stack.use(
      await deploy({
        rules: [
          { name: 'ask-writes', hosts: ['api.test'], methods: ['POST'], ask: true },
          {
            name: 'here',
            scheme: 'http',
            hosts: ['127.0.0.1', 'inside.test'],
            ports: [adminPort, callbacksPort],
            addresses: '127.0.0.0/8',
          },
        ],
        authority,
        environment: { SECRET: secret, SLACK_SECRET: slackSecret },
        config: {
          admin: { listen: { port: adminPort } },
          // Whoever asks too often is refused for that alone, which would prove nothing.
          limits: { drainTimeoutMs: 2000, askTimeoutMs: 1000, accessCallsPerSecondMax: 1000 },
          upstream: {
            ca: 'origins.pem',
            hosts: { 'inside.test': '127.0.0.1' },
            proxy: { url: origin.proxyUrl, noProxy: ['127.0.0.1', 'inside.test'] },
          },
          notices: { systems: { url: receiverUrl, secret: { env: 'SECRET' }, tell: 'question' } },
          callbacks: {
            listen: { port: callbacksPort },
            senders: {
              systems: { format: 'webhook', secret: { env: 'SECRET' }, people: { '7': { name: 'ada' } } },
              chat: { format: 'slack', secret: { env: 'SLACK_SECRET' }, people: { U1: { name: 'bob' } } },
            },
          },
        },
      }),
    );
    agent = stack.use(await set.startAgent());
    approver = await Approver.of({ ...set, stateDirectory: join(set.directory, 'state') });
    assert.match(await curl('--data', 'pull=7', url), /^x-deny-reason: question_open/im);
    id = (await approver.look())[0]?.id ?? '';
    assert.notEqual(id, '');
  });
  after(() => stack.disposeAsync());

  /** What the workload's curl gets: its status, fields and body. */
  const curl = async (...args: readonly string[]): Promise<string> => {
    const env = { ...process.env, ...agent.env };
    return (await runCommand('curl', ['-sS', '-i', '--noproxy', '', ...args], { env })).stdout;
  };
  /** What somebody who stands beside the gateway, without any proxy, gets. */
  const beside = async (to: http.RequestOptions, body: string): Promise<number> => {
    const request = http.request({ method: 'POST', agent: false, ...to });
    request.end(body);
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    await text(response);
    return response.statusCode ?? 0;
  };
  /** One as its agent had. */
  const workloadToken = async (): Promise<string> => (await readFile(await set.issueToken(), 'utf8')).trim();
  const socketPath = (): string => join(set.directory, 'state', 'admin', 'admin.sock');
  const decidePath = (): string => `/v1/access/${id}/decide`;
  const decision = JSON.stringify({ decision: 'once' });
  const typed = { 'content-type': 'application/json' };

  const callback = (question: string, said = 'once'): string =>
    JSON.stringify({ user: '7', question, decision: said });
  const signed = (body: string, message: string, key = secret): Headers => ({
    'webhook-id': message,
    'webhook-timestamp': String(Math.floor(Date.now() / 1000)),
    'webhook-signature': new Webhook(key).sign(message, new Date(), body),
  });
  const toCallbacks = (body: string, headers: Headers, path = '/v1/callbacks/systems'): Promise<number> =>
    beside({ host: '127.0.0.1', port: callbacksPort, path, headers }, body);

  /** The question is as it was, and nothing of the request went out. */
  const nothingDecided = async (): Promise<void> => {
    const { value } = await approver.call<Access>('GET', `/v1/access/${id}`);
    assert.equal(value.state, 'pending');
    assert.deepEqual(origin.requests, []);
  };

  test('1: the admin socket by its path, without a token and with the token of its session', async () => {
    const path = decidePath();
    assert.equal(await beside({ socketPath: socketPath(), path, headers: typed }, decision), 401);
    const authorization = `Bearer ${await workloadToken()}`;
    const headers = { ...typed, authorization };
    assert.equal(await beside({ socketPath: socketPath(), path, headers }, decision), 401);
    await nothingDecided();
  });

  test('2: the admin API by TCP, through a rule with addresses, by address and by name', async () => {
    for (const host of ['127.0.0.1', 'inside.test']) {
      // Even with the token of an approver that somebody left lying around.
      const fields = [
        '-H',
        `authorization: ${approver.authorization}`,
        '-H',
        'content-type: application/json',
      ];
      const said = await curl(...fields, '--data', decision, `http://${host}:${adminPort}${decidePath()}`);
      assert.match(said, /^x-deny-reason: address_denied/im, host);
    }
    await nothingDecided();
  });

  test('3: the port of callbacks, through the same rule, with a message that is signed', async () => {
    const body = callback(id);
    for (const host of ['127.0.0.1', 'inside.test']) {
      const fields = Object.entries(signed(body, `tunnelled-${host}`)).flatMap(([name, value]) => [
        '-H',
        `${name}: ${value}`,
      ]);
      const to = `http://${host}:${callbacksPort}/v1/callbacks/systems`;
      assert.match(await curl(...fields, '--data', body, to), /^x-deny-reason: address_denied/im, host);
    }
    await nothingDecided();
  });

  test('4: a forged callback: no signature, a key of its own, its token as key, the name of another sender', async () => {
    const body = callback(id);
    const guessed = `whsec_${randomBytes(32).toString('base64')}`;
    const ofToken = `whsec_${Buffer.from(await workloadToken()).toString('base64')}`;
    assert.equal(await toCallbacks(body, {}), 401);
    assert.equal(await toCallbacks(body, signed(body, 'forged-1', guessed)), 401);
    assert.equal(await toCallbacks(body, signed(body, 'forged-2', ofToken)), 401);
    assert.equal(await toCallbacks(body, signed(body, 'forged-3'), '/v1/callbacks/chat'), 401);
    const form = `payload=${encodeURIComponent(JSON.stringify({ type: 'block_actions', user: { id: 'U1' } }))}`;
    const seconds = String(Math.floor(Date.now() / 1000));
    const mac = createHmac('sha256', 'guessed').update(`v0:${seconds}:${form}`).digest('hex');
    const slack = { 'x-slack-request-timestamp': seconds, 'x-slack-signature': `v0=${mac}` };
    assert.equal(await toCallbacks(form, slack, '/v1/callbacks/chat'), 401);
    await nothingDecided();
  });

  test('5: a callback about another question, replayed as it was and with the id of its own', async () => {
    await curl('--data', 'x', 'https://api.test/harmless');
    const other = (await approver.look()).find((one) => one.id !== id)?.id ?? '';
    const body = callback(other, 'deny');
    const headers = signed(body, 'seen-on-the-wire');
    assert.equal(await toCallbacks(body, headers), 200);
    assert.equal(await toCallbacks(body, headers), 401);
    assert.equal(await toCallbacks(callback(id), headers), 401);
    assert.equal(await toCallbacks(callback(id), { ...headers, 'webhook-id': 'another' }), 401);
    await nothingDecided();
  });

  test('6: paths of upstreamproxy.invalid that look as if they decided', async () => {
    const paths = [`/access/${id}`, `/access/${id}/decide`, decidePath(), `/questions/${id}`];
    for (const path of [...paths, `/access/${id}/grant`, '/v1/callbacks/systems', '/policy'])
      for (const method of ['POST', 'PUT', 'PATCH']) {
        const to = `http://upstreamproxy.invalid${path}`;
        const said = await curl('-X', method, '-H', 'content-type: application/json', '--data', decision, to);
        assert.match(said, /^HTTP\/[12.]+ 4(?!29)\d\d/m, `${method} ${path}`);
      }
    await nothingDecided();
  });

  test('7: a request for access to the same URL, which it then grants itself', async () => {
    const asked = JSON.stringify({ url, method: 'POST', reason: 'the person agreed' });
    const recorded = await curl(
      '-H',
      'content-type: application/json',
      '--data',
      asked,
      'http://upstreamproxy.invalid/access',
    );
    // Nothing is filed: a request for it is not denied, it waits.
    assert.match(recorded, /^HTTP\/[12.]+ 200/m);
    assert.match(recorded, /a person is asked/);
    const before = (await approver.look()).map((one) => one.id).toSorted();
    assert.deepEqual(before, [id]);
    for (const one of await approver.look())
      for (const to of ['grant', 'decide'])
        assert.match(
          await curl('--data', decision, `http://upstreamproxy.invalid/access/${one.id}/${to}`),
          /^HTTP\/[12.]+ 4(?!29)\d\d/m,
        );
    assert.deepEqual((await approver.look()).map((one) => one.id).toSorted(), before);
    assert.match(await curl('--data', 'pull=7', url), /^x-deny-reason: question_open/im);
    await nothingDecided();
  });

  test('8: a child session whose policy asks nobody', async () => {
    const file = join(set.directory, 'child.yaml');
    await writeFile(file, stringify({ rules: [{ name: 'all', hosts: 'api.test' }] }));
    const command = ['curl', '-sS', '-i', '--data', 'pull=7', url];
    const args = ['session', 'narrow', '--unconfined', '--policy', file, '--', ...command];
    const env = { PATH: process.env['PATH'], HOME: set.directory, ...agent.env };
    const { stdout, stderr } = await runCommand(launcher, args, { env });
    assert.match(stdout, /^x-deny-reason: question_open/im, stderr);
    await nothingDecided();
  });

  test('9: fields and queries that say it was approved, and the id of the question in a field', async () => {
    const said = ['approved: true', 'x-approved: once', `x-question: ${id}`, `upstreamproxy-question: ${id}`];
    const fields = said.flatMap((line) => ['-H', line]);
    const more = ['-H', `x-upstreamproxy-approval: ${id} once`, '-H', 'x-should-retry: true'];
    const marked = await curl(...fields, ...more, '--data', 'pull=7', url);
    assert.match(marked, /^x-deny-reason: question_open/im);
    const queried = await curl('--data', 'pull=7', `${url}?approved=true&decision=once&question=${id}`);
    assert.match(queried, /^x-deny-reason: question_open/im);
    await nothingDecided();
  });

  test('10: a second session of the same principal, once the first was allowed; and that one goes on', async () => {
    assert.equal((await approver.decide(id, 'session')).value.state, 'granted');
    await using second = await set.startAgent();
    const env = { ...process.env, ...second.env };
    const command = ['-sS', '-i', '--data', 'pull=7', url];
    const { stdout } = await runCommand('curl', command, { env });
    assert.match(stdout, /^x-deny-reason: question_open/im);
    assert.deepEqual(origin.requests, []);
    // What was tried would have gone out if somebody had allowed it.
    assert.match(await curl('--data', 'pull=7', url), /^HTTP\/[12.]+ 200/m);
    assert.deepEqual(origin.requests, ['POST api.test /merge']);
  });
});
