// `upstreamproxy policy prove`, as a definition.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { jsonObjectOption } from './gateway-place-options.ts';
import { policyConfigOption, policyFilesOption } from './policy-options.ts';

export const prove = {
  kind: 'command',
  name: 'prove',
  summary: 'proves what a policy never allows, or that it allows nothing beyond another one',
  description: [
    'It looks at every host, port, method and path, in each way in which servers read a path, and misses none.',
    'Conditions, claims, posture and everything else that only a request or a session shows can go either way. A request that is allowed only in one of these cases is possible, and the result says what it needs. So is a request that no rule denies, because somebody may grant it.',
    'A question is METHOD https://HOST[:PORT]/PATH. HOST and PATH are written as in a rule, * stands for every method, and without a port every port is asked about.',
  ],
  forms: [
    "policy prove --never 'METHOD URL' --policy FILE [options]",
    'policy prove --only FILE --policy FILE [options]',
  ],
  arguments: [],
  options: {
    policy: policyFilesOption,
    config: policyConfigOption,
    never: {
      kind: 'value',
      placeholder: 'QUESTION',
      help: 'such requests are never allowed',
    },
    only: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'nothing is allowed but what the policy of this file allows',
    },
    ceiling: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'a policy that has to allow too',
    },
    'without-grants': {
      kind: 'flag',
      help: 'for --never: as if nobody granted requests for access',
    },
    claims: {
      kind: 'path',
      placeholder: 'FILE',
      holds: 'file',
      help: 'for sessions with these claims alone, a JSON object; without it for all',
    },
    posture: {
      kind: 'value',
      placeholder: 'FACTS',
      help: 'for sessions with these facts alone, with commas between them',
    },
    json: jsonObjectOption,
  },
  examples: [
    {
      line: "upstreamproxy policy prove --never 'DELETE https://*.example.com/*' --without-grants --policy policy.yaml",
      purpose: 'in a build',
    },
    {
      line: 'upstreamproxy policy prove --only bound.yaml --policy policy.yaml',
      purpose: 'that a policy stays within another one',
    },
  ],
  lists: { what: 'whether it is proven, or a request against it and what that needs', as: 'object' },
  exits: { 1: 'it is not proven' },
} as const satisfies CommandDefinition;
