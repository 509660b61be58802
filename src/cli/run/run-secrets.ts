// What `run` keeps from its command: secrets of the home, of the configuration, and on demand of the environment.

import { accessSync, constants, mkdirSync, realpathSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, isAbsolute, relative } from 'node:path';
import { findHomeSecrets, type HomeSecrets } from '../../agent/home-secrets/home-secrets.ts';
import type { Identity } from '../../agent/jail/identity.ts';
import type { JailReport } from '../../agent/jail/jail-plan.ts';
import { ProxyError } from '../../protocol/error.ts';
import type { SecretSources } from '../gateway/gateway-protection.ts';
import type { Environment } from '../terminal/workload-environment.ts';

export interface RunSecretsOptions {
  readonly environment: Environment;
  readonly fsRead: readonly string[];
  readonly identity: Identity | undefined;
  /** There is a gateway of its own that puts them on. */
  readonly replaces: boolean;
  /** A folder of this program's own; made where it is not there, to be hidden. */
  readonly state?: string;
  /** What opens a place, for who is told that it is hidden; default: `--fs-read` of the place. */
  readonly advice?: string;
}

/** Throws usage if the working folder would be hidden. */
export function findRunSecrets(options: RunSecretsOptions): HomeSecrets {
  const { environment, fsRead, identity, replaces, state, advice } = options;
  const own = homeOf(environment['HOME']) ?? homedir();
  const other = homeOf(identity?.environment['HOME']);
  const workingFolder = process.cwd();
  const found = findHomeSecrets({
    homes: other === undefined ? [own] : [own, other],
    uid: process.geteuid?.() ?? 0,
    workingFolder,
    environment,
    fsRead,
    replaces,
  });
  const over = found.covers.find(({ path }) => isBelow(workingFolder, path));
  if (over !== undefined)
    throw new ProxyError(
      'usage',
      `the working folder is in ${over.path}, which is hidden from the command; ${advice ?? `--fs-read ${over.path} opens it`}`,
    );
  return state === undefined ? found : { ...found, covers: [...found.covers, ...stateCover(state)] };
}

/** Keys of its gateway, its first token and its audit are not the command's. */
function stateCover(path: string): HomeSecrets['covers'] {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return [{ path, isWritable: true }];
  } catch {
    // Whoever makes the folder of the run says why it cannot be made.
    return [];
  }
}

/** A root of the file system is nobody's home. */
function homeOf(path: string | undefined): string | undefined {
  return path === undefined || path === '/' || !isAbsolute(path) ? undefined : path;
}

export function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

/** What a person has to know of it, in one line and one for streams that are lost by it; empty if nothing is hidden. `advice` is what opens a place. */
export function hiddenNote(
  secrets: HomeSecrets,
  { layers, measures }: JailReport,
  advice = '; --fs-read PATH opens one',
): string {
  if (!layers.some(({ layer, held }) => layer === 'files' && held)) return '';
  return secretsNote(secrets, advice) + lostNote(measures?.lostStreams ?? []);
}

function lostNote(lost: readonly number[]): string {
  if (lost.length === 0) return '';
  return `upstreamproxy: standard stream ${lost.join(', ')} is /dev/null for the command: it is a folder that cannot be had beside what is hidden\n`;
}

function secretsNote({ hidden, copies, replaced, without }: HomeSecrets, advice: string): string {
  const parts = [
    ...(hidden.length > 0 ? [`hidden: ${hidden.join(', ')}`] : []),
    ...(copies.length > 0 ? [`without its secrets: ${copies.join(', ')}`] : []),
    ...(replaced.length > 0 ? [`with placeholders: ${replaced.join(', ')}`] : []),
    ...(without.length > 0 ? [`will not work: ${without.join(', ')}`] : []),
  ];
  if (parts.length === 0) return '';
  return `upstreamproxy: secrets of the home: ${parts.join('; ')}. What the command writes there is lost${advice}\n`;
}

