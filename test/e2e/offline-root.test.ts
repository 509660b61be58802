// A gateway goes below a root that it does not have, and is renewed there, by the documented commands while requests go on.

import assert from 'node:assert/strict';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';

import { requestsOf } from '../../src/cli/gateway/authority-request-steps.ts';
import { loadGatewayConfig } from '../../src/gateway/config/config.ts';
import { openSession } from '../../src/agent/session.ts';
import { splitPemCertificates } from '../../src/pki/pem.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import { silentLogger } from '../../src/system/logger.ts';
import { mustRunShared } from '../support/command-process.ts';
import { deploy } from '../support/deployment.ts';
import { offlineRoot } from '../support/offline-root.ts';
import { httpsOrigin } from '../support/origin.ts';
import { waitUntil } from '../support/program.ts';
import { agentThrough, requestThrough } from '../support/proxy-client.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

test(
  'an intermediate below an offline root is taken and renewed, and no request of a session fails',
  {
    skip: skipWithout('openssl'),
  },
  async () => {
    await using stack = new AsyncDisposableStack();
    const authority = createTestAuthority();
    const origin = stack.use(await httpsOrigin({ authority }));
    const rule = { name: 'api', hosts: ['api.test'], addresses: ['127.0.0.1/32'], ports: [origin.port] };
    const set = stack.use(await deploy({ authority, hosts: { 'api.test': '127.0.0.1' }, rules: [rule] }));
    const session = await openSession({
      gatewayUrl: set.gateway.url,
      gatewayCa: set.gatewayCaFile,
      token: { file: await set.issueToken() },
      dangerouslyAllowPlainGateway: false,
      relayPort: 0,
      dangerouslyAllowUnhardened: false,
      environment: {},
      scrubEnvironment: false,
      baseEnvironment: {},
      limits: defaultLimits,
      logger: silentLogger,
      trustLookIntervalMs: 50,
      tlsEndsIn: 'gateway',
    });
    stack.defer(() => session.close());
    const root = stack.use(offlineRoot());
    const published = (): readonly string[] =>
      splitPemCertificates(readFileSync(session.files.ownCa ?? '', 'utf8'));
    const request = async (ca: string): Promise<string> => {
      const target = { relayPort: session.port, host: 'api.test', port: origin.port, ca };
      const agent = await agentThrough(target);
      const body = await text(await requestThrough(agent, target, { path: '/hello' }));
      agent.destroy();
      return body.trim();
    };
    const signs = (ca: string): Promise<boolean> =>
      request(ca).then(
        () => true,
        () => false,
      );
    const ca = (...args: readonly string[]) => [...args, '--config', set.configFile];
    const file = (name: string): string => join(set.directory, name);
    const look = (): void => void process.kill(set.gateway.pid, 'SIGUSR2');
    const [before = ''] = published();

    const requested = await mustRunShared(ca('ca', 'request'));
    writeFileSync(file('chain.pem'), root.sign(requested) + root.pem);
    const installed = await mustRunShared(ca('ca', 'install', file('chain.pem')));
    assert.match(installed, /Containers do not trust its root yet/);
    look();
    await waitUntil('the agent has the root, and nothing of what stands below', () =>
      published().includes(root.pem),
    );
    assert.deepEqual([published(), await request(before)], [[before, root.pem], 'hello']);
    const longAgo = Date.now() / 1000 - 120;
    utimesSync(file('state/ca/next-ca.pem'), longAgo, longAgo);
    await mustRunShared(ca('ca', 'switch'));
    look();
    const bundle = before + root.pem;
    await waitUntil('what stands below the root signs', async () => {
      assert.equal(await request(bundle), 'hello');
      return await signs(root.pem);
    });

    // A renewal: the root stays, so agents have nothing to hear. In this process, for programs start slowly.
    const requests = requestsOf(await loadGatewayConfig(set.configFile));
    const renewed = root.sign(await requests.request({}));
    const load = { isOn: true, count: 0 };
    const running = (async () => {
      for (; load.isOn; load.count++) assert.equal(await request(root.pem), 'hello');
    })();
    const { installed: how } = await requests.install([renewed], Date.now());
    assert.equal(how, 'signs');
    look();
    await waitUntil('the renewed one signs', async () => {
      assert.equal(await request(root.pem), 'hello');
      const log = set.gateway.log();
      return (log.match(/another one signs now/g)?.length ?? 0) >= 2;
    });
    load.isOn = false;
    await running;
    assert.ok(load.count > 0);
    assert.deepEqual(published(), [root.pem, before]);
  },
);
