// Where the attacks of the hardening suite happen: an installation, users, agents, unprotected victims, one attack program.

import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  constants,
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
} from 'node:fs';
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { canary } from '../../support/canary.ts';
import { mustRun } from '../../support/command.ts';
import { patienceMs } from '../../support/patience.ts';

/** The program under Node and Bun, from source or as it is packed, and as a single file, whose runtime is Node. */
export type Runtime = 'node' | 'bun' | 'single';
/** `agent` and `work` are users without a right; `container` is root with what container runtimes leave to it. */
export type User = 'agent' | 'work' | 'root' | 'container';

/** Not in /etc/passwd: a number is all that the kernel needs. */
export const userIds = { agent: 47_011, work: 47_012, root: 0, container: 0 } as const;

/** The usual capabilities of a container, and no other to be had. */
export const containerCapabilities =
  '+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,+net_bind_service,+net_raw,' +
  '+sys_chroot,+mknod,+audit_write,+setfcap';
const asContainer = ['setpriv', `--bounding-set=-all,${containerCapabilities}`, '--inh-caps=-all', '--'];

/** Root-owned and unreadable (0711), or readable for all (0755). */
export type Installation = 'exec-only' | 'readable';

const repository = fileURLToPath(new URL('../../..', import.meta.url));
// As in test/support/program.ts: built once by `npm test`, else the source.
const runFolder = process.env['TEST_RUN_FOLDER'];
const program = runFolder === undefined ? 'src' : 'dist';

/** A process of the suite. `said` is all of its output so far. */
export interface LabProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly said: () => string;
  /** The exit code, or the negated number of nothing: null if a signal ended it. */
  readonly ended: Promise<number | null>;
}

export interface StartOptions {
  readonly user?: User;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** It can be written to, and ends with its input. */
  readonly hasInput?: boolean;
}

