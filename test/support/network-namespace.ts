// A network namespace as a locked-down container has it: no route out, one link to one address outside.

import { readdirSync } from 'node:fs';

import { mustRun, runCommand } from './command.ts';
import { findTool } from './tools.ts';

export interface NetworkNamespace extends AsyncDisposable {
  readonly name: string;
  /** The only address outside that can be reached from inside. */
  readonly outsideAddress: string;
  /** Its own on that link. */
  readonly insideAddress: string;
  /** Puts a command line into the namespace. */
  enter(command: readonly string[]): readonly [string, ...string[]];
}

/** Why no namespace can be made here, or undefined if one can. */
export function namespaceObstacle(): string | undefined {
  if (process.getuid?.() !== 0) return 'making a network namespace with a link needs root';
  if (findTool('ip') === undefined) return '`ip` (iproute2) is not installed';
  return undefined;
}

/** Third and fourth octet of an unused /30 below 10.231.0.0/16, by the process id. */
function linkAddresses(): { readonly outside: string; readonly inside: string } {
  const block = (process.pid * 4) % 65_536;
  const prefix = `10.231.${block >> 8}`;
  return { outside: `${prefix}.${(block & 255) + 1}`, inside: `${prefix}.${(block & 255) + 2}` };
}

/**
 * Makes the namespace: `lo`, and one link of a /30 whose far end is the only address that can be reached. There
 * is no default route and no name server. Disposing ends what still runs in it and removes it.
 */
export async function networkNamespace(): Promise<NetworkNamespace> {
  const name = `upstreamproxy-${process.pid}`;
  const [outsideLink, insideLink] = [`up${process.pid}o`, `up${process.pid}i`];
  const { outside, inside } = linkAddresses();
  const ip = findTool('ip') ?? 'ip';
  await using stack = new AsyncDisposableStack();
  const run = (...args: string[]): Promise<string> => mustRun(ip, args);
  await run('netns', 'add', name);
  stack.defer(() => removeNamespace(ip, name));
  await run('link', 'add', outsideLink, 'type', 'veth', 'peer', 'name', insideLink, 'netns', name);
  // Removing the namespace removes the inner end later, in the background; this removes both now.
  stack.defer(async () => void (await runCommand(ip, ['link', 'del', outsideLink])));
  await run('addr', 'add', `${outside}/30`, 'dev', outsideLink);
  await run('link', 'set', outsideLink, 'up');
  await run('-n', name, 'addr', 'add', `${inside}/30`, 'dev', insideLink);
  await run('-n', name, 'link', 'set', insideLink, 'up');
  await run('-n', name, 'link', 'set', 'lo', 'up');
  const routes = await run('-n', name, 'route', 'show', 'default');
  if (routes.trim() !== '') throw new Error(`the namespace has a default route: ${routes}`);
  const owned = stack.move();
  return {
    name,
    outsideAddress: outside,
    insideAddress: inside,
    enter: (command) => [ip, 'netns', 'exec', name, ...command],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function removeNamespace(ip: string, name: string): Promise<void> {
  const { stdout } = await runCommand(ip, ['netns', 'pids', name]);
  for (const line of stdout.split('\n')) {
    const pid = Number(line);
    if (pid > 1 && pid !== process.pid) endProcess(pid);
  }
  await runCommand(ip, ['netns', 'del', name]);
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** Whether the link or the namespace of this process is still there; for the check after the end. */
export async function namespaceLeftovers(): Promise<readonly string[]> {
  const { stdout } = await runCommand(findTool('ip') ?? 'ip', ['netns', 'list']);
  const names = stdout.split('\n').filter((line) => line.startsWith(`upstreamproxy-${process.pid}`));
  const links = readdirSync('/sys/class/net').filter((link) => link.startsWith(`up${process.pid}`));
  return [...names, ...links];
}
