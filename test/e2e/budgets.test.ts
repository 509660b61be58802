// What a session may still do, over a restart of the gateway, a kill and a rule that got another name.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import https from 'node:https';
import { join } from 'node:path';
import { test } from 'node:test';

import { stringify } from 'yaml';

import { deploy } from '../support/deployment.ts';
import { endlessOrigin } from '../support/endless-origin.ts';
import { freePort } from '../support/free-port.ts';
import { isRunning, startGatewayProcess, waitUntil } from '../support/program.ts';
import { agentThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const max = 32;
/** What a kill may cost: a sixteenth. */
const block = 2;

for (const limits of [{ requestsPerSession: max }, { requestsPerSession: max, budget: 'tickets' }]) {
  const how = 'budget' in limits ? 'named by the policy' : 'of the rule';
  test(`a budget ${how} is not renewed by a restart, a kill or another name of the rule`, async () => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const origin = stack.use(await endlessOrigin(authority));
    const rule = { name: 'first', hosts: ['api.test'], limits };
    const port = await freePort();
    const set = stack.use(
      await deploy({
        rules: [rule],
        authority,
        config: {
          listen: { address: '127.0.0.1', port },
          upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
        },
      }),
    );
    const agent = stack.use(await set.startAgent());
    const ca = await readFile(agent.env['SSL_CERT_FILE'] ?? '', 'utf8');
    const { relayPort } = agent;
    const get = async (): Promise<number> => {
      const connection = await agentThrough({ relayPort, host: 'api.test', port: 443, ca });
      try {
        const request = https.get({ agent: connection, host: 'api.test', port: 443, path: '/short' });
        const [response] = (await once(request, 'response')) as [IncomingMessage];
        response.resume();
        await once(response, 'end');
        return response.statusCode ?? 0;
      } finally {
        connection.destroy();
      }
    };
    let served = 0;
    const serve = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1, served += 1) assert.equal(await get(), 200);
    };
    /** The agent takes a moment to come back; a request that it refuses meanwhile has reached nobody. */
    const serveAgain = async (): Promise<void> => {
      await waitUntil('the agent is back', async () => (await get().catch(() => 0)) === 200);
      served += 1;
    };
    const rename = (name: string): Promise<void> =>
      writeFile(join(set.directory, 'policy.yaml'), stringify({ rules: [{ ...rule, name }] }));

    await serve(5);
    await rename('second');
    await set.gateway.close();
    const second = stack.use(await startGatewayProcess(set.configFile));
    await serveAgain();
    await serve(5);
    await rename('third');
    process.kill(second.pid, 'SIGKILL');
    await waitUntil('the gateway is gone', () => !isRunning(second.pid));
    stack.use(await startGatewayProcess(set.configFile));
    await serveAgain();
    let status = 200;
    for (let i = 0; i < 2 * max && status === 200; i += 1) {
      status = await get();
      if (status === 200) served += 1;
    }
    assert.equal(status, 429);
    assert.ok(served <= max && served >= max - block, `${served} were served`);
    assert.equal(await get(), 429);
  });
}
