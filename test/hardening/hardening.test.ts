// A few attacks of `npm run test:hardening`, so that an agent that lost its protection fails `npm test` too.

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { runCommand } from '../support/command.ts';
import { findTool } from '../support/tools.ts';
import { cases } from './cases.ts';
import { Bench } from './support/bench.ts';
import { Lab } from './support/lab.ts';

const reason = ((): string | false => {
  if (process.platform !== 'linux') return 'the attacks are those of Linux';
  if (process.getuid?.() !== 0) return 'needs root, to make users; `npm run test:hardening` plays more';
  return findTool('cc') === undefined ? 'the attacks need a C compiler' : false;
})();

let lab: Lab | undefined;
before(async () => {
  if (reason === false) lab = await Lab.open();
});
after(async () => void (await lab?.[Symbol.asyncDispose]()));

/** The list that the suite follows; cases with a letter are more of the same. */
const list = [
  1, 2, 3, 6, 7, 8, 10, 11, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23, 24, 25, 26, 28, 29, 31, 32,
].concat([34, 35, 36, 37, 38, 39, 40, 42, 43, 44, 45, 46]);

test('each attack of the list is a case, and each case has a number of its own', () => {
  const numbers = cases.map(({ number }) => number);
  assert.equal(new Set(numbers).size, numbers.length);
  assert.deepEqual(
    list.filter((number) => !numbers.includes(String(number))),
    [],
  );
});

test(
  'a view of the home that could not even be begun is told as untried, and no denial',
  { skip: reason },
  async () => {
    assert.ok(lab !== undefined);
    const file = lab.writeFile(join(lab.newFolder(), 'secret'), 'canary\n');
    const look = `mount --bind /tmp /tmp && mount -o remount,bind,ro /tmp && exec "$@"`;
    for (const word of ['bind', 'tree', 'overlay']) {
      const attack = [lab.attackFile, `hidden-${word}`, file, 'canary'];
      const { code, stdout } = await runCommand('unshare', ['-m', 'sh', '-c', look, 'sh', ...attack]);
      assert.deepEqual([code, stdout.split(':')[0]], [2, 'untried'], stdout);
    }
  },
);

for (const attack of cases.filter(({ short }) => short === true)) {
  // The single file takes a minute to build and is played by `npm run test:hardening`.
  for (const runtime of (['node', 'bun'] as const).filter((one) => attack.runtimes?.includes(one) ?? true)) {
    test(
      `attack ${attack.number} is denied under ${runtime}: ${attack.title}`,
      { skip: reason },
      async () => {
        assert.ok(lab !== undefined);
        await using bench = new Bench(lab, runtime);
        const { denied, control } = await attack.play(bench);
        assert.ok(denied !== '' && control !== '');
      },
    );
  }
}