/** Names under which secrets usually stand. */
const secretName =
  /(?:^|_)(?:TOKEN|SECRET|SECRETS|PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|CREDENTIALS?|AUTH|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|SIGNING_?KEY|ENCRYPTION_?KEY|DSN|COOKIE|JWT|PAT)(?:_|$)|(?:TOKEN|SECRET|PASSWORD|APIKEY)$/i;
/** They look like that and are none. */
const noSecret = /^(?:PWD|OLDPWD|SSH_AUTH_SOCK|SUDO_ASKPASS|SSH_ASKPASS|GIT_ASKPASS|XAUTHORITY)$/;

/** Only these, or all, with placeholders where there are some; those that look like secrets are named in one warning. */
export function passedEnvironment(
  given: Environment,
  names: readonly string[] | undefined,
  placeholders: Readonly<Record<string, string>> = {},
): { readonly environment: Environment; readonly warning: string } {
  const environment = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, placeholders[name] ?? value]),
  );
  if (names !== undefined) {
    const kept = Object.entries(environment).filter(([name]) => names.includes(name));
    return { environment: Object.fromEntries(kept), warning: '' };
  }
  const secret = Object.entries(environment)
    .filter(([name, value]) => value !== '' && secretName.test(name) && !noSecret.test(name))
    .map(([name]) => name)
    .filter((name) => !Object.hasOwn(placeholders, name));
  const warning =
    secret.length === 0
      ? ''
      : `upstreamproxy: the command gets variables that look like secrets: ${secret.sort().join(', ')}; --pass-env NAMES passes only those\n`;
  return { environment, warning };
}

/** Checks `--pass-env`. Throws usage. */
export function readNames(text: string | undefined): readonly string[] | undefined {
  const names = text?.split(',').map((name) => name.trim());
  const wrong = names?.find((name) => name === '' || /[=\0]/.test(name));
  if (wrong !== undefined)
    throw new ProxyError('usage', `--pass-env takes names of variables with commas between, not "${wrong}"`);
  return names;
}

export const noSources: SecretSources = { variables: [], files: [] };

/** The environment without what the gateway's configuration names as the place of a secret. */
export function withoutSources(environment: Environment, { variables }: SecretSources): Environment {
  const kept = Object.entries(environment).filter(([name]) => !variables.includes(name));
  return Object.fromEntries(kept);
}

/** What is empty for the command, with all below it; what it sees a part of is not among it. */
export function emptyPlaces({ covers }: HomeSecrets, report: JailReport | undefined): readonly string[] {
  if (report?.layers.some(({ layer, held }) => layer === 'files' && held) !== true) return [];
  return covers
    .filter(({ entries, keeps, keepsOthers }) => (entries ?? keeps ?? keepsOthers) === undefined)
    .filter(({ content = '' }) => content === '')
    .map(({ path }) => realOf(path));
}

/** Files of the configuration's secrets that the command's user can read, and that are in none of `empty`. */
export function readableSources(
  { files }: SecretSources,
  identity: Identity | undefined,
  empty: readonly string[] = [],
): readonly string[] {
  return files
    .filter((path) => !empty.some((place) => isBelow(realOf(path), place)))
    .filter((path) => (identity === undefined ? canRead(path) : canUserRead(path, identity)));
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function canRead(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** By modes, for this process is root; lists of access beyond them are not looked at. */
function canUserRead(path: string, { uid, gid, groups }: Identity): boolean {
  if (uid === 0) return canRead(path);
  const isAllowed = (of: string, right: number): boolean => {
    const found = statSync(of, { throwIfNoEntry: false });
    if (found === undefined) return false;
    const shift = found.uid === uid ? 6 : found.gid === gid || groups.includes(found.gid) ? 3 : 0;
    return ((found.mode >> shift) & right) !== 0;
  };
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    if (!isAllowed(folder, 1)) return false;
    if (folder === '/') return isAllowed(path, 4);
  }
}
