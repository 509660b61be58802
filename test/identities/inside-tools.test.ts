// Log-in from inside by tools that people use, unchanged: the client of the SDK of MCP, and gh. A strict server gives each refresh token once. Nothing that
// it gives is in the tools' memory, in their files, or in what the agent has.

import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { MemoryScan } from '../agent/support/memory-scan.ts';
import { authorizationServer, type AuthorizationServer } from '../support/strict-oauth-server.ts';
import { findCanary } from '../support/canary.ts';
import { deploy } from '../support/deployment.ts';
import { endChild } from '../support/program.ts';
import { httpsOrigin } from '../support/origin.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';
import { skipWithout } from '../support/tools.ts';

const folder = process.env['TEST_IDENTITY_TOOLS'];
const isAsked = process.env['TEST_IDENTITIES'] === '1';
const skipSdk = isAsked && folder !== undefined ? false : 'of npm run test:identities, with the SDK from npm';
const skipGh = !isAsked
  ? 'of npm run test:identities'
  : process.getuid?.() !== 0
    ? 'needs port 443'
    : skipWithout('gh');

/** Each value inverted, so that what is looked for is not itself a copy. */
function assertNotInMemory(server: AuthorizationServer, pids: readonly number[]): void {
  for (const pid of pids) {
    const scan = new MemoryScan(pid);
    for (const secret of server.secrets) {
      const flipped = Uint8Array.from(Buffer.from(secret), (octet) => octet ^ 0xff);
      assert.equal(scan.count(flipped), 0, `a secret is in the memory of process ${String(pid)}`);
    }
  }
}

function assertNotInFiles(server: AuthorizationServer, path: string): void {
  for (const entry of readdirSync(path, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const text = readFileSync(join(entry.parentPath, entry.name));
    for (const secret of server.secrets) assert.deepEqual(findCanary(text, secret), [], entry.name);
  }
}

/** A server of MCP with one tool, for those whom `server` knows. */
function mcpServer(
  server: AuthorizationServer,
  request: IncomingMessage,
  body: string,
  response: ServerResponse,
): boolean {
  if (request.url !== '/mcp') return false;
  const token = request.headers.authorization?.slice('Bearer '.length) ?? '';
  if (!server.isAccess(token)) return false;
  if (request.method !== 'POST') {
    response.writeHead(405).end();
    return true;
  }
  const message = JSON.parse(body) as { id?: number; method: string; params?: { protocolVersion?: string } };
  if (message.id === undefined) {
    response.writeHead(202).end();
    return true;
  }
  const { protocolVersion } = message.params ?? {};
  const result =
    message.method === 'initialize'
      ? { protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }
      : { tools: [{ name: 'search', inputSchema: { type: 'object' } }] };
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
  return true;
}

async function firstLine(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout !== null);
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'exit').then(() => '');
  const line = await Promise.race([once(lines, 'line').then(([text]) => String(text)), ended]);
  return line;
}

