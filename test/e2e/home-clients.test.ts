// Clients that read a file in HOME only, as `run --home-files` starts them: real programs, a real gateway.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { runCommand } from '../support/command.ts';
import { deploy } from '../support/deployment.ts';
import { httpsOrigin } from '../support/origin.ts';
import { patienceMs } from '../support/patience.ts';
import { launcher } from '../support/program.ts';
import { createTestAuthority } from '../support/test-authority.ts';

interface Client {
  readonly name: string;
  /** Words of a shell, with $URL. */
  readonly command: string;
  /** What shows that the origin's own response came through verified TLS. */
  readonly expected: RegExp;
  /** What it takes beside the client. */
  readonly tool?: string;
}

const clients: readonly Client[] = [
  {
    name: 'aria2c',
    command: 'aria2c -q -d "$HOME/out" -o response "$URL/hello" && cat "$HOME/out/response"',
    expected: /^hello$/m,
  },
  { name: 'lftp', command: 'lftp -c "cat $URL/hello"', expected: /^hello$/m },
  { name: 'links', command: 'links -dump "$URL/hello"', expected: /hello/ },
  { name: 'svn', command: 'svn ls --non-interactive "$URL/hello"', expected: /E17|405|404|OPTIONS/ },
  {
    name: 's3cmd',
    command:
      's3cmd --access_key=a --secret_key=b --host="${URL#https://}" --host-bucket="${URL#https://}" ls s3://b',
    expected: /404|S3 error|Not Found/,
  },
  {
    name: 'yt-dlp',
    command: 'yt-dlp --no-cache-dir -o "$HOME/out/video.txt" --force-generic-extractor "$URL/hello"',
    expected: /Unsupported URL|Downloading webpage/,
  },
  {
    name: 'chromium',
    command:
      'chromium --headless --no-sandbox --disable-gpu --user-data-dir="$HOME/out" --dump-dom "$URL/hello"',
    expected: /hello/,
    // Writes the database that it reads.
    tool: 'certutil',
  },
];

test('clients that read a file in HOME only', async (context) => {
  await using stack = new AsyncDisposableStack();
  const authority = createTestAuthority();
  const origin = stack.use(await httpsOrigin({ authority }));
  const rule = { name: 'api', hosts: ['api.test'], addresses: ['127.0.0.1/32'], ports: [origin.port] };
  const set = stack.use(await deploy({ authority, hosts: { 'api.test': '127.0.0.1' }, rules: [rule] }));
  for (const { name, command, expected, tool } of clients) {
    await context.test(name, async (t) => {
      for (const needed of [name, ...(tool === undefined ? [] : [tool])])
        if (spawnSync(needed, ['--version']).error !== undefined) return t.skip(`${needed} is not installed`);
      const home = join(set.directory, name);
      mkdirSync(home);
      const options = [
        ...set.agentOptions(await set.issueToken()),
        '--isolate',
        'off',
        '--quiet',
        '--home-files',
      ];
      const env = {
        PATH: process.env['PATH'],
        HOME: home,
        URL: origin.url('api.test', ''),
        XDG_STATE_HOME: join(set.directory, 'state'),
      };
      const before = origin.requests.length;
      const { stdout, stderr } = await runCommand(
        launcher,
        ['run', ...options, '--', 'sh', '-c', `${command} 2>&1`],
        { env, timeoutMs: 2 * patienceMs },
      );
      assert.match(stdout, expected, stderr);
      assert.ok(origin.requests.length > before, 'the origin was asked');
      const left = new Set(['.aria2', '.lftprc', '.ssh', '.s3cfg', '.pki', '.config/yt-dlp/config']);
      const there = readdirSync(home, { recursive: true, encoding: 'utf8' });
      assert.deepEqual(
        there.filter((path) => left.has(path)),
        [],
      );
    });
  }
});
