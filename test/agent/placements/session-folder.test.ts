import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { makeSessionFolder, removeLeftFolders } from '../../../src/agent/placements/session-folder.ts';
import { temporaryDirectory } from '../../support/temporary-directory.ts';

const module = fileURLToPath(new URL('../../../src/agent/placements/session-folder.ts', import.meta.url));

/** A process that makes its folder and says where it is; it then waits for the end of its input. */
async function otherProcess(temporary: string) {
  const script = `
    const { makeSessionFolder } = await import(${JSON.stringify(module)});
    console.log(await makeSessionFolder(${JSON.stringify(temporary)}));
    process.stdin.resume();`;
  const child = spawn(
    process.execPath,
    ['--input-type=module', '--disable-warning=ExperimentalWarning', '-e', script],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, folder: line.toString().trim() };
}

test('the folder of a process that was killed is removed, those of living ones stay', async () => {
  await using directory = await temporaryDirectory();
  const own = await makeSessionFolder(directory.path);
  const living = await otherProcess(directory.path);
  const killed = await otherProcess(directory.path);
  await writeFile(join(killed.folder, 'ca.pem'), 'x');
  killed.child.kill('SIGKILL');
  await once(killed.child, 'exit');
  assert.deepEqual(await removeLeftFolders(directory.path), [killed.folder]);
  const names = (await readdir(directory.path)).map((name) => join(directory.path, name));
  assert.deepEqual(names.toSorted(), [own, living.folder].toSorted());
  living.child.stdin.end();
  await once(living.child, 'exit');
});

test('everybody may read it, and nobody else write', async () => {
  await using directory = await temporaryDirectory();
  const folder = await makeSessionFolder(directory.path);
  assert.equal((await stat(folder)).mode & 0o777, 0o755);
});

test('what has another name, or is of another place, is left alone, and links are not followed', async () => {
  await using directory = await temporaryDirectory();
  const folder = await makeSessionFolder(directory.path);
  const [, place] = /upstreamproxy-([0-9a-f]{8})-/.exec(folder) ?? [];
  const precious = join(directory.path, 'precious');
  await mkdir(precious);
  await writeFile(join(precious, 'file'), 'x');
  const others = [
    'upstreamproxy-doctor-abcdef',
    'upstreamproxy-00000000-1-1-abcdef',
    `upstreamproxy-${place}-x`,
  ];
  for (const name of others) await mkdir(join(directory.path, name));
  // No process has this number: the kernel's greatest is smaller.
  const left = join(directory.path, `upstreamproxy-${place}-99999999-1-abcdef`);
  await mkdir(left);
  await symlink(precious, join(left, 'link'));
  assert.deepEqual(await removeLeftFolders(directory.path), [left]);
  assert.deepEqual(await readdir(precious), ['file']);
  for (const name of others) assert.ok((await stat(join(directory.path, name))).isDirectory(), name);
});
