// Readers of what deciders say, and of the bodies that they are told.

import { checkVerdict } from '../../../src/gateway/deciders/check-message.ts';
import { cacheMsOf } from '../../../src/gateway/deciders/http-decider.ts';
import { textOf } from '../../../src/gateway/deciders/question-json.ts';
import { questionKey } from '../../../src/gateway/deciders/verdict-cache.ts';
import { opaVerdict, webhookVerdict } from '../../../src/gateway/deciders/verdict-json.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { latin1, tried, type GrowthCases } from './growth-case.ts';

export const deciderCases: GrowthCases = {
  'what a decider says': {
    pieces: ['\u001a\u0004\u0012\u0002\n\0', '\n\0', '{"a":', '[', 'max-age=1,', ',', ' '],
    read: (text) => {
      const octets = latin1(text);
      for (const read of [checkVerdict, opaVerdict, webhookVerdict]) tried(() => read(octets));
      tried(() => webhookVerdict(latin1(`{"allow":true,"fields":{"set":{"a":"${text}"}}}`)));
      cacheMsOf(text);
    },
  },
  'a body that a decider is told': {
    pieces: ['a', '\u00ff', '"', '\\'],
    read: (text) => {
      const octets = latin1(text);
      textOf(octets);
      questionKey('opa', {
        rule: 'r',
        policyVersion: 'v',
        principal: { id: 'p', sessionId: 's', claims: {}, posture: [] },
        request: {
          method: 'GET',
          destination: { scheme: 'https', host: 'a.test', port: 443 },
          path: '/',
          query: '',
          headers: new HeaderList([['a', text]]),
        },
        body: { kind: 'whole', octets },
      });
    },
  },
};
