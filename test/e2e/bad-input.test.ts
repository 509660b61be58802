// Bad input: one clear line with its code, the exit code of the table, nothing half-written, no token in any output.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, link, mkdir, readdir, readFile, symlink, truncate, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import https from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { openSigningKey } from '../../src/gateway/sessions/signing-key.ts';
import { issueSessionToken } from '../../src/gateway/sessions/token-issuer.ts';
import { errorTable, type ErrorCode } from '../../src/protocol/error-table.ts';
import { findCanary } from '../support/canary.ts';
import { mustRun, runCommand, type CommandResult } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { launcher } from '../support/program.ts';
import { withTemporaryDirectory } from '../support/temporary-directory.ts';
import { createTestAuthority } from '../support/test-authority.ts';

let set: Deployment;
before(async () => {
  set = await deploy({ rules: [{ name: 'none', hosts: ['nothing.example.com'] }] });
});
after(async () => {
  await set[Symbol.asyncDispose]();
});

/** One line on stderr with the code, the exit code of the table, and the command was not started. */
function assertOneLine(result: CommandResult, code: ErrorCode, text: RegExp): void {
  assert.match(result.stderr, /^upstreamproxy: [^\n]+\n$/, result.stderr);
  assert.ok(result.stderr.endsWith(` [${code}]\n`), result.stderr);
  assert.match(result.stderr, text);
  assert.equal(result.code, errorTable[code].exit);
  assert.equal(result.stdout, '');
}

async function run(options: readonly string[], directory: string): Promise<CommandResult> {
  const env = { ...process.env, XDG_STATE_HOME: join(directory, 'state'), TMPDIR: directory };
  return await runCommand(launcher, ['run', ...options, '--', 'echo', 'started'], { env });
}

interface TokenCase {
  readonly name: string;
  readonly code: ErrorCode;
  readonly text: RegExp;
  /** Makes the token bad and gives the path to use; `file` holds a good one. */
  readonly spoil: (file: string, directory: string) => Promise<string>;
  /** The good token must still be there afterwards. */
  readonly keeps?: boolean;
}

const tokenCases: readonly TokenCase[] = [
  {
    name: 'missing',
    code: 'token_unreadable',
    text: /nothing-here/,
    spoil: async (_file, directory) => join(directory, 'nothing-here'),
  },
  {
    name: 'a symbolic link',
    code: 'token_unreadable',
    text: /link/,
    spoil: async (file, directory) => {
      await symlink(file, join(directory, 'link'));
      return join(directory, 'link');
    },
    keeps: true,
  },
  {
    name: 'a hard link',
    code: 'token_unreadable',
    text: /link/,
    spoil: async (file, directory) => {
      await link(file, join(directory, 'second'));
      return file;
    },
    keeps: true,
  },
  {
    name: 'readable by the group',
    code: 'token_unreadable',
    text: /mode|others|group/,
    spoil: async (file) => {
      await chmod(file, 0o640);
      return file;
    },
    keeps: true,
  },
  {
    name: 'a folder',
    code: 'token_unreadable',
    text: /regular file/,
    spoil: async (_file, directory) => {
      await mkdir(join(directory, 'folder'));
      return join(directory, 'folder');
    },
  },
  {
    name: 'a FIFO that nobody writes to',
    code: 'token_unreadable',
    text: /regular file/,
    spoil: async (_file, directory) => {
      await mustRun('mkfifo', ['-m', '600', join(directory, 'fifo')]);
      return join(directory, 'fifo');
    },
  },
  {
    name: 'empty',
    code: 'token_malformed',
    text: /empty/,
    spoil: async (file) => {
      await truncate(file, 0);
      return file;
    },
  },
  {
    name: 'oversized',
    code: 'token_unreadable',
    text: /16384|16 KiB|larger|longer/,
    spoil: async (file) => {
      await writeFile(file, 'x'.repeat(20_000));
      return file;
    },
  },
  {
    name: 'no token at all',
    code: 'token_malformed',
    text: /./,
    spoil: async (file) => {
      await writeFile(file, 'this is no token');
      return file;
    },
  },
  {
    name: 'with a broken signature',
    code: 'token_invalid',
    text: /./,
    spoil: async (file) => {
      const text = await readFile(file, 'utf8');
      const [head, body] = text.split('.');
      await writeFile(file, `${head}.${body}.${'A'.repeat(86)}`);
      return file;
    },
  },
];

for (const { name, code, text, spoil, keeps } of tokenCases) {
  test(`a token that is ${name} starts nothing`, async () => {
    await withTemporaryDirectory(async (directory) => {
      const good = await set.issueToken();
      const token = await readFile(good, 'utf8');
      const file = join(directory, 'token');
      await writeFile(file, token, { mode: 0o600 });
      const bad = await spoil(file, directory);
      const result = await run(set.agentOptions(bad), directory);
      assertOneLine(result, code, text);
      assert.deepEqual(findCanary(result.stderr, token.trim()), []);
      if (keeps === true) assert.equal(await readFile(file, 'utf8'), token);
      // No trust file, no folder of the agent is left.
      const left = (await readdir(directory)).filter((entry) => entry.startsWith('upstreamproxy'));
      assert.deepEqual(left, []);
    });
  });
}

test('an expired token starts nothing, and is told from a wrong one', async () => {
  await withTemporaryDirectory(async (directory) => {
    const key = await openSigningKey(join(set.directory, 'state'));
    const file = join(directory, 'token');
    const hourMs = 3_600_000;
    const token = issueSessionToken({
      key,
      issuer: 'https://127.0.0.1',
      audience: 'upstreamproxy',
      subject: 'late',
      ttlSeconds: 60,
      nowMs: Date.now() - hourMs,
    });
    await writeFile(file, token, { mode: 0o600 });
    assertOneLine(await run(set.agentOptions(file), directory), 'token_expired', /expired/);
    assert.equal(await readFile(file, 'utf8'), token);
  });
});

