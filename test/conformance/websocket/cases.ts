// What each side of a WebSocket may and may not send, by section of RFC 6455: frames, and whether they pass or which close ends it. The choice
// follows Autobahn's cases, as far as they are of frames; what a message says is not the gateway's to judge (its UTF-8, §8.1).

import { closePayload } from '../../net/websocket-frames.ts';
import type { RawFrame } from '../../net/websocket-frames.ts';

export interface WebSocketCase {
  readonly section: string;
  readonly title: string;
  readonly frames: readonly RawFrame[];
  /** They arrive as they were sent; or both sides get a close with this code, behind what came before. */
  readonly expect: 'passes' | 1002 | 1007;
  /** How many of the frames are right and arrive, where one behind them is not. */
  readonly rightFrames?: number;
  /** The mask is the wrong way round: none of a client, one of a server. */
  readonly isMaskWrong?: boolean;
}

const text = 1;
const binary = 2;
const close = 8;
const ping = 9;
const pong = 10;
const octets = (length: number): Buffer => Buffer.alloc(length, 'a');
const hi = Buffer.from('hi');

const lengths = [0, 1, 125, 126, 127, 128, 65_535, 65_536].flatMap((length): readonly WebSocketCase[] =>
  (
    [
      ['text', text],
      ['binary', binary],
    ] as const
  ).map(([name, opcode]) => ({
    section: '5.2',
    title: `${name} of ${length} octets`,
    frames: [{ opcode, payload: octets(length) }],
    expect: 'passes',
  })),
);

const reservedBits = [1, 2, 3, 4, 5, 6, 7].flatMap((rsv): readonly WebSocketCase[] =>
  (
    [
      ['text', text],
      ['a ping', ping],
      ['a close', close],
    ] as const
  ).map(([name, opcode]) => ({
    section: '5.2',
    title: `${name} with the reserved bits ${rsv}`,
    frames: [{ opcode, rsv }],
    expect: 1002,
  })),
);

const reservedOpcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode): WebSocketCase => ({
  section: '5.2',
  title: `the opcode ${opcode}`,
  frames: [{ opcode }],
  expect: 1002,
}));

type Row = readonly [
  section: string,
  title: string,
  frames: readonly RawFrame[],
  expect: WebSocketCase['expect'],
  rightFrames?: number,
];

const rows: readonly Row[] = [
  [
    '5.2',
    'a length of 64 bits with its highest bit',
    [{ opcode: binary, lengthBytes: 8, claimedLength: 1n << 63n }],
    1002,
  ],
  ['5.2', 'a length in more octets than it needs', [{ opcode: binary, payload: hi, lengthBytes: 8 }], 1002],
  [
    '5.4',
    'a message in three frames',
    [
      { opcode: text, payload: hi, fin: false },
      { opcode: 0, payload: hi, fin: false },
      { opcode: 0, payload: hi },
    ],
    'passes',
  ],
  [
    '5.4',
    'a message of empty frames',
    [{ opcode: text, fin: false }, { opcode: 0, fin: false }, { opcode: 0 }],
    'passes',
  ],
  [
    '5.4',
    'a ping inside a message',
    [
      { opcode: text, payload: hi, fin: false },
      { opcode: ping, payload: hi },
      { opcode: 0, payload: hi },
    ],
    'passes',
  ],
  ['5.4', 'a continuation of nothing', [{ opcode: 0, payload: hi }], 1002],
  ['5.4', 'a continuation of nothing that goes on', [{ opcode: 0, payload: hi, fin: false }], 1002],
  [
    '5.4',
    'a continuation behind the end of a message',
    [{ opcode: text, payload: hi, fin: false }, { opcode: 0 }, { opcode: 0 }],
    1002,
    2,
  ],
  [
    '5.4',
    'a message inside a message',
    [
      { opcode: text, payload: hi, fin: false },
      { opcode: binary, payload: hi },
    ],
    1002,
    1,
  ],
  [
    '5.5',
    'a ping in two frames',
    [
      { opcode: ping, payload: hi, fin: false },
      { opcode: 0, payload: hi },
    ],
    1002,
  ],
  [
    '5.5',
    'a pong in two frames',
    [
      { opcode: pong, payload: hi, fin: false },
      { opcode: 0, payload: hi },
    ],
    1002,
  ],
  ['5.5', 'a close in two frames', [{ opcode: close, payload: closePayload(1000), fin: false }], 1002],
  ['5.5', 'a ping of 126 octets', [{ opcode: ping, payload: octets(126) }], 1002],
  ['5.5', 'a close of 126 octets', [{ opcode: close, payload: closePayload(1000, octets(124)) }], 1002],
  ['5.5.1', 'a close without a code', [{ opcode: close }], 'passes'],
  ['5.5.1', 'a close of one octet', [{ opcode: close, payload: Buffer.of(3) }], 1002],
  [
    '5.5.1',
    'a close with a reason of 123 octets',
    [{ opcode: close, payload: closePayload(1000, octets(123)) }],
    'passes',
  ],
  [
    '5.5.1',
    'a close whose reason is no UTF-8',
    [{ opcode: close, payload: closePayload(1000, Buffer.of(0xce, 0xba, 0xe1)) }],
    1007,
  ],
  ['5.5.2', 'a ping', [{ opcode: ping }], 'passes'],
  ['5.5.2', 'a ping of 125 octets', [{ opcode: ping, payload: octets(125) }], 'passes'],
  ['5.5.2', 'ten pings', Array.from({ length: 10 }, () => ({ opcode: ping, payload: hi })), 'passes'],
  ['5.5.3', 'a pong that nobody asked for', [{ opcode: pong, payload: hi }], 'passes'],
  [
    '8.1',
    'text that is no UTF-8, which is for the ends to say',
    [{ opcode: text, payload: Buffer.of(0xce, 0xba, 0xe1) }],
    'passes',
  ],
];

const closeCodes = [
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].map(
    (code) => [code, 'passes'] as const,
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code) => [code, 1002] as const,
  ),
].map(([code, expect]): WebSocketCase => ({
  section: '7.4',
  title: `a close with the code ${code}`,
  frames: [{ opcode: close, payload: closePayload(code) }],
  expect,
}));

export const webSocketCases: readonly WebSocketCase[] = [
  {
    section: '5.1',
    title: 'a mask that is not there, or is',
    frames: [{ opcode: text, payload: hi }],
    expect: 1002,
    isMaskWrong: true,
  },
  ...lengths,
  ...reservedBits,
  ...reservedOpcodes,
  ...rows.map(([section, title, frames, expect, rightFrames = 0]): WebSocketCase => ({
    section,
    title,
    frames,
    expect,
    rightFrames,
  })),
  ...closeCodes,
];
