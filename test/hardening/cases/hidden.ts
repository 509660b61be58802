// From the jail: secrets of the home that are hidden, by every way that leads to a file. All are played in one run, with the jail and without.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { canary } from '../../support/canary.ts';
import type { AttackCase, Bench, Verdict } from '../support/bench.ts';
import { SkippedCase } from '../support/bench.ts';
import { attacksBy, postureOf, withoutJail, type RunOptions } from './jail.ts';

const ways: readonly (readonly [word: string, title: string])[] = [
  ['path', 'by its path'],
  ['processes', 'by root, folder and descriptors of every process'],
  ['unmount', 'by taking away what lies over it'],
  ['hard-link', 'by a hard link'],
  ['symlink', 'by a symbolic link'],
  ['openat', 'by openat on a folder that is its standard input'],
  ['openat2', 'by openat2 on a folder that is its standard input'],
  ['bind', 'by a mount of the home elsewhere'],
  ['tree', 'by a copy of the mount'],
  ['overlay', 'by an overlay of the home'],
];

/** The first number of the cases here. */
const firstNumber = 155;

export const hiddenCases: readonly AttackCase[] = [
  ...ways.map(([word, title], index): AttackCase => ({
    number: String(firstNumber + index),
    title: `from the jail: a hidden file of the home ${title}`,
    play: (bench) => verdict(bench, word),
  })),
  {
    number: String(firstNumber + ways.length),
    title: 'without a mount namespace nothing is hidden: --isolate=require starts nothing, auto says so',
    play: (bench) => withoutMounts(bench),
  },
];

type Result = Awaited<ReturnType<typeof attacksBy>>[number];

interface Played {
  readonly jailed: readonly Result[];
  readonly bare: readonly Result[];
}

/** One for each program and user of a lab. */
const played = new WeakMap<object, Map<string, Promise<Played>>>();

async function verdict(bench: Bench, word: string): Promise<Verdict> {
  const kept = played.get(bench.lab) ?? new Map<string, Promise<Played>>();
  played.set(bench.lab, kept);
  const key = `${bench.runtime} ${bench.user}`;
  const run = kept.get(key) ?? playAll(bench);
  kept.set(key, run);
  const { jailed, bare } = await run;
  const at = ways.findIndex(([name]) => name === word);
  const [denied, control] = [jailed[at], bare[at]];
  assert.ok(denied !== undefined && control !== undefined);
  assert.ok(!denied.worked, denied.said);
  // The kernel lets this user mount nothing, in a namespace of its own either.
  if (!control.worked && /EPERM|EINVAL|ENODEV|ENOSYS/.test(control.said) && isMount(word))
    throw new SkippedCase(`without the jail too: ${control.said}`);
  assert.ok(control.worked, `the control failed, so nothing is proven: ${control.said}`);
  return { denied: denied.said.replace(/^denied: /, ''), control: control.said };
}

function isMount(word: string): boolean {
  return ['bind', 'tree', 'overlay'].includes(word);
}

async function playAll(bench: Bench): Promise<Played> {
  const home = bench.lab.newFolder();
  const folder = join(home, '.aws');
  mkdirSync(folder, { mode: 0o700 });
  bench.lab.give(folder);
  const secret = canary('hidden');
  const file = bench.lab.writeFile(join(folder, 'credentials'), `secret = ${secret}\n`);
  // Somebody of the same user who stands in that folder, and has it open.
  const wrapper = ['bash', '-c', 'cd / && exec 0< "$HOME/.aws"; exec "$@"', 'bash'];
  bench.start([...wrapper, 'bash', '-c', 'cd "$HOME/.aws" && exec sleep 300'], { env: { HOME: home } });
  const options: RunOptions = { env: { HOME: home }, wrapper };
  const attacks = ways.map(([word]) => [`hidden-${word}`, file, secret]);
  const { filesHidden } = await postureOf(bench, options);
  assert.equal(filesHidden, true);
  const jailed = await attacksBy(bench, attacks, options);
  const bare = await attacksBy(bench, attacks, { ...options, ...withoutJail });
  return { jailed, bare };
}

/** A sandbox that refuses namespaces. */
async function withoutMounts(bench: Bench): Promise<Verdict> {
  const home = bench.lab.newFolder();
  const secret = canary('hidden');
  const file = bench.lab.writeFile(join(home, '.pgpass'), `${secret}\n`);
  const wrapper = [bench.lab.attackFile, 'without-namespaces', '--'];
  const options: RunOptions = { env: { HOME: home }, wrapper };
  const layers = 'files,no-new-privs,landlock,seccomp';
  const read = ['hidden-path', file, secret];
  const refused = await attacksBy(bench, [read], {
    ...options,
    jail: ['--isolate=require', `--jail-layers=${layers}`],
  }).catch((error: unknown) => String(error));
  assert.match(String(refused), /jail_refused/);
  const jail = ['--isolate=auto', `--jail-layers=${layers}`];
  const { filesHidden, jailLayers } = await postureOf(bench, { ...options, jail });
  assert.equal(filesHidden, false);
  assert.ok(!String(jailLayers).includes('files'));
  const [seen] = await attacksBy(bench, [read], { ...options, jail });
  assert.ok(seen?.worked === true, 'it is told as open, and it is not');
  return { denied: 'jail_refused; with auto filesHidden is false', control: seen.said };
}
