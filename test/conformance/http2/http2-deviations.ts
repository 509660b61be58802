// Where the gateway reacts otherwise than a section says, and why it may. All of it is node:http2's, below what an application sees.

import type { Deviations } from '../suite.ts';

export const http2Deviations: readonly Deviations[] = [
  {
    reason: 'frames of a stream that is closed are ignored: they change nothing (nghttp2)',
    cases: [
      '5.1 closed by a reset: data',
      '5.1 closed by a reset: a head',
      '5.1 closed: data',
      '5.1 closed: a head',
      '5.1.1 a stream below the last one',
    ],
  },
  {
    reason: 'priorities are not looked at, which RFC 9113 §5.3.2 allows (nghttp2)',
    cases: ['6.3 a priority on stream 0'],
  },
  {
    reason: 'the field is left out before anything is decided, and its request goes on without it (nghttp2)',
    cases: ['8.2.1 a line end in a value', '8.2.1 a blank in a name'],
  },
  {
    reason: 'an acknowledgement that nobody waits for ends the connection (node:http2)',
    cases: ['6.7 a ping that is an acknowledgement'],
  },
];
