// Hosts that tools on this machine are configured to use, for groups with `discover`: asked of the tools themselves.

import { defaultLimits } from '../../protocol/limits.ts';
import type { DiscoverySetting } from '../config/config.ts';
import { readFile, stat } from 'node:fs/promises';
import { parseAuthority } from '../../http/authority.ts';
import { commandOutput } from '../../system/command-output.ts';

/** The hosts of one tool, sorted. Rejects with the reason, which has nothing of what the tool printed. */
export type DiscoverHosts = (tool: string) => Promise<readonly string[]>;

interface Tool {
  readonly commands: readonly (readonly string[])[];
  /** The texts in the output that may be URLs of servers. */
  readonly places: (output: string) => readonly string[];
}

const builtIn: Readonly<Record<string, Tool>> = {
  npm: { commands: [['npm', '--prefix=/', 'config', 'ls', '--json']], places: npmRegistries },
  pip: {
    commands: [
      ['python3', '-m', 'pip', 'config', 'list'],
      // What holds where the configuration says nothing.
      ['python3', '-c', 'from pip._internal.models.index import PyPI; print("index-url=" + PyPI.url)'],
    ],
    places: (output) => valuesOf(output, (line) => indexUrlOf(line)),
  },
  git: {
    // Of no repository: what the user and the machine are configured to use.
    commands: [['git', '--git-dir=/dev/null', 'config', '--list']],
    places: (output) => [
      ...valuesOf(output, (line) => behindLast(line, 'remote.', ['.url=', '.pushurl='])),
      ...valuesOf(output, (line) => beforeLast(line, 'url.', ['.insteadof=', '.pushinsteadof='])),
    ],
  },
};

/** Names of the tools that are known without being configured. */
const discoverableTools: readonly string[] = Object.keys(builtIn);

/** `settings` are the configuration's own, and come before the tools that are known. */
export function hostDiscovery(settings: Readonly<Record<string, DiscoverySetting>> = {}): DiscoverHosts {
  return async (tool) => {
    const setting = Object.hasOwn(settings, tool) ? settings[tool] : undefined;
    const known = Object.hasOwn(builtIn, tool) ? builtIn[tool] : undefined;
    const places = setting === undefined ? await askTool(known, tool) : lines(await readSetting(setting));
    const hosts = [...new Set(places.flatMap(hostOf))].toSorted();
    if (hosts.length === 0) throw new Error('it names no host');
    if (hosts.length > defaultLimits.discoveredHostsMax)
      throw new Error(`it names more than ${defaultLimits.discoveredHostsMax} hosts`);
    return hosts;
  };
}

async function askTool(tool: Tool | undefined, name: string): Promise<readonly string[]> {
  if (tool === undefined)
    throw new Error(
      `the tools are ${discoverableTools.join(', ')}, and "discover" of the configuration can name ${name}`,
    );
  // Python takes modules, npm and git take configuration from the folder in which they start, and a workload may write to
  // that of the gateway.
  const limits = {
    timeoutMs: defaultLimits.discoverTimeoutMs,
    bytesMax: defaultLimits.discoverOutputBytesMax,
    cwd: '/',
  };
  for (const command of tool.commands) {
    const places = tool.places(await commandOutput(command, limits));
    if (places.length > 0) return places;
  }
  return [];
}

async function readSetting(setting: DiscoverySetting): Promise<string> {
  if ('command' in setting)
    return commandOutput(setting.command, {
      timeoutMs: defaultLimits.discoverTimeoutMs,
      bytesMax: defaultLimits.discoverOutputBytesMax,
    });
  const { size } = await stat(setting.file);
  if (size > defaultLimits.discoverOutputBytesMax)
    throw new Error(`its file is larger than ${defaultLimits.discoverOutputBytesMax} bytes`);
  return readFile(setting.file, 'utf8');
}

/** `registry` and `@scope:registry`. */
function npmRegistries(output: string): readonly string[] {
  const values: unknown = JSON.parse(output);
  if (typeof values !== 'object' || values === null) return [];
  return Object.entries(values).flatMap(([key, value]) =>
    /^(?:@[^:]+:)?registry$/.test(key) && typeof value === 'string' ? [value] : [],
  );
}

/** `index-url=…` and `extra-index-url=…`, of all or of one command of pip. */
function indexUrlOf(line: string): string | undefined {
  const equals = line.indexOf('=');
  const name = line.slice(line.lastIndexOf('.', equals) + 1, equals);
  return name === 'index-url' || name === 'extra-index-url' ? line.slice(equals + 1) : undefined;
}

/** What follows the last of the marks in a line that begins so. */
function behindLast(line: string, start: string, marks: readonly string[]): string | undefined {
  const found = lastOf(line, start, marks);
  return found === undefined ? undefined : line.slice(found.at + found.mark.length);
}

/** What stands between the beginning and the last of the marks. */
function beforeLast(line: string, start: string, marks: readonly string[]): string | undefined {
  const found = lastOf(line, start, marks);
  return found === undefined ? undefined : line.slice(start.length, found.at);
}

function lastOf(
  line: string,
  start: string,
  marks: readonly string[],
): { readonly at: number; readonly mark: string } | undefined {
  if (!line.startsWith(start)) return undefined;
  const all = marks.map((mark) => ({ mark, at: line.lastIndexOf(mark) }));
  return all.filter(({ at }) => at >= start.length).toSorted((one, other) => other.at - one.at)[0];
}

function valuesOf(output: string, valueOf: (line: string) => string | undefined): readonly string[] {
  return lines(output).flatMap((line) => {
    const value = valueOf(line);
    // pip quotes values, and writes several in one.
    return value === undefined
      ? []
      : value.replaceAll(/['"]/g, ' ').replaceAll('\\n', ' ').split(/\s+/).filter(Boolean);
  });
}

function lines(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** The host of `https://…`, `ssh://…`, `user@host:path`, or a bare host; none of anything else. */
function hostOf(place: string): readonly string[] {
  const scp = /^[\w.-]+@([\w.-]+):/.exec(place)?.[1];
  const url = URL.canParse(place) && place.includes('://') ? new URL(place).hostname : undefined;
  const dot = place.lastIndexOf('.');
  const bare = /^[\w.-]+$/.test(place) && dot > 0 && dot < place.length - 1 ? place : undefined;
  const host = url ?? scp ?? bare;
  if (host === undefined || host === '') return [];
  try {
    return [parseAuthority(host, { defaultPort: 443 }).host];
  } catch {
    // A local path or something else that is no host: nothing to allow.
    return [];
  }
}
