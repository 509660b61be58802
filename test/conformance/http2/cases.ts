// What a client may and may not send over HTTP/2, by section of RFC 9113 and RFC 7541: frames, and the error that the section names.
// The choice follows the sections that h2spec looks at; the frames are our own.

import { connection } from './case-parts.ts';
import type { Http2Case } from './case-parts.ts';
import { connectionCases } from './connection-cases.ts';
import { messageCases } from './message-cases.ts';

export const http2Cases: readonly Http2Case[] = [
  {
    section: '3.4',
    title: 'a preface that is none',
    steps: () => [],
    expect: connection('PROTOCOL_ERROR'),
    preface: Buffer.from('GET / HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  },
  ...[...connectionCases, ...messageCases].map(([section, title, steps, expect]): Http2Case => ({
    section,
    title,
    steps,
    expect,
  })),
];