test('a gateway with a certificate of another authority does not get the token', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = await set.issueToken();
    const token = await readFile(file, 'utf8');
    await writeFile(join(directory, 'other.pem'), createTestAuthority().caPem);
    const options = [
      '--gateway',
      set.gateway.url,
      '--gateway-ca',
      join(directory, 'other.pem'),
      '--token-file',
      file,
    ];
    assertOneLine(await run(options, directory), 'gateway_untrusted', /certificate/);
    assert.equal(await readFile(file, 'utf8'), token);
  });
});

/** A gateway that goes wrong in one way; `seen` are the bodies and heads that it got. */
async function falseGateway(
  directory: string,
  listener: RequestListener,
): Promise<AsyncDisposable & { options: string[] }> {
  const authority = createTestAuthority();
  await writeFile(join(directory, 'ca.pem'), authority.caPem);
  const server = https.createServer(authority.issue('127.0.0.1'), listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await writeFile(join(directory, 'token'), 'a.b.c', { mode: 0o600 });
  return {
    options: [
      '--gateway',
      `https://127.0.0.1:${port}`,
      '--gateway-ca',
      join(directory, 'ca.pem'),
      '--token-file',
      join(directory, 'token'),
    ],
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const enrolled = JSON.stringify({
  session_id: 's',
  access_token: 'a.b.c',
  token_type: 'DPoP',
  expires_in: 900,
  placeholders: {},
  capture_ports: [],
  modes: ['raw'],
});

test('a CA response that is a web page is refused, and no trust file is written', async () => {
  await withTemporaryDirectory(async (directory) => {
    await using gateway = await falseGateway(directory, (request, response) => {
      request.resume();
      if (request.method === 'POST') response.setHeader('content-type', 'application/json').end(enrolled);
      else response.setHeader('content-type', 'text/html').end('<html><body>Please log in</body></html>');
    });
    assertOneLine(await run(gateway.options, directory), 'ca_invalid', /certificate/);
    assert.equal(await readFile(join(directory, 'token'), 'utf8'), 'a.b.c');
    assert.deepEqual(await readdir(directory), ['ca.pem', 'token']);
  });
});

test('a gateway that is something else is told from one that cannot be reached', async () => {
  await withTemporaryDirectory(async (directory) => {
    await using gateway = await falseGateway(directory, (request, response) => {
      request.resume();
      response.setHeader('content-type', 'text/html').end('<html></html>');
    });
    assertOneLine(await run(gateway.options, directory), 'gateway_protocol', /./);
    assert.equal(await readFile(join(directory, 'token'), 'utf8'), 'a.b.c');
    await gateway[Symbol.asyncDispose]();
    assertOneLine(await run(gateway.options, directory), 'gateway_unreachable', /127\.0\.0\.1/);
    assert.equal(await readFile(join(directory, 'token'), 'utf8'), 'a.b.c');
  });
});

test('a relay port that is in use is told with its number, and the token stays good', async () => {
  await withTemporaryDirectory(async (directory) => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const file = await set.issueToken();
    const result = await run([...set.agentOptions(file), '--relay-port', String(port)], directory);
    other.close();
    assertOneLine(result, 'relay_port_in_use', new RegExp(String(port)));
    assert.ok(existsSync(file));
    const retried = await run([...set.agentOptions(file)], directory);
    assert.deepEqual([retried.code, retried.stdout], [0, 'started\n']);
  });
});

test('a policy with an unknown key stops the gateway of run, with its place and the right key', async () => {
  await withTemporaryDirectory(async (directory) => {
    const file = join(directory, 'policy.yaml');
    await writeFile(file, 'rules:\n  - name: one\n    host: example.com\n');
    const result = await run(['--policy', file], directory);
    assertOneLine(result, 'config_invalid', /policy\.yaml:3:5: error: .*"host".*"hosts"/);
  });
});

test('with --on-failure=continue the command runs without the proxy, and that is said', async () => {
  await withTemporaryDirectory(async (directory) => {
    const result = await run(
      ['--on-failure', 'continue', ...set.agentOptions(join(directory, 'none'))],
      directory,
    );
    assert.deepEqual([result.code, result.stdout], [0, 'started\n']);
    assert.match(
      result.stderr,
      /^upstreamproxy: running without the proxy(?:, and so without a network)?: [^\n]+ \[token_unreadable\]\n$/,
    );
  });
});

const usageCases: readonly (readonly [args: readonly string[], text: RegExp])[] = [
  [['nonsense'], /no command "nonsense"/],
  [['run'], /name the command behind --/],
  [['run', '--gateway', 'https://gateway.test', '--', 'true'], /needs a token/],
  [['run', '--token-file', '/x', '--', 'true'], /no gateway/],
  [['run', '--relay-port', '70000', '--', 'true'], /--relay-port takes a number/],
  [['run', '--on-failure', 'panic', '--', 'true'], /exit, continue/],
  [['agent'], /--gateway URL/],
  [['gateway'], /--config FILE/],
  [['token', 'issue'], /--subject NAME/],
  [['token', 'issue', '--subject', 'x'], /which gateway/],
  [['audit'], /audit tail/],
  [['ca'], /ca show/],
  [['policy', 'nothing'], /check, explain, learn, replay, diff, publish, .* or [a-z]+;/],
  [['policy', 'explain', 'GET', 'ftp://x', '--policy', '/x'], /not an http or https URL/],
];

for (const [args, text] of usageCases) {
  test(`a wrong command line is one line: ${args.join(' ')}`, async () => {
    assertOneLine(await runCommand(launcher, args), 'usage', text);
  });
}
