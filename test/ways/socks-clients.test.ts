// Real clients that speak SOCKS5, through the relay of a real agent. The names are known to the gateway alone.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { deploy, type AgentProcess, type Deployment } from '../support/deployment.ts';
import { httpsOrigin, type Origin } from '../support/origin.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import * as clients from './clients.ts';

const skip = process.env['TEST_WAYS'] === undefined ? '`npm run test:ways` runs it' : false;
const host = 'origin.test';

describe('SOCKS5 on the relay', { skip }, () => {
  let temporary: TemporaryDirectory;
  let origin: Origin;
  let deployment: Deployment;

  before(async () => {
    temporary = await temporaryDirectory();
    const authority = createTestAuthority();
    const handler = await clients.originOf(join(temporary.path, 'origin'));
    origin = await httpsOrigin({ authority, handler });
    deployment = await deploy({
      authority,
      rules: [{ name: 'origin', hosts: host, ports: [origin.port], addresses: ['127.0.0.0/8'] }],
      hosts: { [host]: '127.0.0.1' },
    });
  });
  after(async () => {
    await deployment?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
    await temporary?.[Symbol.asyncDispose]();
  });

  for (const runtime of ['node', 'bun'] as const)
    test(`six clients are served by names, under ${runtime}`, async () => {
      await using agent = await deployment.startAgent({ runtime });
      const url = `socks5h://127.0.0.1:${agent.relayPort}`;
      const ca = agent.env['SSL_CERT_FILE'] ?? '';
      const trust = { SSL_CERT_FILE: ca, NODE_EXTRA_CA_CERTS: ca, GIT_SSL_CAINFO: ca, npm_config_cafile: ca };
      const plain = `socks5://127.0.0.1:${agent.relayPort}`;
      const known: Readonly<
        Record<string, readonly [clients.Client, env: Readonly<Record<string, string>>]>
      > = {
        curl: [clients.curl('--proxy', url, '--cacert', ca), {}],
        git: [clients.git, { https_proxy: url }],
        npm: [clients.npm, { npm_config_https_proxy: url, npm_config_proxy: url }],
        Go: [clients.go, { HTTPS_PROXY: plain }],
        'Node, fetch': [clients.nodeFetch, { HTTPS_PROXY: plain, NODE_USE_ENV_PROXY: '1' }],
        Java: [clients.javaSocks('127.0.0.1', agent.relayPort, trustStoreOf(agent)), {}],
      };
      for (const [name, [client, env]] of Object.entries(known)) {
        const folder = join(temporary.path, `${runtime}-${name}`);
        await mkdir(folder, { recursive: true });
        const PATH = process.env['PATH'] ?? '';
        const place = {
          folder,
          url: `https://${host}:${origin.port}`,
          env: { PATH, HOME: folder, ...trust, ...env },
        };
        const output = await client(place);
        assert.match(output, new RegExp(clients.said), `${name}: ${output}`);
      }
    });
});

/** The agent tells Java by its options. */
function trustStoreOf({ env }: AgentProcess): string {
  return /trustStore=(\S+)/.exec(env['JAVA_TOOL_OPTIONS'] ?? '')?.[1] ?? '';
}
