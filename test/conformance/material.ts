// Where the cases of a suite come from that are not in the checkout: a folder that the environment names, or a source package, by
// the package manager as it is set up here.

import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { runCommand } from '../support/command.ts';
import { skipWithout } from '../support/tools.ts';

/** Names a folder with a folder for each suite, called as the suite is. */
const materialVariable = 'CONFORMANCE_MATERIAL';

export type Material = { readonly folder: string; readonly from: string } | { readonly absent: string };

/** The suite's folder below the one that the environment names, if there is one. */
export function namedMaterial(suite: string): Material {
  const root = process.env[materialVariable];
  if (root === undefined || root === '') return { absent: `${materialVariable} is not set` };
  const folder = join(root, suite);
  return existsSync(folder) ? { folder, from: folder } : { absent: `there is no ${folder}` };
}

const aptTimeoutMs = 300_000;

/**
 * Unpacks a part of a source package of Debian below `work`: the archive of its authors, without what Debian changed. Nothing of the
 * machine's own lists is touched. @param part path in the archive, below its first folder
 */
export async function sourcePackage(name: string, part: string, work: string): Promise<Material> {
  const missing = skipWithout('apt-get', 'tar');
  if (missing !== false) return { absent: missing };
  const folder = join(work, name);
  await mkdir(join(folder, 'lists', 'partial'), { recursive: true });
  const options = await sourceLists(folder);
  for (const args of [['update'], ['source', '--tar-only', '--download-only', name]]) {
    const { code, stderr } = await runCommand('apt-get', [...options, '-q', ...args], {
      cwd: folder,
      timeoutMs: aptTimeoutMs,
    });
    if (code !== 0) return { absent: `apt-get ${args[0]} says ${stderr.trim().split('\n').at(-1) ?? ''}` };
  }
  const archive = (await readdir(folder)).find((file) => file.includes('.orig.tar.'));
  if (archive === undefined) return { absent: `the source package ${name} has no archive` };
  const args = ['-xf', archive, '--strip-components=1', '--wildcards', `*/${part}`];
  const { code, stderr } = await runCommand('tar', args, { cwd: folder, timeoutMs: aptTimeoutMs });
  return code === 0 ? { folder, from: archive } : { absent: `tar says ${stderr.trim()}` };
}

/** Lists of sources in place of those of programs, made from the machine's, and options of apt-get that use them. */
async function sourceLists(folder: string): Promise<readonly string[]> {
  const parts = join(folder, 'sources.d');
  await mkdir(parts);
  const configured = '/etc/apt/sources.list.d';
  const names = existsSync(configured) ? await readdir(configured) : [];
  for (const name of names) {
    const text = await readFile(join(configured, name), 'utf8');
    const sources = text.replaceAll(/^Types:.*$/gm, 'Types: deb-src').replaceAll(/^deb /gm, 'deb-src ');
    await writeFile(join(parts, name), sources);
  }
  const list = join(folder, 'sources.list');
  const single = '/etc/apt/sources.list';
  await writeFile(list, '');
  if (existsSync(single)) {
    await copyFile(single, list);
    await writeFile(list, (await readFile(list, 'utf8')).replaceAll(/^deb /gm, 'deb-src '));
  }
  const settings = {
    'Dir::Etc::sourceparts': parts,
    'Dir::Etc::sourcelist': list,
    'Dir::State::lists': join(folder, 'lists'),
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}
