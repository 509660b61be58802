// `upgrade --check`: a folder of releases that tells the truth, one that lies, and npm. Nothing is ever installed.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { ownCompatibility } from '../../../src/cli/operator/own-compatibility.ts';
import { releasedAtUrl } from '../../../src/cli/operator/released-at-url.ts';
import { releasedOnNpm } from '../../../src/cli/operator/released-on-npm.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { packageVersion } from '../../../src/system/package-version.ts';
import { runCommand } from '../../support/command.ts';
import { type CommandOutcome, runShared } from '../../support/command-process.ts';
import { httpOrigin, httpsOrigin, type Origin } from '../../support/origin.ts';
import { endChild, launcher, waitForFile, waitUntil } from '../../support/program.ts';
import { temporaryDirectory, type TemporaryDirectory } from '../../support/temporary-directory.ts';
import { createTestAuthority } from '../../support/test-authority.ts';
import { skipWithout } from '../../support/tools.ts';

const authority = createTestAuthority();
const version = packageVersion();
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
let folder: TemporaryDirectory;
let origin: Origin;
let serve: RequestListener;
const file = (name: string): string => join(folder.path, name);

before(async () => {
  folder = await temporaryDirectory();
  await writeFile(file('ca.pem'), authority.caPem);
  const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey;
  await writeFile(file('p384.pem'), other.export({ type: 'spki', format: 'pem' }));
  await writeFile(file('key.pem'), publicKey.export({ type: 'spki', format: 'pem' }));
  origin = await httpsOrigin({ authority, handler: (request, response) => serve(request, response) });
});
after(async () => {
  await origin?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

const manifest = (more: object = {}): string =>
  JSON.stringify({ name: 'upstreamproxy', version: '99.0.0', compatibility: ownCompatibility, ...more });

/** A folder with this text as its manifest, signed by `key`. */
function publish(text: string | Buffer, key: KeyObject | 'unsigned' = privateKey): void {
  const bytes = Buffer.from(text);
  serve = (request, response) => {
    if (request.url === '/releases/release.json') response.end(bytes);
    else if (request.url === '/releases/release.json.sig' && key !== 'unsigned')
      response.end(`${sign('sha256', bytes, key).toString('base64')}\n`);
    else response.writeHead(404).end();
  };
}

const check = (...more: readonly string[]): Promise<CommandOutcome> => {
  const url = `https://127.0.0.1:${origin.port}/releases`;
  return runShared(['upgrade', '--check', '--url', url, '--ca', file('ca.pem'), ...more]);
};

test('a newer release is told with what it changes and whether it can be rolled out, and the exit code says it', async () => {
  publish(manifest());
  const { code, stdout, stderr } = await check('--key', file('key.pem'));
  assert.equal(code, 1, stderr);
  assert.match(
    stdout,
    new RegExp(
      `^99\\.0\\.0 is there \\(https://127\\.0\\.0\\.1:\\d+/releases/\\); ${version} runs here\\.\n`,
    ),
  );
  assert.match(stdout, /Gateways can be replaced one after the other\.\n$/);
  const json = JSON.parse((await check('--json')).stdout);
  assert.deepEqual(
    [json.version, json.latest, json.release, json.rolling, json.signed],
    [version, '99.0.0', 'newer', true, false],
  );
});

test('files for this machine and images are told with the digests that they have to have', async () => {
  const sha256 = 'a1'.repeat(32);
  const others = process.arch === 'x64' ? 'arm64' : 'x64';
  const files = [process.arch, others].map((architecture) => ({
    name: `upstreamproxy-gateway-99.0.0-linux-${architecture}`,
    architecture,
    sha256,
  }));
  const packages = [
    { name: 'upstreamproxy-gateway_99.0.0~rc.1-1_amd64.deb', architecture: process.arch, sha256 },
  ];
  const images = [{ name: 'upstreamproxy-gateway', digest: `sha256:${sha256}` }];
  publish(manifest({ programs: files, packages, images }));
  const { stdout } = await check();
  assert.ok(
    stdout.endsWith(
      `Files for this machine, with their SHA-256:
  ${sha256}  upstreamproxy-gateway-99.0.0-linux-${process.arch}
  ${sha256}  upstreamproxy-gateway_99.0.0~rc.1-1_amd64.deb
Images, with their digests:
  upstreamproxy-gateway@sha256:${sha256}
`,
    ),
    stdout,
  );
  const json = JSON.parse((await check('--json')).stdout);
  assert.deepEqual(
    [json.files.map(({ name }: { name: string }) => name), json.images],
    [[files[0]?.name, packages[0]?.name], images],
  );
});

test('the same release, and one that went back, are told with exit code 0', async () => {
  publish(manifest({ version }));
  const same = await check();
  assert.deepEqual([same.code, same.stdout.split(' (')[0]], [0, `${version} is the newest release`]);
  publish(manifest({ version: '0.0.1' }));
  const older = await check();
  assert.equal(older.code, 0);
  assert.match(older.stdout, /is 0\.0\.1, which is older\. .* ask who publishes there/);
});

test('a manifest that is not signed by the key is not believed', async () => {
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
  publish(manifest(), other);
  const wrong = await check('--key', file('key.pem'));
  assert.deepEqual([wrong.code, wrong.stdout], [76, '']);
  assert.match(wrong.stderr, /is not signed by the key of --key \[release_untrusted\]\n$/);
  publish(manifest(), 'unsigned');
  const without = await check('--key', file('key.pem'));
  assert.match(without.stderr, /release\.json\.sig: .*status 404 \[release_unreachable\]\n$/);
  // The same folder, without a key.
  assert.equal((await check()).code, 1);
});

const escape = String.fromCharCode(27);
for (const [what, text] of [
  ['no JSON', '<html>'],
  ['nested without end', '['.repeat(100_000)],
  ['another program', manifest({ name: 'other' })],
  ['a version that is none', manifest({ version: `1.0.0${escape}[2J` })],
  ['a version without end', manifest({ version: `1.0.${'9'.repeat(100_000)}` })],
  [
    'a schema that is no number',
    manifest({ compatibility: { ...ownCompatibility, store: { sqlite: 'x' } } }),
  ],
  [
    'a file whose name leads elsewhere',
    manifest({ programs: [{ name: '../x', architecture: 'x64', sha256: 'a1'.repeat(32) }] }),
  ],
  [
    'an image whose digest is no digest',
    manifest({ images: [{ name: 'x', digest: `sha256:${escape}[2J` }] }),
  ],
] as const) {
  test(`a manifest that is ${what} is refused in one line`, async () => {
    publish(text);
    const { code, stdout, stderr } = await check();
    assert.deepEqual([code, stdout], [69, '']);
    assert.match(stderr, /^upstreamproxy: [^\n]* is no release of this program \[release_unreachable\]\n$/);
  });
}

test('what a manifest says cannot act on the terminal', async () => {
  publish(manifest({ compatibility: { ...ownCompatibility, wire: [`x${escape}[2J`] } }));
  const { code, stdout } = await check();
  assert.equal(code, 1);
  assert.ok(!stdout.includes(escape));
});

test('a manifest that is too long is given up', async () => {
  publish(Buffer.alloc(defaultLimits.releaseBytesMax + 1, ' '));
  const { code, stderr } = await check();
  assert.equal(code, 69);
  assert.match(stderr, /longer than \d+ bytes \(releaseBytesMax\)/);
});

test('a redirect is not followed, and a server that is not trusted is not asked', async () => {
  serve = (_request, response) => response.writeHead(302, { location: 'https://127.0.0.1:1/' }).end();
  assert.match((await check()).stderr, /it responds with status 302 \[release_unreachable\]/);
  const before = origin.requests.length;
  const url = `https://127.0.0.1:${origin.port}/releases/`;
  const { code } = await runShared(['upgrade', '--check', '--url', url]);
  assert.equal(code, 69);
  assert.equal(origin.requests.length, before);
});

test('options that make no sense are refused', async () => {
  for (const [args, said] of [
    [[], /say --check/],
    [['--check', '--key', file('key.pem')], /--key and --ca go with --url/],
    [['--check', '--url', 'http://releases.test/'], /--url takes the https/],
    [['--check', '--url', 'https://user:secret@releases.test/'], /--url takes the https/],
    [['--check', '--url', 'https://:secret@releases.test/'], /--url takes the https/],
    [['--check', '--url', 'https://releases.test/', '--key', file('p384.pem')], /no public key for ECDSA/],
  ] as const) {
    const { stderr } = await runShared(['upgrade', ...args]);
    assert.match(stderr, said, args.join(' '));
    assert.doesNotMatch(stderr, /secret/);
  }
});

test(
  'the real npm finds a release in the registry that it is configured for',
  { skip: skipWithout('npm') },
  async () => {
    const dist = { tarball: 'http://127.0.0.1:1/upstreamproxy.tgz', shasum: '0'.repeat(40) };
    const published = { name: 'upstreamproxy', version: '99.0.0', upstreamproxy: ownCompatibility, dist };
    const packument = {
      name: 'upstreamproxy',
      'dist-tags': { latest: '99.0.0' },
      versions: { '99.0.0': published },
    };
    await using registry = await httpOrigin({
      handler: (_request, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify(packument));
      },
    });
    const url = `http://127.0.0.1:${registry.port}/`;
    // A folder in which somebody else has left a configuration for npm.
    await writeFile(file('.npmrc'), 'registry=http://127.0.0.1:1/\n');
    await writeFile(file('package.json'), '{}');
    const { code, stdout, stderr } = await runCommand(launcher, ['upgrade', '--check'], {
      env: { PATH: process.env['PATH'], HOME: await homeWith(`registry=${url}\n`) },
      cwd: folder.path,
    });
    assert.equal(code, 1, stderr);
    assert.match(stdout, /^99\.0\.0 is there \(npm\)[^]*Gateways can be replaced one after the other\.\n$/);
    assert.deepEqual(
      registry.requests.map(({ target }) => target),
      ['/upstreamproxy'],
    );
  },
);

async function homeWith(npmrc: string): Promise<string> {
  await mkdir(file('home'), { recursive: true });
  await writeFile(file('home/.npmrc'), npmrc);
  return file('home');
}

/** A stand-in for npm, which writes down how it was started. */
async function withNpm(script: string): Promise<NodeJS.ProcessEnv> {
  const tools = file('tools');
  await mkdir(tools, { recursive: true });
  await writeFile(join(tools, 'npm'), `#!/bin/sh\n${script}\n`);
  await chmod(join(tools, 'npm'), 0o755);
  return { ...process.env, PATH: `${tools}:${process.env['PATH']}` };
}

test('npm is asked by its own configuration, not by that of the folder, and with the variables of the user', async () => {
  const said = JSON.stringify({ name: 'upstreamproxy', version: '99.0.0', upstreamproxy: ownCompatibility });
  const env = await withNpm(`echo "$PWD $https_proxy $*" > ${file('asked')}; echo '${said}'`);
  const { code, stdout } = await runCommand(launcher, ['upgrade', '--check'], {
    env: { ...env, https_proxy: 'http://proxy.test:1' },
    cwd: folder.path,
  });
  assert.equal(code, 1);
  assert.match(stdout, /^99\.0\.0 is there \(npm\)/);
  const { stdout: asked } = await runCommand('cat', [file('asked')]);
  assert.equal(
    asked,
    '/ http://proxy.test:1 view -g --json --no-update-notifier upstreamproxy@latest name version upstreamproxy\n',
  );
});

for (const [what, script, said] of [
  [
    'has no such package',
    `echo '{"error":{"code":"E404","summary":"Not found\\\\u001b[2J"}}'; exit 1`,
    /npm finds no release: E404: Not found \[2J\. Name a folder/,
  ],
  [
    'names its registry with a password',
    `echo '{"error":{"code":"E401","summary":"GET https://ada:pa@ss@registry.example/x"}}'; exit 1`,
    /E401: GET https:\/\/registry\.example\/x/,
  ],
  ['fails without a word', 'exit 1', /it ends with a fault/],
  ['says too much', 'exec yes', /it says more than \d+ bytes \(releaseBytesMax\)/],
  ['says no JSON', 'echo hello', /is no release of this program/],
] as const) {
  test(`an npm that ${what} is told in one line`, async () => {
    const { code, stderr } = await runCommand(launcher, ['upgrade', '--check'], {
      env: await withNpm(script),
    });
    assert.equal(code, 69, stderr);
    assert.match(stderr, said);
    assert.equal(stderr.trimEnd().split('\n').length, 1);
    assert.ok(!stderr.includes(escape));
  });
}

test('a server that never ends its response is given up when the time is over', async () => {
  let trickle: NodeJS.Timeout | undefined;
  serve = (_request, response) => {
    trickle = setInterval(() => response.write(' '), 20);
  };
  const url = new URL(`https://127.0.0.1:${origin.port}/releases/`);
  try {
    await assert.rejects(releasedAtUrl({ url, ca: authority.caPem, key: undefined }, 300), {
      code: 'release_unreachable',
      message: /no response in time$/,
    });
  } finally {
    clearInterval(trickle);
  }
});

const sleepingNpm = () => withNpm(`sleep 1000 & echo $! > ${file('sleeper')}; wait`);

async function waitUntilSleeperEnds(): Promise<void> {
  const pid = (await readFile(file('sleeper'), 'utf8')).trim();
  await waitUntil('what npm started is over', () => {
    const status = statusOf(pid);
    return status === '' || /^State:\s+Z/m.test(status);
  });
}

test('an npm that never ends is ended with what it started when the time is over', async () => {
  const { PATH = '' } = await sleepingNpm();
  await assert.rejects(releasedOnNpm({ PATH }, new AbortController().signal, 5_000), {
    code: 'release_unreachable',
    message: /^npm finds no release: no response in time\./,
  });
  await waitUntilSleeperEnds();
});

test('Ctrl-C ends npm with what it started', async () => {
  const env = await sleepingNpm();
  await rm(file('sleeper'), { force: true });
  const child = spawn(launcher, ['upgrade', '--check'], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  const said = text(child.stderr);
  try {
    await waitForFile(file('sleeper'));
    child.kill('SIGINT');
    assert.deepEqual(await ended, [69, null]);
    assert.match(await said, /npm finds no release: it was interrupted/);
    await waitUntilSleeperEnds();
  } finally {
    await endChild(child);
  }
});

/** Empty for a process that is over. */
function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1');
  } catch {
    return '';
  }
}
