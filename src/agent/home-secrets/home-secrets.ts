// What a command gets to see of its user's secrets: nothing, or something that looks like them. Files are read here, once, and nothing
// outside changes.

import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from 'node:fs';
import { isAbsolute, join, relative, resolve } from 'node:path';
import type { HomeCredential, HomeCredentialPlace } from '../../protocol/home-credential.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { placeholderFor } from './placeholder.ts';
import type { ReplaceSecret } from './secret-form.ts';
import {
  homeSockets,
  runtimeSockets,
  type SecretPlace,
  secretPlaces,
  socketVariables,
  systemSockets,
} from './secret-places.ts';

export interface HomeSecretsOptions {
  /** The caller's, and that of the command's user where it is another. */
  readonly homes: readonly [string, ...string[]];
  readonly uid: number;
  readonly workingFolder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** What the command is to see as it is. */
  readonly fsRead: readonly string[];
  /** The system's settings of ssh; `/etc/ssh` but in tests. */
  readonly systemSsh?: string;
  /** Somebody puts the secrets on in place of what stands for them; else their entries are left out. */
  readonly replaces: boolean;
}

/** What is laid over a path; the jail's `Cover`. */
export interface HomeCover {
  readonly path: string;
  readonly content?: string;
  readonly keeps?: readonly string[];
  readonly entries?: readonly { readonly name: string; readonly content: string }[];
  readonly keepsOthers?: boolean;
  readonly isWritable: true;
}

export interface HomeSecrets {
  readonly covers: readonly HomeCover[];
  readonly credentials: readonly HomeCredential[];
  /** Names for people: of what is empty now. */
  readonly hidden: readonly string[];
  /** Of what is there without its secrets. */
  readonly copies: readonly string[];
  /** Of what is there with placeholders, some of it at least. */
  readonly replaced: readonly string[];
  /** Files of which something could not be replaced, and so stays out: what will not work. */
  readonly without: readonly string[];
}

export const noSecrets: HomeSecrets = {
  covers: [],
  credentials: [],
  hidden: [],
  copies: [],
  replaced: [],
  without: [],
};

/** Reads the places of the table. What is not there, or cannot be read by this user, is passed over. */
export function findHomeSecrets(options: HomeSecretsOptions): HomeSecrets {
  const finder = new Finder(options);
  for (const home of new Set(options.homes)) {
    for (const place of secretPlaces) finder.take(join(home, place.path), place);
    for (const socket of homeSockets) finder.take(join(home, socket), { path: socket, of: 'sockets' });
  }
  finder.showKnownHosts();
  for (const path of socketPaths(options)) finder.take(path, { path, of: 'sockets' });
  return finder;
}

