// The newest release as npm finds it: by its own configuration of registry, proxy and log-in, which is not read a second time here.

import { spawn } from 'node:child_process';
import { ProxyError } from '../../protocol/error.ts';
import { faultReason } from '../../protocol/fault-reason.ts';
import { defaultLimits } from '../../protocol/limits.ts';
import { printable } from '../../protocol/printable.ts';

// -g: the configuration of the user and of the machine. A project's own, in the folder that this happens to run in, has no say.
const args = [
  'view',
  '-g',
  '--json',
  '--no-update-notifier',
  'upstreamproxy@latest',
  'name',
  'version',
  'upstreamproxy',
];

/** The text of a release's manifest. `signal`: whoever asked has gone. @throws ProxyError release_unreachable */
export async function releasedOnNpm(
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
  timeoutMs: number = defaultLimits.releaseCheckTimeoutMs,
): Promise<string> {
  const { code, output, fault } = await runNpm(environment, signal, timeoutMs);
  if (fault !== undefined) throw unreachable(fault);
  if (code !== 0) throw unreachable(reasonOf(output));
  return withCompatibility(output);
}

function unreachable(why: string): ProxyError {
  return new ProxyError(
    'release_unreachable',
    `npm finds no release: ${why}. Name a folder of releases: --url`,
  );
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly fault?: string;
}

async function runNpm(
  environment: Readonly<Record<string, string>>,
  signal: AbortSignal,
  timeoutMs: number,
): Promise<Ended> {
  const { promise, resolve } = Promise.withResolvers<Ended>();
  // A group of its own: npm may have started others when the time is over. So no Ctrl-C reaches it, but by the signal.
  const child = spawn('npm', args, {
    env: environment,
    cwd: '/',
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const pieces: Buffer[] = [];
  let bytes = 0;
  const end = (fault: string): void => {
    resolve({ code: null, output: '', fault });
    if (child.pid !== undefined)
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    child.stdout.destroy();
  };
  const timer = setTimeout(() => end('no response in time'), timeoutMs);
  const onAbort = (): void => end('it was interrupted');
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  child.stdout.on('data', (piece: Buffer) => {
    bytes += piece.length;
    if (bytes > defaultLimits.releaseBytesMax)
      end(`it says more than ${defaultLimits.releaseBytesMax} bytes (releaseBytesMax)`);
    else pieces.push(piece);
  });
  child.on('error', (error) => resolve({ code: null, output: '', fault: faultReason(error) }));
  child.on('close', (code) => resolve({ code, output: Buffer.concat(pieces).toString('utf8') }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/** With --json npm says a fault on standard output too. */
function reasonOf(output: string): string {
  const { error } = objectOf(output);
  const { code, summary } =
    typeof error === 'object' && error !== null ? (error as Readonly<Record<string, unknown>>) : {};
  const said = [code, summary].filter((text) => typeof text === 'string');
  return said.length === 0 ? 'it ends with a fault' : printable(withoutUserinfo(said.join(': ')));
}

/** The address of a registry may have a password in it, which not every npm takes out. */
function withoutUserinfo(text: string): string {
  const [before = '', ...addresses] = text.split('//');
  const shown = addresses.map((rest) => {
    const authority = rest.slice(0, rest.search(/[\s/]|$/));
    return rest.slice(authority.lastIndexOf('@') + 1);
  });
  return [before, ...shown].join('//');
}

/** What package.json has under our own name is what release.json has as `compatibility`. */
function withCompatibility(output: string): string {
  const { name, version, upstreamproxy: compatibility } = objectOf(output);
  return JSON.stringify({ name, version, compatibility });
}

function objectOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // No JSON: nothing is known.
  }
  return {};
}
