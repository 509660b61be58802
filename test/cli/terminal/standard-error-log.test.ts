import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { standardErrorLog } from '../../../src/cli/terminal/standard-error-log.ts';
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
  process.stdin.once('data', () => { log.warn('last'); process.exit(); });`;
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
    await waitUntil('there is room again', () => said.length > 4_096 && stream.readableLength === 0);
    const ended = once(child, 'exit');
    stdin.end('go on');
    await ended;
    await waitUntil('the last line was read', () => said.endsWith('last\n'));
    const told = [...said.matchAll(/^upstreamproxy: (\d+) lines were lost, for nobody read them$/gm)];
    const lost = told.reduce((sum, [, count]) => sum + Number(count), 0);
    assert.ok(lost > lines / 2, said.slice(-300));
    assert.equal(said.match(/^upstreamproxy: word/gm)?.length, lines - lost);
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
