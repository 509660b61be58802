import assert from 'node:assert/strict';
import { mkdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';

import { commandOutput } from '../../../../src/system/command-output.ts';
import { openCredentialSource } from '../../../../src/gateway/credentials/sources/credential-source.ts';
import type { PlainSourceConfig } from '../../../../src/gateway/credentials/sources/source-config.ts';
import { ProxyError } from '../../../../src/protocol/error.ts';
import { canary, findCanary } from '../../../support/canary.ts';
import { waitUntil } from '../../../support/program.ts';
import { temporaryDirectory } from '../../../support/temporary-directory.ts';

const open = (config: PlainSourceConfig) => {
  const source = openCredentialSource('it', config, {});
  return async (nowMs: number): Promise<string> => (await source.read(nowMs)).reveal();
};
const node = (script: string, ...args: readonly string[]): readonly string[] => [
  process.execPath,
  '-e',
  script,
  ...args,
];

/** Ended, or ended and not yet fetched by whoever has become its parent. */
async function hasEnded(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat === undefined || /\) Z /.test(stat);
}

test('a file that is renamed over is read again, also with the size and the times of the old one', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'secret');
  await writeFile(file, 'first');
  await utimes(file, 1, 1);
  const read = open({ file });
  assert.equal(await read(0), 'first');
  await writeFile(`${file}.new`, 'other');
  await utimes(`${file}.new`, 1, 1);
  await rename(`${file}.new`, file);
  assert.equal(await read(500), 'first');
  assert.equal(await read(1_500), 'other');
});

test('a mounted secret of Kubernetes is read again when its ..data link is swapped', async () => {
  await using directory = await temporaryDirectory();
  const at = (...parts: readonly string[]): string => join(directory.path, ...parts);
  const version = async (name: string, secret: string): Promise<void> => {
    await mkdir(at(name));
    await writeFile(at(name, 'token'), secret);
    await symlink(name, at('..data_tmp'));
    await rename(at('..data_tmp'), at('..data'));
  };
  await version('..2026_one', 'first');
  await symlink('..data/token', at('token'));
  const read = open({ file: at('token') });
  assert.equal(await read(0), 'first');
  await version('..2026_two', 'other');
  await rm(at('..2026_one'), { recursive: true });
  assert.equal(await read(2_000), 'other');
});

test('a file that is too large, a folder or gone is refused, and read again once it is sound', async () => {
  await using directory = await temporaryDirectory();
  const file = join(directory.path, 'secret');
  const read = open({ file });
  const refused = (nowMs: number): Promise<void> =>
    assert.rejects(read(nowMs), {
      code: 'credential_unavailable',
      message: /credential it: the file .* cannot/,
    });
  await refused(0);
  await writeFile(file, 'x'.repeat(70_000));
  await refused(2_000);
  await rm(file);
  await mkdir(file);
  await refused(4_000);
  await rm(file, { recursive: true });
  await writeFile(file, ' sound\n');
  assert.equal(await read(6_000), 'sound');
});

test('a command runs once for many requests, and again after a minute', async () => {
  await using directory = await temporaryDirectory();
  const log = join(directory.path, 'runs');
  const script =
    'fs.appendFileSync(process.argv[1], "x"); console.log(fs.readFileSync(process.argv[1], "utf8"))';
  const read = open({ command: node(script, log) });
  assert.deepEqual(await Promise.all([read(0), read(0), read(59_000)]), ['x', 'x', 'x']);
  assert.equal(await read(61_000), 'xx');
  assert.equal(await readFile(log, 'utf8'), 'xx');
});

test('a command has no input, the environment of the gateway, and no shell', async () => {
  process.env['OF_THE_GATEWAY'] = 'handed-on';
  try {
    const script =
      'let n = 0; process.stdin.on("data", (c) => (n += c.length)).on("end", () => console.log(process.env.OF_THE_GATEWAY, n, process.argv[1]))';
    assert.equal(await open({ command: node(script, '$(id);`id`') })(0), 'handed-on 0 $(id);`id`');
  } finally {
    delete process.env['OF_THE_GATEWAY'];
  }
});

