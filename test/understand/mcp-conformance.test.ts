// The conformance suite of MCP, direct and through the gateway: what passes without it passes with it.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRequestPath } from '../gateway/support/request-path.ts';
import { serveConformance } from './support/conformance-server.ts';
import { openDirect, openDoor, sdkFolder, skipWithoutSdk } from './support/mcp-sdk.ts';

/** How many checks of each scenario passed and failed. */
async function results(url: string): Promise<ReadonlyMap<string, string>> {
  const file = join(sdkFolder ?? '', 'node_modules/@modelcontextprotocol/conformance/dist/index.js');
  const child = spawn(process.execPath, [file, 'server', '--url', url], {
    cwd: sdkFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
  });
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
  await once(child, 'close');
  const lines = text.matchAll(/^[✓✗] ([\w-]+): (\d+ passed, \d+ failed)/gm);
  return new Map([...lines].map(([, name = '', found = '']) => [name, found]));
}

test(
  'scenarios of a server have the same results direct and through the gateway',
  { skip: skipWithoutSdk },
  async (context) => {
    await using server = await serveConformance();
    const at = `mcp.test:${server.port}`;
    await using path = openRequestPath({
      policy: `rules:
  - { name: all, hosts: mcp.test, scheme: http, ports: ${server.port}, addresses: 127.0.0.0/8, paths: /mcp, mcp: { tools: "*", resources: "*", prompts: "*", methods: "*", input: allow } }`,
      hosts: ['mcp.test'],
      trust: [],
    });
    await using direct = await openDirect(server.port);
    await using through = await openDoor(at, () => path.open({ authority: at, mode: 'raw' }).socket);
    const without = await results(`${direct.origin}/mcp`);
    const withIt = await results(`${through.origin}/mcp`);
    const passed = [...withIt].filter(([, found]) => found.endsWith(' 0 failed')).length;
    context.diagnostic(
      `${without.size} scenarios, ${passed} pass through the gateway: ${[...withIt].map((one) => one.join(' ')).join('; ')}`,
    );
    assert.deepEqual([...withIt], [...without]);
    assert.ok(passed >= 28, `only ${passed}`);
  },
);
