// `include: catalog/openai` and `catalog/anthropic` with the SDKs of these services, in front of a server that speaks their APIs.
// `npm run test:catalog` runs it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';

import { canary, findCanary } from '../support/canary.ts';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { type ModelServer, openModelServer } from '../support/model-server.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { at443 } from './support/at-443.ts';

const tools = process.env['TEST_CATALOG_TOOLS'] ?? '';
const hasSdks = existsSync(join(tools, 'node_modules', 'openai'));
const why =
  process.env['TEST_CATALOG'] === undefined ? 'npm run test:catalog runs it' : 'the SDKs are not there';

const services = [
  {
    entry: 'openai',
    host: 'api.openai.com',
    address: '127.80.0.3',
    variable: 'OPENAI_API_KEY',
    credential: { kind: 'bearer' },
    sdk: 'openai',
    call: `console.log(JSON.stringify(await client.chat.completions.create({ model: 'gpt-5', messages: [{ role: 'user', content: 'say 3' }] })))`,
    outside: `await client.files.list()`,
  },
  {
    entry: 'anthropic',
    host: 'api.anthropic.com',
    address: '127.80.0.4',
    variable: 'ANTHROPIC_API_KEY',
    credential: { kind: 'header', header: 'x-api-key' },
    sdk: '@anthropic-ai/sdk',
    call: `console.log(JSON.stringify(await client.messages.create({ model: 'claude-sonnet-4-5', max_tokens: 5, messages: [{ role: 'user', content: 'say 3' }] })))`,
    outside: `await client.beta.files.list()`,
  },
] as const;

for (const { entry, host, address, variable, credential, sdk, call, outside } of services)
  describe(`catalog/${entry} with its SDK`, { skip: hasSdks ? false : why }, () => {
    const secret = canary(entry);
    let stack: AsyncDisposableStack;
    let model: ModelServer;
    let set: Deployment;
    let agent: AgentProcess;

    before(async () => {
      stack = new AsyncDisposableStack();
      const authority = createTestAuthority();
      model = stack.use(await openModelServer(authority, host));
      stack.use(await at443(address, model.port));
      set = stack.use(
        await deploy({
          authority,
          hosts: { [host]: address },
          rules: [{ name: entry, include: `catalog/${entry}`, addresses: '127.0.0.0/8', inject: 'key' }],
          credentials: { key: { ...credential, source: { env: 'KEY' }, placeholder: { env: variable } } },
          environment: { ...process.env, KEY: secret },
        }),
      );
      agent = stack.use(await set.startAgent());
    });
    after(() => stack[Symbol.asyncDispose]());

    const run = (code: string): Promise<CommandResult> => {
      const from = JSON.stringify(join(tools, 'node_modules', sdk, 'index.mjs'));
      const script = `import Client from ${from};
        const client = new Client({ maxRetries: 0 });
        try { ${code} } catch (error) { console.log(error.constructor.name, String(error.status)); }`;
      return runCommand(process.execPath, ['--input-type=module', '--eval', script], {
        env: { PATH: process.env['PATH'] ?? '', HOME: set.directory, ...agent.env },
        timeoutMs: 120_000,
      });
    };

    test('a call goes with the key, which the program has not', async () => {
      const called = await run(call);
      assert.equal(called.code, 0, called.stderr);
      assert.match(called.stdout, /word word word/);
      assert.equal(model.billed.length, 1);
      assert.ok(model.keys.at(-1)?.includes(secret) === true, 'the key did not come');
      for (const text of [
        called.stdout,
        called.stderr,
        JSON.stringify(agent.env),
        JSON.stringify(await set.audit()),
      ])
        assert.deepEqual(findCanary(text, secret), []);
    });

    test('what is no part of the entry is denied before it goes anywhere', async () => {
      const count = model.keys.length;
      const denied = await run(outside);
      assert.match(denied.stdout, /PermissionDeniedError 403/);
      assert.equal(model.keys.length, count);
    });
  });
