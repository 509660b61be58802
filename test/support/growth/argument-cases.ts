// What a message of MCP is judged by: arguments of a call beside a schema that looks at all of them, and what its client takes.

import { mcpResponder } from '../../../src/gateway/exchange/mcp-denial.ts';
import { unmeasured } from '../../../src/policy/matching-work.ts';
import { valueSchema } from '../../../src/policy/read-value-schema.ts';
import { schemaMisfit } from '../../../src/policy/value-check.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { UnreadableBody } from '../../../src/understand/json-value.ts';
import { readJson } from '../../../src/understand/read-json.ts';
import type { GrowthCases } from './growth-case.ts';

const schema = valueSchema({
  $defs: {
    any: {
      patternProperties: { '^(?:a|a)*$': { $ref: '#/$defs/any' } },
      items: { $ref: '#/$defs/any' },
      maxLength: 1e9,
      pattern: '(?:x|x)*$',
    },
  },
  $ref: '#/$defs/any',
  uniqueItems: true,
});

const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;

const denied = new ProxyError('policy_denied', 'no');
const asked = {
  kind: 'request',
  method: 'ping',
  id: 1,
  target: undefined,
  inputs: [],
  goesOn: false,
} as const;

export const argumentCases: GrowthCases = {
  'arguments of a call': {
    pieces: ['{"a":', '[', '"', 'x', 'a', ',', '1', '}', ']', '"a",', '[1],'],
    read: (text) =>
      [`"${text}"`, `{"${text}":1}`, `[${text}1]`].map((one) => {
        const read = readJson(Buffer.from(one), { depthMax, valuesMax });
        return read instanceof UnreadableBody ? read.reason : schemaMisfit(schema, read.value, unmeasured);
      }),
  },
  'what a client of MCP accepts': {
    pieces: ['a', 'application/jso', ',', ' ', 'text/event-'],
    read: (text) => mcpResponder(denied, asked, ['accept', text]),
  },
};
