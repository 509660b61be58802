// A real gateway while strangers knock: those who belong here come in all the same.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { deploy, type Deployment } from '../support/deployment.ts';

/** The status that an enrolment with this token gets. */
async function enrolWith({ gateway, gatewayCaFile }: Deployment, token: string): Promise<number | undefined> {
  const request = httpsRequest(`${gateway.url}/v1/code/upstreamproxy/session`, {
    method: 'POST',
    agent: false,
    ca: await readFile(gatewayCaFile),
    headers: { authorization: `Bearer ${token}`, 'content-length': 2 },
  });
  request.end('{}');
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return response.statusCode;
}

test('who guesses tokens is slowed down and refused, and an agent with a good one starts from the same address', async () => {
  await using deployment = await deploy({
    rules: [],
    config: { limits: { enrolFailuresPerSecondMax: 1, enrolFailureDelayMs: 50 } },
  });
  const statuses: (number | undefined)[] = [];
  for (let i = 0; i < 12; i += 1) statuses.push(await enrolWith(deployment, `a.b.${i}`));
  assert.equal(statuses[0], 401);
  assert.ok(statuses.includes(429), statuses.join(' '));
  await using agent = await deployment.startAgent();
  assert.ok(agent.relayPort > 0);
});

test('silent connections take no room of a session that is there, and what they leave is enough to start another', async () => {
  await using deployment = await deploy({
    rules: [],
    config: { limits: { strangersMax: 40, strangersPerSourceMax: 30, handshakeTimeoutMs: 3000 } },
  });
  await using stack = new AsyncDisposableStack();
  await using before = await deployment.startAgent();
  const { port, hostname } = new URL(deployment.gateway.url);
  const silent = Array.from({ length: 60 }, () => {
    const socket = connect(Number(port), hostname).on('error', () => undefined);
    stack.defer(() => void socket.destroy());
    return once(socket.resume(), 'close');
  });
  // The first to be closed are those above the bound, at once; the others by the deadline of the handshake.
  await Promise.race(silent);
  assert.match(before.env['HTTPS_PROXY'] ?? before.env['https_proxy'] ?? '', /127\.0\.0\.1/);
  await Promise.all(silent);
  await using after = await deployment.startAgent();
  assert.ok(after.relayPort > 0);
});
