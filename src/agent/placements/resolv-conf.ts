// resolv.conf(5): what a text says, and the text that leads a container's names to the agent and keeps what stood there.

import { isIP } from 'node:net';

export const resolvConfPath = '/etc/resolv.conf';

export interface NameServers {
  /** Addresses, in their order. */
  readonly servers: readonly string[];
  /** Domains that are tried behind a name. */
  readonly search: readonly string[];
  /** A name with as many dots is tried by itself first. */
  readonly dots: number;
}

/** As libc has it: more would be more queries for each name that is not there. */
const searchMax = 6;
const dotsMax = 15;

const firstLine = '# upstreamproxy: names are answered by the agent; session ';
const keptLine = '# This stood here before, and is put back when the session ends:';
const comment = '# ';

/** Text with `address` as the one name server; what stood there follows as comments, so that it is never the shorter. Pure. */
export function agentResolvConf(original: string, address: string, mark: string): string {
  const kept = original.split('\n').map((line) => comment + line);
  const own = [`${firstLine}${mark}`, `nameserver ${address}`, 'options timeout:5 attempts:2', keptLine];
  return `${[...own, ...kept].join('\n')}\n`;
}

/** Whether a session has written it, which runs or was killed. Pure. */
export function isAgentResolvConf(text: string): boolean {
  return text.startsWith(firstLine);
}

/** What stood there before a session, or the text itself if it is none of ours. Pure. */
export function originalResolvConf(text: string): string {
  const lines = text.split('\n');
  const at = lines.indexOf(keptLine);
  if (!isAgentResolvConf(text) || at < 0) return text;
  const kept = lines.slice(at + 1, -1).map((line) => line.slice(comment.length));
  return originalResolvConf(kept.join('\n'));
}

/** What a text says to look names up by; without a name server it is 127.0.0.1. Pure. */
export function parseResolvConf(text: string): NameServers {
  const servers: string[] = [];
  let search: readonly string[] = [];
  let dots = 1;
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    const [first = ''] = values;
    if (keyword === 'nameserver' && isIP(first) !== 0) servers.push(first);
    // The last one counts.
    else if (keyword === 'search' || keyword === 'domain') search = values.slice(0, searchMax);
    else if (keyword === 'options') dots = dotsOf(values) ?? dots;
  }
  return { servers: servers.length === 0 ? ['127.0.0.1'] : servers, search, dots };
}

function dotsOf(values: readonly string[]): number | undefined {
  const count = values
    .map((value) => /^ndots:(\d+)$/.exec(value)?.[1])
    .findLast((text) => text !== undefined);
  return count === undefined ? undefined : Math.min(Number(count), dotsMax);
}

/** The absolute names that a name may stand for, in the order in which they are asked for. Pure. */
export function searchedNames(name: string, { search, dots }: NameServers): readonly string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const longer = search.map((domain) => `${name}.${domain.replace(/^\.|\.$/g, '')}`);
  return name.split('.').length > dots ? [name, ...longer] : [...longer, name];
}
