// A machine that systemd boots, for a test of packages: Debian's required packages in a throw-away root, started by systemd-nspawn without a network.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface MachineRun {
  /** A script for bash, run as root once the machine is up. */
  readonly script: string;
  /** Copied into the folder of the script, by name. */
  readonly files: Readonly<Record<string, string>>;
}

/** Longer than anything of a test takes on a machine that is busy. */
const withinSeconds = 300;

const unit = `[Unit]
Description=the test
SuccessAction=poweroff
FailureAction=poweroff
[Service]
Type=oneshot
Environment=HOME=/root DEBIAN_FRONTEND=noninteractive
WorkingDirectory=/test
ExecStart=/bin/bash /test/script.sh
StandardOutput=append:/test/log
StandardError=append:/test/log
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" > /test/status'
TimeoutStartSec=${withinSeconds}
[Install]
WantedBy=multi-user.target
`;

/** In namespaces of its own: the layout of control groups that this machine has may be the old one. */
const boot = `set -e
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2,workdir=$3" "$4"
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 none /sys/fs/cgroup
exec systemd-nspawn --quiet --directory="$4" --register=no --keep-unit --private-network --link-journal=no --console=pipe --boot
`;

/** A root of Debian with `packages`, made once. */
export function makeBase(folder: string, release: string, packages: readonly string[]): void {
  mustRun('mmdebstrap', ['--variant=minbase', `--include=${packages.join(',')}`, release, folder]);
}

/** A copy of a base that costs nothing, with files of a test in it. */
export class Machine {
  readonly #base: string;
  readonly #work: string;

  constructor(base: string, work: string) {
    this.#base = base;
    this.#work = work;
    for (const name of ['upper/test', 'work', 'root']) mkdirSync(join(work, name), { recursive: true });
  }

  /** A path of the machine, as what was written to it is found from outside. */
  path(inside: string): string {
    return join(this.#work, 'upper', inside);
  }

  /** Boots, runs the script, powers off. Gives its log; throws with it if the script failed. */
  boot({ script, files }: MachineRun): string {
    for (const [name, from] of Object.entries(files))
      mustRun('cp', ['--reflink=auto', from, this.path(`test/${name}`)]);
    writeFileSync(this.path('test/script.sh'), script);
    const wants = this.path('etc/systemd/system/multi-user.target.wants');
    mkdirSync(wants, { recursive: true });
    writeFileSync(this.path('etc/systemd/system/packages-test.service'), unit);
    symlinkSync('../packages-test.service', join(wants, 'packages-test.service'));
    const { stdout, stderr } = spawnSync('unshare', this.#arguments(), {
      encoding: 'utf8',
      timeout: (withinSeconds + 120) * 1000,
      killSignal: 'SIGKILL',
      maxBuffer: 64 * 1024 * 1024,
    });
    const log = existsSync(this.path('test/log')) ? readFileSync(this.path('test/log'), 'utf8') : '';
    const status = existsSync(this.path('test/status'))
      ? readFileSync(this.path('test/status'), 'utf8').trim()
      : 'it never ended';
    if (status === '0') return log;
    throw new Error(
      `the script in the machine ended with ${status}:\n${log}\n${stdout.slice(-4000)}${stderr.slice(-4000)}`,
    );
  }

  #arguments(): readonly string[] {
    const of = (name: string): string => join(this.#work, name);
    // With a mount namespace that ends with what is started, so nothing stays mounted.
    return ['--mount', 'sh', '-c', boot, 'sh', this.#base, of('upper'), of('work'), of('root')];
  }
}

/** Gives what it printed; throws with it if it fails. */
export function mustRun(file: string, args: readonly string[], cwd?: string): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status === 0) return stdout;
  const said = `${stdout.slice(-4000)}${stderr.slice(-4000)}`;
  throw new Error(`${file} ${args.join(' ')} ended with ${status ?? error?.message}\n${said}`);
}
