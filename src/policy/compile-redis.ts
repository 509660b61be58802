// `redis` of a rule as it is written, to how its connections are ended.

import type { RuleDocument } from './policy-schema.ts';
import { defaultWord, type RedisEnd } from './redis-end.ts';
import { asList } from './schema-parts.ts';

export function compileRedis({ redis }: RuleDocument): RedisEnd {
  const { commands = {}, dangerouslyAllowPlaintext } = redis ?? {};
  const names = (list: readonly string[]): readonly string[] => [
    ...new Set(list.map((name) => name.toLowerCase())),
  ];
  return {
    protocol: 'redis',
    allow: commands.allow === undefined ? [defaultWord] : names(asList(commands.allow)),
    deny: names(asList(commands.deny)),
    isPlaintext: dangerouslyAllowPlaintext === true,
  };
}
