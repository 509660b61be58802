// Services that a folder seems to use, by what lies in it: lock files, remotes of git, and the names of variables. What is found is
// proposed to a person who reads it, and gives no credential to anybody.

import { access, open } from 'node:fs/promises';
import { join } from 'node:path';

import { builtInEntries } from '../../policy/catalog/built-in-entries.ts';
import { entriesOfHosts } from '../../policy/catalog/find-entries.ts';
import { knownVariables } from '../../policy/catalog/known-variables.ts';
import { defaultLimits } from '../../protocol/limits.ts';

export interface FoundService {
  /** The name of its entry. */
  readonly entry: string;
  readonly title: string;
  /** By what it was found: names of files and variables, and remotes. */
  readonly by: readonly string[];
  /** Of remotes of git: as a rule names them. */
  readonly repositories: readonly string[];
}

/** Files in the folder, by the entry of the registry that their tool asks. */
const filesOfEntries: Readonly<Record<string, readonly string[]>> = {
  npm: [
    'package-lock.json',
    'npm-shrinkwrap.json',
    'yarn.lock',
    'pnpm-lock.yaml',
    'bun.lock',
    'package.json',
  ],
  pypi: ['poetry.lock', 'uv.lock', 'Pipfile.lock', 'pdm.lock', 'requirements.txt', 'pyproject.toml'],
  crates: ['Cargo.lock', 'Cargo.toml'],
  'go-modules': ['go.sum', 'go.mod'],
  rubygems: ['Gemfile.lock', 'Gemfile'],
  'maven-central': ['pom.xml', 'build.gradle', 'build.gradle.kts'],
  'docker-hub': ['Dockerfile', 'Containerfile'],
};

/** In the order of their names. What cannot be read is not there. */
export async function findServices(
  folder: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<readonly FoundService[]> {
  const found = new Map<string, { readonly by: Set<string>; readonly repositories: Set<string> }>();
  const note = (entry: string, by: string, repository?: string): void => {
    const one = found.get(entry) ?? { by: new Set(), repositories: new Set() };
    found.set(entry, one);
    one.by.add(by);
    if (repository !== undefined) one.repositories.add(repository);
  };
  for (const [entry, files] of Object.entries(filesOfEntries))
    for (const file of files) if (await isThere(join(folder, file))) note(entry, file);
  for (const { host, repository } of gitRemotes(await gitConfiguration(folder)))
    for (const { name } of entriesOfHosts(new Set([host]))) note(name, `${host}/${repository}`, repository);
  for (const [variable, { entry }] of knownVariables())
    if ((environment[variable] ?? '') !== '') note(entry, variable);
  return [...found]
    .flatMap(([entry, { by, repositories }]) => {
      const title = builtInEntries[entry]?.title;
      return title === undefined ? [] : [{ entry, title, by: [...by], repositories: [...repositories] }];
    })
    .toSorted((one, other) => (one.entry < other.entry ? -1 : 1));
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}

/** The beginning of the repository's own file. Git is not started: what a repository says may start programs there. */
async function gitConfiguration(folder: string): Promise<string> {
  try {
    await using file = await open(join(folder, '.git', 'config'), 'r');
    const { buffer, bytesRead } = await file.read({
      buffer: Buffer.alloc(defaultLimits.foundGitConfigBytesMax),
    });
    return buffer.toString('utf8', 0, bytesRead);
  } catch {
    return '';
  }
}

const remoteForms = [
  /^https:\/\/(?:[^@/\s]{1,200}@)?([a-z0-9.-]{1,253})\/([A-Za-z0-9._/-]{1,200})$/,
  /^ssh:\/\/(?:[A-Za-z0-9._-]{1,64}@)?([a-z0-9.-]{1,253})(?::\d{1,5})?\/([A-Za-z0-9._/-]{1,200})$/,
  /^[A-Za-z0-9._-]{1,64}@([a-z0-9.-]{1,253}):([A-Za-z0-9._/-]{1,200})$/,
] as const;

/** Where remotes lead, and to which repository; of a URL with a token in it, neither more nor less. */
export function gitRemotes(
  configuration: string,
): readonly { readonly host: string; readonly repository: string }[] {
  let isRemote = false;
  return configuration.split('\n').flatMap((raw) => {
    const line = raw.trim();
    if (line.startsWith('[')) {
      isRemote = line.startsWith('[remote ');
      return [];
    }
    const equals = line.indexOf('=');
    if (!isRemote || equals === -1 || line.slice(0, equals).trim() !== 'url') return [];
    const url = line.slice(equals + 1).trim();
    const [, host, path = ''] = remoteForms.map((form) => form.exec(url)).find((one) => one !== null) ?? [];
    const repository = path.replace(/\.git$/, '').replace(/\/$/, '');
    const isOne = /^[\w-][\w.-]*(?:\/[\w-][\w.-]*)+$/.test(repository);
    return host === undefined || !isOne ? [] : [{ host, repository }];
  });
}
