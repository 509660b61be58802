// A program of Node in the jail of `upstreamproxy run`, with a gateway outside, and everything that was in there at its end: what it
// printed, its memory, the environment and arguments of all processes, and files. Secrets of the gateway lie in a folder that is not looked at.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';

import { stringify } from 'yaml';

import { findCanary } from '../../support/canary.ts';
import { mustRun } from '../../support/command.ts';
import { startGatewayProcess } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const launcher = fileURLToPath(new URL('../../../bin/upstreamproxy', import.meta.url));
/** `node_modules` of the libraries, where they could be fetched. */
const tools = process.env['TEST_IDENTITY_TOOLS'];

/** A whole run, on a machine that does much else. */
export const containerMs = 300_000;

/** Why a test of libraries in a container cannot run here; false if it can. */
export function missing({ libraries = true } = {}): string | false {
  if (process.env['TEST_IDENTITIES'] === undefined) return '`npm run test:identities` runs it';
  if (libraries && tools === undefined) return 'the libraries could not be fetched from npm';
  if (spawnSync('unshare', ['--net', 'true']).status !== 0) return 'no network namespace can be made here';
  return false;
}

export interface ContainerOptions {
  /** Of the gateway, beside where it is and its policy. */
  readonly credentials: Readonly<Record<string, unknown>>;
  readonly rules: readonly Readonly<Record<string, unknown>>[];
  readonly hosts: Readonly<Record<string, string>>;
  /** Files of the gateway by their names; credentials and `trust` name them. */
  readonly files: Readonly<Record<string, string>>;
  readonly trust?: Readonly<Record<string, unknown>>;
  /** ESM for Node: `load(name)` gives a library. What it prints is `out`. */
  readonly program: string;
}

export interface Container {
  readonly out: string;
  readonly err: string;
  /** The secret is in nothing that was in the container; what the container does have is found by the same search. */
  assertWithout(secrets: readonly string[], control: string): void;
}

/** The program's memory is written down when it is done, and read here. */
const preamble = `
import { createRequire } from 'node:module';
import { openSync, readFileSync, readSync, writeSync } from 'node:fs';
const load = createRequire(process.env.TOOLS + '/load.js');
function writeMemory() {
  const memory = openSync('/proc/self/mem', 'r');
  const kept = openSync(process.env.HOME + '/memory', 'w');
  for (const line of readFileSync('/proc/self/maps', 'latin1').split('\\n')) {
    const found = /^([0-9a-f]+)-([0-9a-f]+) rw/.exec(line);
    if (found === null) continue;
    const [from, to] = [parseInt(found[1], 16), parseInt(found[2], 16)];
    if (to - from > 256 * 1024 * 1024) continue;
    const bytes = Buffer.alloc(1024 * 1024);
    for (let at = from; at < to; at += bytes.length) {
      let size = 0;
      try { size = readSync(memory, bytes, 0, Math.min(bytes.length, to - at), at); } catch { continue; }
      writeSync(kept, bytes, 0, size);
    }
  }
}
process.on('exit', writeMemory);
`;

export async function inContainer(options: ContainerOptions): Promise<Container & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const outside = stack.use(await temporaryDirectory()).path;
  const home = stack.use(await temporaryDirectory()).path;
  const { credentials, rules, hosts, files, trust, program } = options;
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(outside, name)), { recursive: true });
    await writeFile(join(outside, name), content, { mode: 0o600 });
  }
  await writeFile(join(outside, 'policy.yaml'), stringify({ version: 1, rules }));
  await writeFile(
    join(outside, 'gateway.yaml'),
    stringify({
      listen: { address: '127.0.0.1', port: 0 },
      publicNames: ['127.0.0.1'],
      stateDirectory: 'state',
      policy: 'policy.yaml',
      credentials,
      ...(trust === undefined ? {} : { trust }),
      upstream: { hosts },
    }),
  );
  await writeFile(join(home, 'program.mjs'), `${preamble}${program}`);
  const script = [
    '"$NODE" "$HOME/program.mjs" 2>&1',
    'echo "--- what else is there"',
    'cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n"',
    `find "$HOME" /run /tmp -xdev -path ${outside} -prune -o -type f -size -1M ! -name memory -print0 2>/dev/null | xargs -0 cat 2>/dev/null | tr -d "\\0"`,
  ].join('; ');
  const config = join(outside, 'gateway.yaml');
  // Of its own: the one that `run` starts has to be ready in a time that a starved machine does not keep.
  const gateway = stack.use(await startGatewayProcess(config));
  const gatewayCa = join(home, 'gateway-ca.pem');
  await writeFile(gatewayCa, await mustRun(launcher, ['ca', 'show', '--server', '--config', config]));
  const token = join(outside, 'token');
  await mustRun(launcher, ['token', 'issue', '--config', config, '--subject', 'test', '--out', token]);
  const way = ['--gateway', gateway.url, '--gateway-ca', gatewayCa, '--token-file', token];
  const child = spawn(launcher, ['run', ...way, '--', 'sh', '-c', script], {
    env: { PATH: process.env['PATH'], HOME: home, NODE: process.execPath, TOOLS: tools ?? home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [all, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [out = '', rest = ''] = all.split('--- what else is there\n');
  const memory = await readFile(join(home, 'memory')).catch(() =>
    assert.fail(`the program did not end: ${all.slice(0, 4000)}${err}`),
  );
  const owned = stack.move();
  return {
    out,
    err,
    assertWithout: (secrets, control) => {
      assert.ok(secrets.length > 0 && secrets.every((secret) => secret.length > 15));
      assert.match(rest, /SSL_CERT_FILE=/, 'the environment was looked at');
      assert.notDeepEqual(findCanary(memory, control), [], 'the memory was looked at');
      for (const secret of secrets) {
        assert.deepEqual(findCanary(memory, secret), [], 'it is in the memory');
        assert.deepEqual(findCanary(`${all}${err}`, secret), [], 'it is in what was printed, or in files');
      }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