test('a command that does not end is killed with all that it started', async () => {
  await using directory = await temporaryDirectory();
  const pidFile = join(directory.path, 'pid');
  // A shell, which has long started when its time is over.
  const script = `sleep 300 & echo $! > ${pidFile}; wait`;
  const running = commandOutput(['sh', '-c', script], { timeoutMs: 2_000, bytesMax: 100 });
  await assert.rejects(running, /it did not end within 2000 ms/);
  const pid = Number(await readFile(pidFile, 'utf8'));
  assert.ok(pid > 1);
  await waitUntil('the child of the command ends', () => hasEnded(pid));
});

test('a command that ends and leaves a child with its output open is not waited for past its time', async () => {
  const script = `child_process.spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' }); process.exit(0)`;
  await assert.rejects(
    commandOutput(node(script), { timeoutMs: 1_500, bytesMax: 100 }),
    /did not end within/,
  );
});

test('what a command prints is bounded, and is in no part of its error', async () => {
  const secret = canary('printed');
  const rows: readonly (readonly [string, RegExp])[] = [
    [`console.log('${secret}'.repeat(10_000)); setInterval(() => {}, 1000)`, /printed more than 65536 bytes/],
    [`console.log('${secret}'); console.error('${secret}'); process.exit(3)`, /ended with 3/],
    [`console.log('${secret}'); process.kill(process.pid, 'SIGTERM')`, /ended with SIGTERM/],
    [`console.log('${secret}\\nsecond line')`, /line break or another control character/],
    [`console.error('${secret}')`, /it is empty/],
  ];
  for (const [script, message] of rows) {
    const error: unknown = await open({ command: node(script) })(0).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Error);
    assert.match(error.message, message);
    assert.deepEqual(findCanary(inspect(error, { depth: 9 }), secret), []);
  }
  await assert.rejects(
    open({ command: ['/nonexistent/program'] })(0),
    /cannot be started: it does not exist/,
  );
});

const broken: readonly (readonly [string, string])[] = [
  ['a line break', 'first\nX-Admin: 1'],
  ['a carriage return', 'first\rsecond'],
  ['a NUL', 'first\u0000second'],
  ['an escape', 'first\u001bsecond'],
  ['a DEL', 'first\u007fsecond'],
];

test('a variable whose value would end a header field is refused when it is opened, without its value', () => {
  for (const [what, value] of broken) {
    assert.throws(
      () => openCredentialSource('it', { env: 'TOKEN' }, { TOKEN: value }),
      (error: unknown) => {
        assert.ok(error instanceof ProxyError);
        assert.equal(error.code, 'config_invalid');
        assert.match(
          error.message,
          /^credential it: the environment variable TOKEN cannot be used: it has a line break or another control character inside$/,
        );
        assert.equal(inspect(error, { depth: 9 }).includes('second'), false);
        return true;
      },
      what,
    );
  }
});

test('files and commands give no such value either, and a key in PEM keeps its lines', async () => {
  await using directory = await temporaryDirectory();
  for (const [what, value] of broken) {
    const file = join(directory.path, 'secret');
    await writeFile(file, value);
    await assert.rejects(
      open({ file })(0),
      { code: 'credential_unavailable', message: /control character/ },
      what,
    );
    const command = node(
      'process.stdout.write(Buffer.from(process.argv[1], "hex"))',
      Buffer.from(value).toString('hex'),
    );
    await assert.rejects(
      open({ command })(0),
      { code: 'credential_unavailable', message: /control character/ },
      what,
    );
  }
  const pem = '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----';
  const source = openCredentialSource('it', { env: 'KEY' }, { KEY: `${pem}\n` }, 'pem');
  assert.equal((await source.read(0)).reveal(), pem);
});