export class Lab implements AsyncDisposable {
  /** Whether users can be changed and everything can be looked at. */
  readonly isRoot = process.getuid?.() === 0;
  /** Who the agent and its attacker are, where a case says nothing else. */
  principal: User = 'agent';
  readonly #folder: string;
  readonly #running = new Set<LabProcess>();
  #folders = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Installs the program twice and compiles the attacks; the single file only where it is wanted. Throws if there is no C compiler. */
  static async open(options: { readonly hasSingleFile?: boolean } = {}): Promise<Lab> {
    const lab = new Lab(mkdtempSync(join(tmpdir(), 'upstreamproxy-hardening-')));
    try {
      await lab.#install();
      if (options.hasSingleFile === true) await lab.#installSingleFile();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #install(): Promise<void> {
    chmodSync(this.#folder, 0o755);
    const sources = ['attack.c', 'reach.c', 'inside.c', 'hidden.c'].map((name) =>
      fileURLToPath(new URL(name, import.meta.url)),
    );
    await mustRun('cc', ['-O1', '-o', this.attackFile, ...sources]);
    chmodSync(this.attackFile, 0o755);
    mkdirSync(join(this.#folder, 'shared'));
    for (const name of ['src', 'bin', 'package.json', 'test/hardening/support'])
      cpSync(join(repository, name), join(this.#folder, 'shared', name), { recursive: true });
    if (runFolder !== undefined)
      cpSync(join(runFolder, 'package/dist'), join(this.#folder, 'shared/dist'), { recursive: true });
    for (const [installation, mode] of [
      ['exec-only', 0o711],
      ['readable', 0o755],
    ] as const) {
      const root = join(this.#folder, installation);
      mkdirSync(root);
      for (const name of [program, 'package.json']) symlinkSync(join('../shared', name), join(root, name));
      cpSync(join(repository, 'bin'), join(root, 'bin'), { recursive: true });
      for (const runtime of ['node', 'bun'] as const) {
        const to = this.runtimeFile(runtime, installation);
        mkdirSync(dirname(to), { recursive: true });
        copyFileSync(join(repository, 'node_modules/.bin', runtime), to, constants.COPYFILE_FICLONE);
        chmodSync(to, mode);
      }
    }
    await mustRun('chmod', ['-R', 'a+rX', join(this.#folder, 'shared')]);
  }

  async #installSingleFile(): Promise<void> {
    const built = join(this.#folder, 'built');
    const node = join(repository, 'node_modules/.bin/node');
    await mustRun(node, [join(repository, 'scripts/build-agent.ts'), '--out', built]);
    for (const [installation, mode] of [
      ['exec-only', 0o711],
      ['readable', 0o755],
    ] as const) {
      copyFileSync(built, this.singleFile(installation), constants.COPYFILE_FICLONE);
      chmodSync(this.singleFile(installation), mode);
    }
    rmSync(built);
  }

  singleFile(installation: Installation): string {
    return join(this.#folder, installation, 'upstreamproxy-agent');
  }

  get attackFile(): string {
    return join(this.#folder, 'attack');
  }

  /** A file of this folder, as users without a right can read it. */
  supportFile(name: string): string {
    return join(this.#folder, 'shared/test/hardening/support', name);
  }

  runtimeFile(runtime: Runtime, installation: Installation): string {
    // Where the launcher looks for each.
    const file = runtime === 'bun' ? '.bin/bun' : `node-linux-${process.arch}/bin/node`;
    return join(this.#folder, installation, 'node_modules', file);
  }

  launcher(installation: Installation): string {
    return join(this.#folder, installation, 'bin/upstreamproxy');
  }

  get mainFile(): string {
    return join(this.#folder, 'shared', program, 'cli', runFolder === undefined ? 'main.ts' : 'main.js');
  }

  /** An empty folder of mode 0700 that belongs to the agent's user. */
  newFolder(): string {
    this.#folders += 1;
    const path = join(this.#folder, `home-${this.#folders}`);
    mkdirSync(path, { mode: 0o700 });
    this.give(path);
    return path;
  }

  /** Makes a file or folder the agent's. */
  give(path: string, user: User = this.principal): void {
    if (this.isRoot) chownSync(path, userIds[user], userIds[user]);
  }

  /** Writes a file that belongs to the agent's user. */
  writeFile(path: string, text: string, mode = 0o600): string {
    writeFileSync(path, text, { mode });
    chmodSync(path, mode);
    this.give(path);
    return path;
  }

  /** A fresh token in a fresh folder. */
  newToken(): { readonly home: string; readonly token: string; readonly tokenFile: string } {
    const home = this.newFolder();
    const token = canary('token');
    return { home, token, tokenFile: this.writeFile(join(home, 'token'), token) };
  }

  /** Starts a program as a user; the lab ends it if nobody did before. */
  start(
    command: readonly string[],
    { user = this.principal, cwd = '/', env = {}, hasInput = false }: StartOptions = {},
  ): LabProcess {
    const [file = '', ...args] = user === 'container' ? [...asContainer, ...command] : command;
    const identity = this.isRoot ? { uid: userIds[user], gid: userIds[user] } : {};
    const child = spawn(file, args, {
      ...identity,
      cwd,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', HOME: cwd, ...env },
      stdio: [hasInput ? 'pipe' : 'ignore', 'pipe', 'pipe'],
    });
    const said: Buffer[] = [];
    child.stdout?.on('data', (chunk: Buffer) => said.push(chunk));
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
    child.on('error', (error) => said.push(Buffer.from(String(error))));
    const ended = once(child, 'close').then(
      () => child.exitCode,
      () => null,
    );
    const started: LabProcess = {
      child,
      pid: child.pid ?? 0,
      said: () => Buffer.concat(said).toString(),
      ended,
      [Symbol.asyncDispose]: async () => {
        this.#running.delete(started);
        if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
        await ended;
      },
    };
    this.#running.add(started);
    return started;
  }

  /** Runs a program to its end, which is forced if it does not come. */
  async finish(
    command: readonly string[],
    options?: StartOptions,
  ): Promise<{ readonly code: number | null; readonly said: string }> {
    await using started = this.start(command, options);
    const timer = setTimeout(() => started.child.kill('SIGKILL'), patienceMs);
    const code = await started.ended;
    clearTimeout(timer);
    return { code, said: started.said().trim() };
  }

  /** Ends what still runs, by its id, and removes all files. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.#running) await started[Symbol.asyncDispose]();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Whether a process is there and not merely waited for. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}
