// What a request says that somebody is asked about: its path, a field, its body, and who its client says it is.

import { holdMsFor } from '../../../src/gateway/exchange/hold-time.ts';
import { questionOf } from '../../../src/gateway/exchange/question-of.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import type { GrowthCases } from './growth-case.ts';

const destination = { scheme: 'https', host: 'api.example.com', port: 443 } as const;

export const askCases: GrowthCases = {
  'what a person is asked about': {
    pieces: ['a', 'é', '\0', 'AWS4-', 'Signature=', 'pip/', '%', 'token'],
    read: (text) => {
      const headers = new HeaderList([
        ['user-agent', text],
        ['authorization', text],
        ['x-field', text],
      ]);
      const head = { destination, method: 'POST', path: `/${text}`, query: `?${text}`, headers };
      const asked = questionOf({
        head: { ...head, httpVersion: '1.1' },
        access: { depth: 'request', ...head },
        isUpgrade: false,
        body: Buffer.from(text),
        asks: { rule: 'ask', body: 'seen', choices: ['once'] },
        principal: { id: 'a', sessionId: 'b', claims: {}, posture: [] },
        policyName: undefined,
        policyVersion: 'v1',
        traceId: 'trace',
      });
      return [asked.onceKey, holdMsFor(headers, defaultLimits)];
    },
  },
};
