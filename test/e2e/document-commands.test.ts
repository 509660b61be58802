// Commands of README.md and of references that no story runs: blocks as they stand, but for ports and folders of this machine.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { commandsIn } from '../support/document-commands.ts';
import { mustRun, runCommand, type CommandResult } from '../support/command.ts';
import { freePort } from '../support/free-port.ts';
import { endChild, launcher } from '../support/program.ts';
import { postgresBinaries, startPostgres } from '../support/postgres-server.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';
import { skipWithout } from '../support/tools.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binaries = postgresBinaries();

/** A folder, with this program on PATH and a home of its own. */
async function openFolder(stack: AsyncDisposableStack): Promise<{
  readonly folder: string;
  readonly at: (name: string) => string;
  readonly env: NodeJS.ProcessEnv;
}> {
  const { path: folder } = stack.use(await temporaryDirectory());
  const at = (name: string): string => join(folder, name);
  for (const name of ['bin', 'home']) await mkdir(at(name));
  await symlink(launcher, at('bin/upstreamproxy'));
  const PATH = [at('bin'), join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  return { folder, at, env: { PATH, HOME: at('home'), TMPDIR: process.env['TMPDIR'] } };
}

/** Lines of the blocks of a document that have one of these, with what is another on this machine. */
async function linesOf(
  document: string,
  having: readonly string[],
  replacements: Readonly<Record<string, string>> = {},
): Promise<readonly string[]> {
  const commands = commandsIn(document, await readFile(join(root, document), 'utf8'));
  return having.map((text) => {
    const found = commands.find(({ line }) => line.includes(text));
    assert.ok(found !== undefined, `${document} has no ${text}`);
    return Object.entries(replacements).reduce((line, [from, to]) => line.replaceAll(from, to), found.line);
  });
}

/** One shell for each line, as a person types them; the first that fails ends it. */
async function runLines(
  lines: readonly string[],
  { folder, env }: { readonly folder: string; readonly env: NodeJS.ProcessEnv },
): Promise<readonly CommandResult[]> {
  const results: CommandResult[] = [];
  for (const line of lines) {
    const result = await runCommand('sh', ['-c', line], { cwd: folder, env });
    assert.equal(result.code, 0, `${line}: ${result.stdout}${result.stderr}`);
    results.push(result);
  }
  return results;
}

/** A command that serves until it is ended. */
async function serving(
  line: string,
  { folder, env }: { readonly folder: string; readonly env: NodeJS.ProcessEnv },
): Promise<AsyncDisposable> {
  const child = spawn('sh', ['-c', `exec ${line}`], {
    cwd: folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: string[] = [];
  const listens = Promise.withResolvers<void>();
  createInterface({ input: child.stderr }).on('line', (text) => {
    said.push(text);
    if (text.includes('listening on')) listens.resolve();
  });
  child.once('close', () => listens.reject(new Error(`${line}: ${said.join('\n')}`)));
  await listens.promise;
  return { [Symbol.asyncDispose]: () => endChild(child) };
}

test(
  'the commands of README.md bring a container to a gateway',
  { skip: skipWithout('npm', 'sh') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const place = await openFolder(stack);
    const port = String(await freePort());
    const having = ['upstreamproxy init', 'upstreamproxy gateway', 'ca show', 'token issue', 'run --gateway'];
    const [init = '', gateway = '', ...rest] = await linesOf('README.md', having, {
      // There is no terminal to ask.
      'upstreamproxy init': `upstreamproxy init --yes --port ${port}`,
      'gateway.example.com:8443': `localhost:${port}`,
    });
    await runLines([init], place);
    stack.use(await serving(gateway, place));
    // Of a project that needs nothing.
    await writeFile(place.at('package.json'), '{ "name": "none", "version": "1.0.0" }\n');
    const lock = { name: 'none', version: '1.0.0', lockfileVersion: 3, packages: {} };
    await writeFile(place.at('package-lock.json'), JSON.stringify(lock));
    const results = await runLines(rest, place);
    assert.match(results.at(-1)?.stdout ?? '', /up to date/);
    await assert.rejects(stat(place.at('token')), { code: 'ENOENT' });
  },
);

test(
  'the demonstration of README.md proves what it says',
  { skip: skipWithout('npm', 'git', 'curl') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const { env } = await openFolder(stack);
    const [line = ''] = await linesOf('README.md', ['npm run demo']);
    // The packages are there.
    assert.match(line, /^npm ci && /);
    const { code, stdout, stderr } = await runCommand('sh', ['-c', line.replace('npm ci && ', '')], {
      cwd: root,
      env: { ...env, HOME: process.env['HOME'] },
    });
    assert.equal(code, 0, stderr);
    assert.match(stdout, /All of it held/);
  },
);

test('a token of an operator is made before the gateway with a console starts', async () => {
  await using stack = new AsyncDisposableStack();
  const place = await openFolder(stack);
  const at = (port: number): string => `{ address: 127.0.0.1, port: ${port} }`;
  await writeFile(
    place.at('gateway.yaml'),
    `stateDirectory: state\npolicy: observe\nlisten: ${at(await freePort())}\nadmin: { listen: ${at(await freePort())} }\n`,
  );
  const document = 'docs/guides/see-what-agents-do.md';
  const [token = '', gateway = ''] = await linesOf(document, ['operator token', 'upstreamproxy gateway']);
  const [{ stdout } = { stdout: '' }] = await runLines([token], place);
  assert.match(stdout, /^\S{20,}$/m);
  stack.use(await serving(gateway, place));
});

test(
  'as root, a single file is installed with the mode that closes its memory',
  { skip: process.geteuid?.() !== 0 && 'root is needed' },
  async () => {
    await using stack = new AsyncDisposableStack();
    const place = await openFolder(stack);
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
      readonly version: string;
    };
    await writeFile(place.at(`upstreamproxy-gateway-${version}-linux-x64`), '');
    await runLines(
      await linesOf('docs/guides/install.md', ['install -o root'], { '/usr/local/bin': place.folder }),
      place,
    );
    const { mode, uid } = await stat(place.at('upstreamproxy-gateway'));
    assert.deepEqual([mode & 0o7777, uid], [0o711, 0]);
    const [checkout = ''] = await linesOf('docs/guides/install.md', ['bin/upstreamproxy --version']);
    const [{ stdout } = { stdout: '' }] = await runLines([checkout], { ...place, folder: root });
    assert.match(stdout, /^upstreamproxy \S+ \(node 26/);
  },
);

test(
  'a folder for the identity of several gateways, and its rotations',
  { skip: skipWithout('openssl') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const place = await openFolder(stack);
    const identity = place.at('identity');
    await writeFile(
      place.at('gateway.yaml'),
      `policy: observe\nstateDirectory: state\nidentity: { directory: ${identity} }\n`,
    );
    const having = ['mkdir -m 700', 'identity make', 'openssl rand'];
    await runLines(
      await linesOf('docs/reference/certificates.md', having, { '/srv/upstreamproxy/identity': identity }),
      place,
    );
    assert.equal((await stat(identity)).mode & 0o777, 0o700);
    assert.equal(Buffer.from(await readFile(place.at('identity-key'), 'latin1'), 'base64').length, 32);
    const document = 'docs/reference/commands.md';
    const rotation = await linesOf(document, [
      'keys next --config',
      'keys switch --config',
      'keys retire --config',
    ]);
    await runLines(rotation.slice(0, 1), place);
    const longAgo = Date.now() / 1000 - 120;
    await utimes(join(identity, 'next-signing-key.pem'), longAgo, longAgo);
    await runLines(rotation.slice(1), place);
  },
);

test(
  'an intermediate is requested, signed with OpenSSL as the reference says, and installed',
  { skip: skipWithout('openssl') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const place = await openFolder(stack);
    await writeFile(
      place.at('gateway.yaml'),
      'publicNames: [gateway.test]\npolicy: observe\nstateDirectory: state\n',
    );
    const text = await readFile(join(root, 'docs/reference/certificates.md'), 'utf8');
    const [, extensions = ''] = /^```text\n(basicConstraints = [^`]*)```$/m.exec(text) ?? [];
    await writeFile(place.at('intermediate.ext'), extensions);
    const [sign = ''] = await linesOf('docs/reference/certificates.md', ['openssl x509 -req']);
    const having = ['ca request --config', 'ca install chain.pem'];
    const [request = '', install = ''] = await linesOf('docs/reference/commands.md', having);
    const made =
      'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 900 -subj /CN=Safe -keyout root.key -out root.pem';
    const whole = 'cat intermediate.pem root.pem > chain.pem';
    await runLines([`umask 077; ${made}`, request, sign, whole, install], place);
    const shown = 'upstreamproxy ca show --config gateway.yaml > shown.pem && cmp shown.pem root.pem';
    await runLines([shown], place);
  },
);

test(
  'a certificate of the port is put into the store',
  { skip: 'missing' in binaries ? binaries.missing : skipWithout('openssl') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const place = await openFolder(stack);
    const server = stack.use(await startPostgres());
    const [key = '', put = ''] = await linesOf('docs/reference/certificates.md', [
      'openssl rand',
      'identity certificate fullchain.pem',
    ]);
    await runLines([`umask 077; ${key}`], place);
    const url = server.url('postgres');
    await writeFile(
      place.at('gateway.yaml'),
      `publicNames: [gateway.test]\npolicy: observe\nstateDirectory: state\ntls: store\nidentity: { store: true, keyEncryptionKey: { file: identity-key } }\nstore: ${url}\n`,
    );
    const certificate =
      'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=gateway.test -addext subjectAltName=DNS:gateway.test -keyout privkey.pem -out fullchain.pem';
    await runLines(
      [`umask 077; ${certificate}`, 'upstreamproxy identity make --config gateway.yaml', put],
      place,
    );
  },
);

test(
  'a release is signed and verified as its reference says',
  { skip: skipWithout('openssl', 'base64', 'sha256sum') },
  async () => {
    await using stack = new AsyncDisposableStack();
    const place = await openFolder(stack);
    const files = { 'release.json': '{}', 'provenance.json': '{}', program: 'of the release' };
    for (const [name, text] of Object.entries(files)) await writeFile(place.at(name), text);
    const sums = Object.entries(files).map(([name, text]) => `${hash('sha256', text)}  ${name}\n`);
    await writeFile(place.at('SHA256SUMS'), sums.join(''));
    const having = [
      'genpkey',
      'chmod 600',
      '-pubout',
      'sign:release',
      'base64 -d',
      'openssl dgst',
      'sha256sum --check',
    ];
    const lines = await linesOf('docs/reference/release.md', having, {
      'npm run sign:release --': `node ${join(root, 'scripts/sign-release.ts')} .`,
    });
    await runLines(lines, place);
    await writeFile(place.at('program'), 'of somebody else');
    await assert.rejects(runLines(lines.slice(-1), place), /program: FAILED/);
  },
);

test('doctor and completion run as their references say', { skip: skipWithout('curl', 'bash') }, async () => {
  await using stack = new AsyncDisposableStack();
  const place = await openFolder(stack);
  const [doctor = ''] = await linesOf('docs/reference/doctor.md', ['doctor curl git npm'], {
    'curl git npm': 'curl',
  });
  const [{ stdout } = { stdout: '' }] = await runLines([doctor], place);
  assert.match(stdout, /curl/);
  await mkdir(place.at('home/.local/share/bash-completion/completions'), { recursive: true });
  await runLines(await linesOf('docs/reference/commands.md', ['completion bash']), place);
  await mustRun('bash', ['-n', place.at('home/.local/share/bash-completion/completions/upstreamproxy')]);
});
