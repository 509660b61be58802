// `upstreamproxy cache`, as a definition.

import type { CommandDefinition, GroupDefinition } from '../definition/command-definition.ts';
import { gatewayPlaceOptions, jsonObjectOption } from './gateway-place-options.ts';

const { config } = gatewayPlaceOptions;
const options = { config: { ...config, required: true }, json: jsonObjectOption } as const;

const stats = {
  kind: 'command',
  name: 'stats',
  summary: 'what is in the cache of archives',
  description: [
    'Of the disk, and of the bucket where there is one (`cache.bucket`), which is asked with the keys of the gateway. Status 1: the bucket cannot be asked.',
  ],
  arguments: [],
  options,
  lists: {
    what: 'how many archives there are of each registry, and what they take of the disk',
    as: 'object',
  },
  examples: [
    { line: 'upstreamproxy cache stats --config gateway.yaml', purpose: 'beside a gateway that runs' },
  ],
} as const satisfies CommandDefinition;

const verify = {
  kind: 'command',
  name: 'verify',
  summary: 'reads the whole cache, and removes what is damaged',
  description: [
    'Gateways may use it meanwhile. They check each archive anyway while they deliver it. Status 1: something was damaged.',
    'It reads the disk alone: an archive of the bucket is checked whole each time before it is used.',
  ],
  arguments: [],
  options,
  lists: { what: 'how many archives are whole, and which were damaged', as: 'object' },
  examples: [
    { line: 'upstreamproxy cache verify --config gateway.yaml', purpose: 'after a fault of the disk' },
  ],
} as const satisfies CommandDefinition;

const prune = {
  kind: 'command',
  name: 'prune',
  summary: 'removes what was not used for some time, or all',
  description: [
    'Gateways may use it meanwhile. They fetch again what is asked for.',
    'It is about the disk alone. The bucket of the cache has a bound of its own, and you can remove anything there with the tools of its service.',
  ],
  arguments: [],
  options: {
    ...options,
    'unused-for': {
      kind: 'duration',
      placeholder: 'TIME',
      msMax: 3650 * 86_400_000,
      help: 'archives that nobody asked for within this time',
    },
    all: { kind: 'flag', help: 'everything' },
  },
  lists: { what: 'how many files were removed', as: 'object' },
  examples: [
    {
      line: 'upstreamproxy cache prune --config gateway.yaml --unused-for 30d',
      purpose: 'of a machine whose disk others need',
    },
  ],
} as const satisfies CommandDefinition;

export const cacheDefinition = {
  kind: 'group',
  name: 'cache',
  summary: 'the archives of packages that a gateway keeps',
  question: 'what about the cache?',
  actions: [stats, verify, prune],
} as const satisfies GroupDefinition;
