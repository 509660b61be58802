// Terminals by the kernel: script(1) is the person at one, and the jail is opened in another.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { captureObstacle } from '../../support/capture-obstacle.ts';
import { waitForFile } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const hasScript = spawnSync('script', ['--version']).status === 0;
const skip = captureObstacle() || (!hasScript && 'there is no script(1)');
const support = fileURLToPath(new URL('../support/jail-session-script.ts', import.meta.url));
const bin = fileURLToPath(new URL('../../../node_modules/.bin', import.meta.url));

/** What the command of a jail says at a terminal of its own. */
async function atTerminal(file: string, own: readonly string[], command: string): Promise<string> {
  const words = [join(bin, file), ...own, support, 'token', command];
  const quoted = words.map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', quoted, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  return (await text(child.stdout)).replaceAll('\r', '');
}

describe('terminals of a jail', { skip }, () => {
  for (const [file, own] of [
    ['node', ['--disable-warning=ExperimentalWarning']],
    ['bun', []],
  ] as const) {
    test(`${file}: the own one keeps its name, and others have none`, async () => {
      await using directory = await temporaryDirectory();
      const name = join(directory.path, 'terminal');
      const person = spawn(
        'script',
        ['-qec', `tty > ${name}.new; mv ${name}.new ${name}; exec sleep 300`, '/dev/null'],
        {
          stdio: ['pipe', 'ignore', 'ignore'],
        },
      );
      try {
        const other = (await waitForFile(name)).trim();
        assert.match(other, /^\/dev\/pts\/\d+$/);
        const said = await atTerminal(
          file,
          own,
          `test -e ${other} || echo closed; test -c "$(tty)" && echo kept > "$(tty)"; ls /dev/pts | wc -l; script -qec tty /dev/null < /dev/null`,
        );
        const [closed, kept, count = '', made] = said.split('\n').map((line) => line.trim());
        assert.deepEqual([closed, kept], ['closed', 'kept'], said);
        // Its own, and ptmx.
        assert.equal(count, '2');
        // New ones are made in its own file system.
        assert.match(made ?? '', /\/dev\/pts\/\d+$/);
      } finally {
        person.kill('SIGKILL');
        await once(person, 'exit');
      }
    });
  }
});
