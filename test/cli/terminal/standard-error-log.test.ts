import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { standardErrorLog } from '../../../src/cli/terminal/standard-error-log.ts';
import { patienceMs } from '../../support/patience.ts';
import { waitUntil } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const module = fileURLToPath(new URL('../../../src/cli/terminal/standard-error-log.ts', import.meta.url));
/** More than any pipe or socket takes. */
const lines = 20_000;
const script = `
  const { standardErrorLog } = await import(${JSON.stringify(module)});
  const log = standardErrorLog();
  for (let line = 0; line < ${lines}; line++) log.warn('word '.repeat(20));
  process.stdout.write('done');
  process.stdin.on('data', () => { log.warn('last'); process.stdout.write('said'); });
  process.stdin.once('end', () => process.exit());`;
const own = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];

/** Starts the script with that standard error, and sees that it waits for nobody; then that it says what was lost. */
async function showNoWait(standardError: 'pipe' | number, reader: (child: Socket | null) => Socket) {
  const child = spawn(process.execPath, own, { stdio: ['pipe', 'pipe', standardError] });
  try {
    const { stdin, stdout } = child;
    assert.ok(stdin !== null && stdout !== null);
    assert.deepEqual(String((await once(stdout, 'data'))[0]), 'done');
    // A stream of its own only where it is a pipe of ours, which then is a socket.
    const stream = reader(child.stderr as Socket | null);
    let said = '';
    stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = once(child, 'exit');
    // Whoever reads makes room, but not all at once: the program has a word until one of them comes through.
    let words = 0;
    for (; !said.endsWith('last\n'); words += 1) {
      stdin.write('go on');
      await once(stdout, 'data', { signal: AbortSignal.timeout(patienceMs) });
      await new Promise(setImmediate);
    }
    stdin.end();
    await ended;
    const count = (pattern: RegExp): number => said.match(pattern)?.length ?? 0;
    const lost = (): number =>
      [...said.matchAll(/^upstreamproxy: (\d+) lines were lost, for nobody read them$/gm)]
        .map(([, number]) => Number(number))
        .reduce((sum, number) => sum + number, 0);
    await waitUntil(
      'every line was read or is told as lost',
      () => count(/^upstreamproxy: (?:(?:word ){20}|last)$/gm) === lines + words - lost(),
    );
    assert.ok(lost() > lines / 2, said.slice(-300));
    stream.destroy();
  } finally {
    child.kill('SIGKILL');
  }
}

test('a socket that nobody reads keeps nobody waiting', async () => {
  await showNoWait('pipe', (stderr) => stderr ?? assert.fail('there is no standard error'));
});

test('a pipe that nobody reads keeps nobody waiting, whoever else has it', async () => {
  await using folder = await temporaryDirectory();
  const path = join(folder.path, 'pipe');
  execFileSync('mkfifo', [path]);
  const read = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  // Blocking, as `run` leaves the streams of its command.
  const write = openSync(path, constants.O_WRONLY);
  await showNoWait(write, () => new Socket({ fd: read, readable: true, writable: false }));
  closeSync(write);
});

test('a line that was cut does not run into the next one', () => {
  const room = [10, 1_000, 0, 0, 1_000, 1_000];
  let said = '';
  const log = standardErrorLog((bytes) => {
    const taken = Math.min(bytes.length, room.shift() ?? 0);
    said += bytes.toString('utf8', 0, taken);
    return taken;
  });
  for (const word of ['first', 'second', 'third', 'fourth']) log.warn(word);
  assert.equal(
    said,
    'upstreampr\nupstreamproxy: 1 lines were lost, for nobody read them\n' +
      'upstreamproxy: 2 lines were lost, for nobody read them\nupstreamproxy: fourth\n',
  );
});
