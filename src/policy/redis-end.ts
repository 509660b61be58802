// `protocol: redis` of a rule, compiled: which commands go on.

import { defaultRedisCommands, redisContainers } from './redis-commands.ts';

/** Stands in `allow` for the list in redis-commands.ts. */
export const defaultWord = 'default';

export interface RedisEnd {
  readonly protocol: 'redis';
  /** Names in lower case, as `get`, `client|kill`, or `client` for all of them; `default` for the list. What is not in it does not go on. */
  readonly allow: readonly string[];
  /** Of those. */
  readonly deny: readonly string[];
  /** The server has no TLS: Redis has no way to ask. */
  readonly isPlaintext: boolean;
}

export function redisText({ allow, deny, isPlaintext }: RedisEnd): string {
  return [
    `commands ${allow.join(', ')}`,
    ...(deny.length > 0 ? [`but ${deny.join(', ')}`] : []),
    ...(isPlaintext ? ['without TLS'] : []),
  ].join(' ');
}

/** What the names of a rule come to; made once for each connection. */
export class RedisCommands {
  readonly #allow: ReadonlySet<string>;
  readonly #deny: ReadonlySet<string>;
  readonly #containers: ReadonlySet<string>;

  constructor({ allow, deny }: Pick<RedisEnd, 'allow' | 'deny'>) {
    const own = allow.filter((name) => name !== defaultWord);
    this.#allow = allow.includes(defaultWord) ? new Set([...defaultRedisCommands, ...own]) : new Set(own);
    this.#deny = new Set(deny);
    const ofRule = [...own, ...deny].filter((name) => name.includes('|')).map(containerOf);
    this.#containers = new Set([...redisContainers, ...ofRule]);
  }

  /** Whether the word behind the name says which command it is. */
  isContainer(name: string): boolean {
    return this.#containers.has(name);
  }

  /** @param name as `get` or `client|kill`, in lower case */
  allows(name: string): boolean {
    const container = containerOf(name);
    if (this.#deny.has(name) || this.#deny.has(container)) return false;
    return this.#allow.has(name) || this.#allow.has(container);
  }

  covers(inner: RedisCommands): boolean {
    return [...inner.#allow].every(
      (name) =>
        !inner.allows(name) || (this.allows(name) && this.#deniedOf(name).every((one) => !inner.allows(one))),
    );
  }

  #deniedOf(container: string): readonly string[] {
    return [...this.#deny].filter((name) => name !== container && containerOf(name) === container);
  }
}

function containerOf(name: string): string {
  const bar = name.indexOf('|');
  return bar === -1 ? name : name.slice(0, bar);
}

export function redisCovers(outer: RedisEnd, inner: RedisEnd): boolean {
  if (inner.isPlaintext && !outer.isPlaintext) return false;
  return new RedisCommands(outer).covers(new RedisCommands(inner));
}