function socketPaths({ environment, uid }: HomeSecretsOptions): readonly string[] {
  const folders = [`/run/user/${uid}`, environment['XDG_RUNTIME_DIR'] ?? ''].filter((path) =>
    isAbsolute(path),
  );
  const named = socketVariables
    .map((name) => environment[name] ?? '')
    .flatMap((value) => value.split(';'))
    .map(
      (value) =>
        value
          .replace(/^unix:(?:path=)?/, '')
          .replace(/^\/\//, '/')
          .split(/[,:]/)[0] ?? '',
    )
    .filter((path) => isAbsolute(path) && isSocket(path));
  return [
    ...folders.flatMap((folder) => runtimeSockets.map((name) => join(folder, name))),
    ...systemSockets,
    ...named,
  ];
}

function isSocket(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isSocket() === true;
}

class Finder implements HomeSecrets {
  readonly covers: HomeCover[] = [];
  readonly credentials: HomeCredential[] = [];
  readonly hidden: string[] = [];
  readonly copies: string[] = [];
  readonly replaced: string[] = [];
  readonly without: string[] = [];
  readonly #options: HomeSecretsOptions;
  readonly #opened: readonly string[];
  /** Several names lead to one file. */
  readonly #seen = new Set<string>();

  constructor(options: HomeSecretsOptions) {
    this.#options = options;
    this.#opened = options.fsRead.map((path) => realOf(resolve(options.workingFolder, path)));
  }

  take(path: string, place: SecretPlace): void {
    const found = lookAt(path);
    if (found === undefined) return;
    const key = `${found.status.dev}:${found.status.ino}`;
    if (this.#seen.has(key) || this.#opened.some((opened) => isBelow(found.real, opened))) return;
    this.#seen.add(key);
    const keeps = this.#opened
      .filter((opened) => isBelow(opened, found.real))
      .map((opened) => relative(found.real, opened));
    const { form } = place;
    if (form !== undefined && found.status.isFile()) this.#read(path, { ...place, form }, found);
    else {
      const content = found.status.isFile() ? base64(place.empty ?? '') : {};
      this.covers.push({ path, ...content, ...(keeps.length === 0 ? {} : { keeps }), isWritable: true });
      this.hidden.push(this.#nameOf(path));
    }
  }

  /** Whom ssh knows is no secret, and without it ssh connects to nobody: it reads that in the system's folder too. */
  showKnownHosts(): void {
    const { homes, systemSsh = '/etc/ssh' } = this.#options;
    const folder = lookAt(systemSsh);
    const hides = this.covers.some(
      ({ path, keeps }) => path === join(homes[0], '.ssh') && keeps === undefined,
    );
    if (!hides || folder?.status.isDirectory() !== true) return;
    const files = [join(systemSsh, 'ssh_known_hosts'), join(homes[0], '.ssh/known_hosts')];
    const text = files.map((path) => textIfThere(path)).join('');
    if (text === '') return;
    const entries = [{ name: 'ssh_known_hosts', ...base64(text) }];
    this.covers.push({ path: systemSsh, entries, keepsOthers: true, isWritable: true });
  }

  #read(path: string, place: SecretPlace & Required<Pick<SecretPlace, 'form'>>, found: Found): void {
    const name = this.#nameOf(path);
    const reader = new Replacements(this.#options, name, this.credentials, this.#isTrusted(found));
    let text: string;
    try {
      text = place.form(readText(path, found.status), reader.replace);
    } catch {
      // What is not understood stays out as a whole. Its text, which an error may quote, is not repeated.
      this.covers.push({ path, ...base64(place.empty ?? ''), isWritable: true });
      this.hidden.push(name);
      this.without.push(`${name} (${place.of}: its form is not understood)`);
      return;
    }
    // Nothing in it is a secret: it is what it was.
    if (reader.asked === 0) return;
    this.credentials.push(...reader.made);
    this.covers.push({ path, ...base64(text), isWritable: true });
    (reader.made.length > 0 ? this.replaced : this.copies).push(name);
    if (this.#options.replaces && reader.made.length < reader.asked)
      this.without.push(`${name} (${place.of})`);
  }

  /** Only files of the caller's in the home, and none that came with what the command works on. */
  #isTrusted({ real, status }: Found): boolean {
    const { homes, uid, workingFolder } = this.#options;
    return status.uid === uid && isBelow(real, realOf(homes[0])) && !isBelow(real, realOf(workingFolder));
  }

  #nameOf(path: string): string {
    const [home] = this.#options.homes;
    return isBelow(path, home) ? `~/${relative(home, path)}` : path;
  }
}

/** The secrets of one file. */
class Replacements {
  readonly made: HomeCredential[] = [];
  asked = 0;
  readonly replace: ReplaceSecret;

  constructor(
    { replaces }: HomeSecretsOptions,
    name: string,
    before: readonly HomeCredential[],
    isTrusted: boolean,
  ) {
    this.replace = (secret, place) => {
      this.asked += 1;
      const isFull = before.length + this.made.length >= defaultLimits.homeCredentialsMax;
      if (!replaces || !isTrusted || place === undefined || isFull || !isUsable(secret)) return undefined;
      const placeholder = placeholderFor(secret);
      this.made.push({ name: `${name} ${textOf(place)}`, placeholder, secret, place });
      return placeholder;
    };
  }
}

/** What can stand in a field of a request, and is not a variable of the program that reads the file. */
function isUsable(secret: string): boolean {
  const max = defaultLimits.homeSecretCharactersMax;
  return secret !== '' && secret.length <= max && /^[\x20-\x7e]+$/.test(secret) && !secret.includes('${');
}

function textOf({ host, port, path }: HomeCredentialPlace): string {
  return `https://${host}${port === 443 ? '' : `:${port}`}${path}`;
}

interface Found {
  readonly real: string;
  readonly status: Stats;
}

function lookAt(path: string): Found | undefined {
  try {
    return { real: realpathSync(path), status: statSync(path) };
  } catch {
    // Absent, or nothing that this user could come to.
    return undefined;
  }
}

/** @throws Error if it is another file by now, or too long */
function readText(path: string, status: Stats): string {
  // A pipe that took its place would make it wait.
  const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  try {
    const now = fstatSync(fd);
    const max = defaultLimits.homeSecretFileBytesMax;
    if (now.dev !== status.dev || now.ino !== status.ino || now.size > max) throw new Error('another file');
    const bytes = Buffer.alloc(max + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length <= max; length += count)
      count = readSync(fd, bytes, length, bytes.length - length, null);
    if (length > max) throw new Error('too long');
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(0, length));
    bytes.fill(0);
    return text;
  } finally {
    closeSync(fd);
  }
}

function textIfThere(path: string): string {
  const found = lookAt(path);
  try {
    return found === undefined ? '' : `${readText(path, found.status).trimEnd()}\n`;
  } catch {
    // Too long, or no text: ssh asks then.
    return '';
  }
}

function realOf(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function isBelow(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === '' || (!way.startsWith('..') && !isAbsolute(way));
}

function base64(text: string): { readonly content: string } {
  return { content: Buffer.from(text, 'utf8').toString('base64') };
}
