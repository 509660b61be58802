// What RubyGems tells of the versions of a gem beside its index: `/api/v1/versions/NAME.json`, which has the time of each file.

import { digestOfHex } from './promised-digest.ts';
import { timeOf } from './publish-time.ts';

/** By `VERSION` or `VERSION-PLATFORM`, as the index and the names of files have them. */
export interface GemFiles {
  readonly times: ReadonlyMap<string, number>;
  readonly digests: ReadonlyMap<string, string>;
}

/** Undefined: it is no such list, or has more than `versionsMax`. */
export function readGemVersions(octets: Uint8Array, versionsMax: number): GemFiles | undefined {
  const list = parsed(octets);
  if (!Array.isArray(list) || list.length > versionsMax) return undefined;
  const times = new Map<string, number>();
  const digests = new Map<string, string>();
  for (const one of list as readonly unknown[]) {
    if (typeof one !== 'object' || one === null) continue;
    const { number, platform = 'ruby', created_at: created, sha } = one as Readonly<Record<string, unknown>>;
    if (typeof number !== 'string' || typeof platform !== 'string') continue;
    const key = platform === 'ruby' ? number : `${number}-${platform}`;
    const ms = typeof created === 'string' ? timeOf(created) : undefined;
    // Of two that are told of one file, the later one counts.
    if (ms !== undefined) times.set(key, Math.max(ms, times.get(key) ?? ms));
    const digest = typeof sha === 'string' ? digestOfHex('sha256', sha) : undefined;
    if (digest !== undefined) digests.set(key, digest);
  }
  return { times, digests };
}

function parsed(octets: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(octets));
  } catch {
    return undefined;
  }
}
