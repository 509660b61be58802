// The last stage of an image's recipe, done with what this machine has in place of a base image and of packages: the commands of its RUN
// as they stand, its user, and what it starts. Root's, in a mount namespace; no network, and nothing outside of it changes.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';

const repository = new URL('../../', import.meta.url);

interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface ImageStage {
  /** Starts what the image starts, with these words behind its ENTRYPOINT or in place of its CMD. */
  start(words?: readonly string[]): ChildProcess;
}

/** Why it cannot be done here, or false. */
export function stageObstacle(): string | false {
  if (process.geteuid?.() !== 0) return 'a root file system needs root';
  const { status } = spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']);
  return status !== 0 && 'nothing can be mounted here';
}

/**
 * The stage as a program that is ready to start. `program` is what its build stage installs; `mounts` are `FROM:TO`. `place` is an empty
 * folder of the caller's.
 */
export function imageStage(
  recipe: 'agent' | 'gateway',
  { program, place, mounts }: { program: string; place: string; mounts: readonly string[] },
): ImageStage {
  const all = lastStage(recipe);
  const of = (name: string): readonly string[] =>
    all.filter((one) => one.name === name).map(({ text }) => text);
  const [, target = ''] = /^--from=build \S+ (\S+)$/.exec(of('COPY').join('\n')) ?? [];
  const inside = (command: string): string => `chroot ${place} sh -ec ${quoted(command)}`;
  const done = all.flatMap(({ name, text }) => {
    if (name === 'RUN') return [inside(withoutPackages(text))];
    return name === 'COPY' ? [`install -D -m 0711 ${program} ${place}${target}`] : [];
  });
  const bound = mounts.map((mount) => {
    const [from = '', to = ''] = mount.split(':');
    return `mkdir -p ${place}${to} && mount --bind ${from} ${place}${to}`;
  });
  const user = of('USER').at(-1) ?? 'root';
  const script = [...base(place), ...done, ...bound, `exec chroot --userspec=${user} ${place} "$@"`];
  const wordsOf = (name: string): readonly string[] => JSON.parse(of(name).at(-1) ?? '[]') as string[];
  return {
    start: (words = wordsOf('CMD')) => {
      const started = [...wordsOf('ENTRYPOINT'), ...words];
      const args = ['-m', '--propagation', 'private', 'sh', '-ec', script.join('\n'), 'sh', ...started];
      return spawn('unshare', args, { env: { PATH: '/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' } });
    },
  };
}

function lastStage(recipe: string): readonly Instruction[] {
  const text = readFileSync(new URL(`deploy/${recipe}.Dockerfile`, repository), 'utf8');
  const last =
    text
      .replace(/^#.*\n/gm, '')
      .replaceAll('\\\n', ' ')
      .split(/^FROM /m)
      .at(-1) ?? '';
  return last
    .split('\n')
    .slice(1)
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+) +(.*)$/.exec(line) ?? [];
      return { name, text: rest };
    });
}

/** Packages come from a network; which are needed is what test/deploy/libraries.test.ts says. */
function withoutPackages(command: string): string {
  const parts = command.split(' && ').filter((part) => !/^apt-get |\/var\/lib\/apt\//.test(part.trim()));
  return parts.length === 0 ? 'true' : parts.join(' && ');
}

/** What Debian has at its places, of this machine: programs and libraries to be read alone, accounts to be changed, nothing of /usr/local. */
function base(place: string): readonly string[] {
  const files =
    'passwd group shadow gshadow login.defs nsswitch.conf ld.so.cache default skel pam.d alternatives';
  return [
    `mount -t tmpfs -o mode=0755 tmpfs ${place}`,
    `cd ${place} && mkdir -p usr etc/ssl proc dev tmp run home var/lib && chmod 1777 tmp`,
    'for one in bin sbin lib lib32 lib64; do if [ -L /$one ]; then cp -a /$one .; elif [ -d /$one ]; then mkdir $one; mount --bind -o ro /$one $one; fi; done',
    'mount --bind /usr usr && mount -o remount,bind,ro usr && mount -t tmpfs -o mode=0755 tmpfs usr/local',
    `for one in ${files}; do [ -e /etc/$one ] && cp -a /etc/$one etc/ || true; done`,
    'mount --bind /etc/ssl etc/ssl && mount --rbind /dev dev && mount -t proc proc proc',
  ];
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** All that it wrote, once it has ended. */
export async function wholeOutput(
  child: ChildProcess,
): Promise<{ readonly code: number | null; readonly text: string }> {
  const pieces: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece: Buffer) => pieces.push(piece));
  const { promise, resolve } = Promise.withResolvers<number | null>();
  child.once('close', resolve);
  const code = await promise;
  return { code, text: Buffer.concat(pieces).toString() };
}
