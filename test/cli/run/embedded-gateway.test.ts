import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync } from 'node:fs';
import { test } from 'node:test';

import { launcher } from '../../support/program.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';
import { findTool } from '../../support/tools.ts';

const isRoot = process.getuid?.() === 0;
const nobody = 65_534;
const skip = isRoot && findTool('setpriv') === undefined ? 'root reads everything: needs setpriv' : false;

// The quotes in the name keep the search from finding itself.
const search = `for p in /proc/[0-9]*; do
  case $(tr '\\0' ' ' < $p/cmdline) in *' =embedded''-gateway '*"$1"*) echo "environ of $(stat -c %u $p/environ)"; cat $p/environ $p/maps | wc -c;; esac
done 2>/dev/null`;

test(
  'the memory and the environment of the embedded gateway are closed to its own user',
  { skip },
  async () => {
    await using home = await temporaryDirectory();
    if (isRoot) chownSync(home.path, nobody, nobody);
    const drop = ['setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups'];
    // Outside the jail, or the jail alone would explain it.
    const run = [launcher, 'run', '-q', '--isolate=off', '--', 'sh', '-c', search, 'sh', home.path];
    const [file = '', ...args] = isRoot ? [...drop, ...run] : run;
    const { stdout, stderr, status } = spawnSync(file, args, {
      encoding: 'utf8',
      env: { ...process.env, HOME: home.path, XDG_STATE_HOME: home.path, TMPDIR: home.path },
      cwd: '/',
      timeout: 60_000,
    });
    assert.equal(status, 0, stderr);
    const own = isRoot ? nobody : process.getuid?.();
    const found = [...stdout.matchAll(/^environ of (\d+)\n(\d+)$/gm)].map(([, uid, bytes]) => [uid, bytes]);
    assert.ok(found.length >= 1, `no embedded gateway was found: ${stdout}${stderr}`);
    for (const [uid, bytes] of found) {
      assert.notEqual(uid, String(own));
      assert.equal(bytes, '0');
    }
  },
);
