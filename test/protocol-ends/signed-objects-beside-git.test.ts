// Two readers of the same octets: what the gateway would sign, git itself takes as the same object, of the same people. By generated objects.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

import { readGitObject } from '../../src/understand/git-object.ts';
import { generatedObject } from '../support/git-objects.ts';
import { gitEnvironment } from '../support/git-server.ts';
import { patienceMs } from '../support/patience.ts';
import { seededBelow } from '../support/seeded.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const skip = process.env['TEST_PROTOCOL_ENDS'] === undefined && '`npm run test:protocol-ends` runs it';
const runs = 3_000;

test(
  `of ${runs} objects, git takes each that would be signed, and reads the same people in it`,
  { skip, timeout: 8 * patienceMs },
  async (t) => {
    await using directory = await temporaryDirectory();
    const git = (args: readonly string[], input?: Uint8Array) =>
      spawnSync('git', ['-C', directory.path, ...args], { env: gitEnvironment, input, encoding: 'buffer' });
    git(['init', '-q', '--bare', '.']);
    const made = (type: string, text: string): string =>
      git(['hash-object', '-t', type, '-w', '--stdin'], Buffer.from(text)).stdout.toString().trim();
    const id = made('tree', '');
    const who = 'A <a@example.com> 1 +0000';
    const commitOf = (message: string): string =>
      made('commit', `tree ${id}\nauthor ${who}\ncommitter ${who}\n\n${message}\n`);
    // git looks at parents too where it reads a merge.
    const ids = { id, other: commitOf('one'), third: commitOf('two') };
    const random = seededBelow(1);
    const counts = { both: 0, oursAlone: 0, gitAlone: 0, neither: 0 };
    for (let run = 0; run < runs; run += 1) {
      const octets = generatedObject(random, ids);
      const object = readGitObject(octets);
      const isOurs = typeof object !== 'string';
      // What is refused here is looked at by git now and then: each costs a process.
      if (!isOurs && run % 8 !== 0) continue;
      const kind = isOurs ? object.kind : octets.subarray(0, 4).toString() === 'tree' ? 'commit' : 'tag';
      const hashed = git(['hash-object', '-t', kind, '-w', '--stdin'], octets);
      const isGits = hashed.status === 0;
      counts[isOurs ? (isGits ? 'both' : 'oursAlone') : isGits ? 'gitAlone' : 'neither'] += 1;
      assert.ok(!isOurs || isGits, `${hashed.stderr.toString()}\n${octets.toString()}`);
      if (!isOurs) continue;
      const id = hashed.stdout.toString().trim();
      assert.equal(git(['cat-file', kind, id]).stdout.compare(octets), 0);
      if (object.kind === 'commit') {
        const seen = git([
          'log',
          '-1',
          '--no-walk',
          '--encoding=UTF-8',
          '--format=%an%x00%ae%x00%cn%x00%ce',
          id,
        ]);
        const { author, committer } = object;
        assert.deepEqual(
          seen.stdout.toString().trimEnd().split('\0'),
          [author.name, author.email, committer.name, committer.email],
          octets.toString(),
        );
      } else {
        git(['update-ref', 'refs/tags/one', id]);
        const seen = git([
          'for-each-ref',
          '--format=%(tag)%00%(taggername)%00%(taggeremail)',
          'refs/tags/one',
        ]);
        const { tag, committer } = object;
        assert.deepEqual(seen.stdout.toString().trimEnd().split('\0'), [
          tag,
          committer.name,
          `<${committer.email}>`,
        ]);
      }
    }
    t.diagnostic(JSON.stringify(counts));
    // The control: git takes what is not signed, so the comparison is not of two that refuse everything.
    assert.ok(counts.both > 300 && counts.gitAlone > 10 && counts.neither > 10, JSON.stringify(counts));
  },
);