test(
  'the client of the SDK of MCP registers, logs in, refreshes and works, with placeholders alone',
  { skip: skipSdk },
  async () => {
    const authority = createTestAuthority();
    const server = authorizationServer({
      instead: (request, body, response) => mcpServer(server, request, body, response),
    });
    await using origin = await httpsOrigin({ authority, handler: server.handler });
    const to = { hosts: 'as.test', ports: origin.port, addresses: '127.0.0.0/8' };
    await using deployment = await deploy({
      authority,
      hosts: { 'as.test': '127.0.0.1' },
      rules: [
        {
          name: 'log-in',
          ...to,
          paths: ['/register', '/authorize', '/token'],
          logIn: { name: 'mcp', issuer: true },
        },
        { name: 'metadata', ...to, methods: 'GET', paths: '/.well-known/**' },
        { name: 'mcp', ...to, paths: '/mcp', logIn: 'mcp' },
      ],
    });
    await using agent = await deployment.startAgent();
    await using home = await temporaryDirectory();
    const program = fileURLToPath(new URL('support/mcp-tool.mjs', import.meta.url));
    const kept = join(home.path, 'kept.json');
    const args = [
      '--use-env-proxy',
      program,
      folder ?? '',
      `https://as.test:${String(origin.port)}/mcp`,
      kept,
    ];
    const tool = spawn(process.execPath, args, {
      env: { ...process.env, ...agent.env, HOME: home.path },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    try {
      const line = await firstLine(tool);
      assert.notEqual(line, '', 'the tool ended');
      const { first, second, third, before, after, isOther } = JSON.parse(line) as Record<string, unknown>;
      assert.deepEqual([first, second, third, isOther], ['REDIRECT', 'AUTHORIZED', 'AUTHORIZED', true]);
      assert.deepEqual([before, after], [['search'], ['search']]);
      assert.equal(server.reused(), 0);
      assertNotInMemory(server, [tool.pid ?? 0, agent.pid]);
      assertNotInFiles(server, home.path);
      // What the server gave is known to the gateway alone, and in its store nobody reads it.
      assertNotInFiles(server, deployment.directory);
      assert.ok(server.secrets.size >= 7);
    } finally {
      tool.stdin.end();
      await endChild(tool);
    }
    const events = await deployment.audit();
    assert.ok(events.some(({ injected }) => Array.isArray(injected) && injected.includes('mcp')));
  },
);

test('gh logs in by a device code and asks the API, with a placeholder alone', { skip: skipGh }, async () => {
  const authority = createTestAuthority();
  const server = authorizationServer({
    isForm: true,
    instead: (request, body, response) => github(server, request, body, response),
  });
  // github.com has one port.
  const address = '127.22.0.1';
  const origin = await httpsOrigin({ authority, handler: server.handler, address, port: 443 });
  await using stack = new AsyncDisposableStack();
  stack.use(origin);
  const common = { addresses: '127.0.0.0/8' };
  const deployment = stack.use(
    await deploy({
      authority,
      hosts: { 'github.com': address, 'api.github.com': address },
      rules: [
        {
          name: 'log-in',
          hosts: 'github.com',
          ...common,
          methods: 'POST',
          paths: ['/login/device/code', '/login/oauth/access_token'],
          logIn: { name: 'github', issuer: true },
        },
        { name: 'api', hosts: 'api.github.com', ...common, logIn: 'github' },
      ],
    }),
  );
  const agent = stack.use(await deployment.startAgent());
  const home = stack.use(await temporaryDirectory());
  const env = {
    ...process.env,
    ...agent.env,
    HOME: home.path,
    GH_CONFIG_DIR: join(home.path, 'gh'),
    BROWSER: 'true',
    GH_BROWSER: 'true',
    GH_TOKEN: undefined,
    GITHUB_TOKEN: undefined,
  };
  const logIn = [
    'auth',
    'login',
    '--hostname',
    'github.com',
    '--git-protocol',
    'https',
    '--web',
    '--insecure-storage',
  ];
  const first = await ran('gh', logIn, env);
  assert.equal(first.code, 0, first.text);
  const asked = await ran('gh', ['api', 'user', '--jq', '.login'], env);
  assert.equal(asked.text.trim(), 'octocat', asked.text);
  const token = (await ran('gh', ['auth', 'token'], env)).text.trim();
  assert.match(token, /^gho_[A-Za-z0-9]{36}$/);
  assert.equal(server.isAccess(token), false);
  assertNotInMemory(server, [agent.pid]);
  assertNotInFiles(server, home.path);
  assertNotInFiles(server, deployment.directory);
});

/** What gh asks of GitHub beyond OAuth. */
function github(
  server: AuthorizationServer,
  request: IncomingMessage,
  body: string,
  response: ServerResponse,
): boolean {
  const { url = '' } = request;
  if (url === '/login/device/code') request.url = '/device';
  if (url === '/login/oauth/access_token') request.url = '/token';
  if (url.startsWith('/login/')) return false;
  const token = /^(?:token|bearer) (.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? '';
  const isKnown = server.isAccess(token);
  const value = !isKnown
    ? { message: 'Bad credentials' }
    : body.includes('viewer')
      ? { data: { viewer: { login: 'octocat' } } }
      : { login: 'octocat' };
  response.writeHead(isKnown ? 200 : 401, {
    'content-type': 'application/json',
    'x-oauth-scopes': 'repo, read:org, gist',
  });
  response.end(JSON.stringify(value));
  return true;
}

async function ran(
  program: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly code: number | null; readonly text: string }> {
  const child = spawn(program, args, { env, stdio: ['pipe', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.end('\n');
  await once(child, 'close');
  return { code: child.exitCode, text: Buffer.concat(chunks).toString() };
}
