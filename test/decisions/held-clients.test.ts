// Real clients that are held while a person is asked: what each of them sees when somebody allows it, denies it, or never comes, and how
// often it sends. `npm run test:decisions` runs it.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { Approver } from '../support/approver.ts';
import { type CommandResult, runCommand } from '../support/command.ts';
import { type AgentProcess, deploy, type Deployment } from '../support/deployment.ts';
import { type EndlessOrigin, endlessOrigin } from '../support/endless-origin.ts';
import { createTestAuthority } from '../support/test-authority.ts';

const isLong = process.env['DECISIONS_RUNS'] !== undefined;
const tools = process.env['TEST_DECISIONS_TOOLS'];
const host = 'held.test';
const clientTimeoutMs = 60_000;

const sdk = (name: string, call: string): readonly string[] => [
  'node',
  '--input-type=module',
  '--eval',
  `import Client from ${JSON.stringify(join(tools ?? '', 'node_modules', name, 'index.mjs'))};
   const client = new Client({ apiKey: 'placeholder', baseURL: 'https://${host}' });
   try { ${call} } catch (error) { console.log(error.constructor.name, String(error.status), String(error.message).slice(0, 200)); }`,
];

/** Each with what it runs. */
const clients: readonly { readonly name: string; readonly command: (path: string) => readonly string[] }[] = [
  { name: 'curl', command: (path) => ['curl', '-sS', `https://${host}/${path}`] },
  { name: 'git', command: (path) => ['git', 'ls-remote', `https://${host}/${path}.git`] },
  {
    name: 'npm',
    command: (path) => ['npm', 'view', path, '--registry', `https://${host}/`, '--fetch-retries=1'],
  },
  {
    name: 'pip',
    command: (path) => [
      'python3',
      '-m',
      'pip',
      'download',
      '--no-deps',
      '--index-url',
      `https://${host}/simple`,
      path,
    ],
  },
  {
    name: 'Node fetch',
    command: (path) => [
      'node',
      '--input-type=module',
      '--eval',
      `const r = await fetch('https://${host}/${path}'); console.log(r.status, await r.text());`,
    ],
  },
  {
    name: 'openai SDK',
    command: (path) =>
      sdk('openai', `await client.chat.completions.create({ model: '${path}', messages: [] });`),
  },
  {
    name: 'Anthropic SDK',
    command: (path) =>
      sdk(
        '@anthropic-ai/sdk',
        `await client.messages.create({ model: '${path}', max_tokens: 1, messages: [] });`,
      ),
  },
];

describe('clients that are held', { skip: isLong ? false : 'npm run test:decisions runs it' }, () => {
  let origin: EndlessOrigin;
  let set: Deployment;
  let agent: AgentProcess;
  let approver: Approver;
  /** What was not allowed. */
  const refused = new Set<string>();

  before(async () => {
    const authority = createTestAuthority();
    origin = await endlessOrigin(authority);
    set = await deploy({
      rules: [{ name: 'ask', hosts: [host], ask: true }],
      authority,
      config: {
        admin: {},
        limits: { drainTimeoutMs: 2000, askTimeoutMs: 4000 },
        upstream: { ca: 'origins.pem', proxy: { url: origin.proxyUrl } },
      },
    });
    agent = await set.startAgent();
    approver = await Approver.of({ ...set, stateDirectory: join(set.directory, 'state') });
    await approver.look();
  });
  after(async () => {
    await agent?.[Symbol.asyncDispose]();
    await set?.[Symbol.asyncDispose]();
    await origin?.[Symbol.asyncDispose]();
  });

  /** Runs it while somebody decides each question so; undefined: nobody does, and the approver only looks. */
  async function held(command: readonly string[], decision: string | undefined) {
    const before = origin.requests.length;
    const [program = '', ...args] = command;
    const env = {
      ...process.env,
      ...agent.env,
      NPM_CONFIG_CACHE: join(set.directory, 'npm'),
      PIP_NO_CACHE_DIR: '1',
      PIP_DISABLE_PIP_VERSION_CHECK: '1',
      PIP_CONFIG_FILE: '/dev/null',
      PIP_FIND_LINKS: '',
      GIT_TERMINAL_PROMPT: '0',
      GIT_CONFIG_NOSYSTEM: '1',
    };
    const run: { result?: CommandResult } = {};
    const running = runCommand(program, args, { env, cwd: set.directory, timeoutMs: clientTimeoutMs }).then(
      (one) => (run.result = one),
    );
    const ids = new Set<string>();
    while (run.result === undefined) {
      const items = await approver.look();
      // What an earlier client left open is not of this one.
      for (const { id } of items.filter((one) => !refused.has(one.id))) {
        if (decision !== undefined && !ids.has(id)) await approver.decide(id, decision);
        ids.add(id);
      }
    }
    const { code, stdout, stderr } = await running;
    return { code, said: `${stdout}${stderr}`, ids, sent: origin.requests.length - before };
  }

  for (const { name, command } of clients) {
    test(`${name} sees what became of it, and sends nothing more by itself`, async (context) => {
      const isSdk = name.endsWith('SDK');
      if (isSdk && (tools === undefined || !existsSync(join(tools, 'node_modules'))))
        return context.skip('the SDKs are not there');
      const word = name.toLowerCase().replaceAll(' ', '-');
      const allowed = await held(command(`${word}-allowed`), 'once');
      const denied = await held(command(`${word}-denied`), 'deny');
      const open = await held(command(`${word}-open`), undefined);
      assert.ok(allowed.sent >= 1, allowed.said);
      assert.equal(denied.sent, 0);
      assert.equal(open.sent, 0);
      assert.equal(denied.ids.size, 1, 'a denial is not asked about again');
      assert.equal(open.ids.size, 1, 'who comes back joins the same question');
      const ids = [...denied.ids, ...open.ids];
      for (const id of ids) refused.add(id);
      assert.match(denied.said, /403|Refused by upstreamproxy|said no|Forbidden|No matching distribution/);
      const line = (text: string): string => text.replaceAll(/\s+/g, ' ').trim().slice(0, 100);
      const ends = [denied, open].map(({ code, said }) => `exit ${String(code)}: ${line(said)}`);
      context.diagnostic('| client | allowed: questions, requests sent on | denied | left open |');
      context.diagnostic(`| ${name} | ${allowed.ids.size}, ${allowed.sent} | ${ends.join(' | ')} |`);
      const asked = (await set.audit())
        .filter(({ kind }) => kind === 'exchange')
        .map(({ question }) => ((question ?? {}) as { readonly id?: string }).id);
      for (const id of ids) assert.equal(asked.filter((one) => one === id).length, 1, `it sent ${id} again`);
    });
  }
});
