// The definition of `policy uses`.

import type { CommandDefinition } from '../definition/command-definition.ts';
import { jsonLinesOption } from './gateway-place-options.ts';
import { operatorPlaceOptions } from './operator-place-options.ts';

export const usesDefinition = {
  kind: 'command',
  name: 'uses',
  summary: 'lists how often rules, grants and credentials were used, over all gateways on the store',
  arguments: [],
  options: {
    ...operatorPlaceOptions,
    kind: {
      kind: 'choice',
      placeholder: 'KIND',
      otherwise: 'rule',
      choices: {
        rule: 'rules and grants, by what they decided',
        observed: 'rules that would have denied, in observe mode',
        credential: 'credentials',
      },
      help: 'of what',
    },
    json: jsonLinesOption,
  },
  examples: [
    { line: 'upstreamproxy policy uses --config gateway.yaml', purpose: 'which rules are still needed' },
    {
      line: 'upstreamproxy policy uses --kind credential --context production',
      purpose: 'which credentials fail',
    },
  ],
  lists: { what: 'what was used, the latest first', as: 'lines' },
} as const satisfies CommandDefinition;
