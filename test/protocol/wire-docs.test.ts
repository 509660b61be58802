import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { FrameType } from '../../src/protocol/frame.ts';
import { frameShapes } from '../../src/protocol/frame-codec.ts';
import { openFieldNumbers, streamModeNumbers } from '../../src/protocol/open-fields.ts';
import { assertDocsTable, markdownTable } from './docs-table.ts';

/** Who sends it, its payload, and what it says. */
const frameNotes: Record<FrameType, readonly [string, string, string]> = {
  open: ['agent', 'fields, see below', 'Opens the stream with the next id. Data may follow at once.'],
  accept: ['gateway', 'none', 'The stream is taken. `data` or `end` from the gateway says the same.'],
  refuse: [
    'gateway',
    'code u16, message',
    'The stream is not taken and is over. Only before `accept`, `data` and `end`.',
  ],
  data: ['both', '1 octet or more', 'Bytes of the stream, within its credit and that of the connection.'],
  window: [
    'both',
    'bytes u32, 1 to 2^31 - 1',
    'The receiver of the frame may send so many bytes more on the stream; on stream 0: on the connection.',
  ],
  end: ['both', 'none', 'No more data in this direction (half-close).'],
  reset: [
    'both',
    'code u16, message',
    'Both directions are over at once. What was received without an `end` must not look complete.',
  ],
  ping: ['both', 'nonce u32', 'Respond with `pong`.'],
  pong: ['both', 'nonce u32', 'The nonce of the `ping`.'],
  goaway: [
    'both',
    'last stream id u32, code u16, message',
    'No new streams. From the gateway: none above the id was or will be served.',
  ],
  ack: [
    'both',
    'bytes u64',
    'So many octets of counted frames came in the life of the tunnel. Ignored unless the tunnel is [resumable](#resuming).',
  ],
  resume: [
    'both',
    'bytes u64, proof (0, 32 or 96 octets)',
    'The same count at the start of another link, proven. See [Resuming](#resuming). A fault anywhere else.',
  ],
  challenge: [
    'gateway',
    'challenge (32 octets), tunnel id (16 to 64 octets)',
    'The first frame of the gateway on a link that has to be [proven](#whose-tunnel-it-is), or where [modes](#where-the-tls-of-the-link-ends) are to be agreed.',
  ],
  prove: [
    'agent',
    'signature (64 octets), count of modes u8, modes, origin',
    'The proof of the agent, once.',
  ],
  agree: ['gateway', 'signature (64 octets), modes', 'The reply, once. No modes: none is agreed.'],
  hosts: [
    'gateway',
    'UTF-8',
    'Where the agent leaves TLS to the gateway. Each one takes the place of the one before.',
  ],
  resumable: [
    'gateway',
    'tunnel id (32 octets), secret (32 octets), milliseconds u32',
    'How the tunnel goes on over another link, and how long the gateway waits for one. See [Resuming](#resuming).',
  ],
  identify: [
    'agent',
    'signature (64 octets), length of the exporter u8, count of modes u8, exporter (0 or 32 octets), modes, origin',
    'The first frame of the agent where the gateway asks for it, once. See [Whose tunnel it is](#whose-tunnel-it-is).',
  ],
  datagram: [
    'both',
    'octets, none too',
    'One datagram of a stream of mode `udp`, see [datagrams](#datagrams). Only if agreed at the upgrade.',
  ],
};

describe('docs/reference/wire.md', () => {
  test('has the frames of the codec', () => {
    const rows = Object.entries(frameShapes).map(([type, { number, scope }]) => {
      const [sender, payload, meaning] = frameNotes[type as FrameType];
      const streamId = { stream: '1 …', connection: '0', either: '0 …' }[scope];
      return [`${number}`, `\`${type}\``, sender, streamId, payload, meaning];
    });
    assertDocsTable(
      'wire.md',
      'frames',
      markdownTable(['type', 'name', 'sent by', 'stream id', 'payload', 'meaning'], rows),
    );
  });

  test('has the fields of open', () => {
    const notes: Record<keyof typeof openFieldNumbers, readonly [string, string]> = {
      authority: ['UTF-8', 'Required. `host:port` as the client named it; empty in mode `proxy`.'],
      mode: ['one octet', 'Required. What the bytes of the stream are, see below.'],
      sni: ['UTF-8', 'The server name of the ClientHello, where the agent has read it.'],
      alpn: ['UTF-8', 'The protocol that was agreed by ALPN, where the agent ended the TLS.'],
      tlsVersion: ['UTF-8', 'The version of TLS, where the agent ended it, such as `TLSv1.3`.'],
      via: [
        'UTF-8',
        "The field Via of the client's CONNECT, by which a proxy finds that a connection came back to it. Up to 2048 characters without line ends and other controls, or the stream is refused (`request_malformed`).",
      ],
      alpnOffer: [
        'UTF-8',
        'Which of `h2` and `http/1.1` the ClientHello offered by ALPN, in its order, with a space between, where the agent ended the TLS.',
      ],
    };
    const rows = Object.entries(openFieldNumbers).map(([name, number]) => {
      const [value, meaning] = notes[name as keyof typeof openFieldNumbers];
      return [`${number}`, `\`${name}\``, value, meaning];
    });
    assertDocsTable('wire.md', 'fields', markdownTable(['field', 'name', 'value', 'meaning'], rows));
  });

  test('has the modes', () => {
    const notes: Record<keyof typeof streamModeNumbers, string> = {
      raw: 'What stands behind a CONNECT; the gateway looks at the first bytes.',
      tls: 'TLS that the gateway ends.',
      proxy: 'The whole connection of a client that speaks to a forward proxy: requests in absolute form.',
      http1: 'HTTP/1.1 in the clear, of TLS that the agent ended. Only if agreed for the tunnel.',
      http2: 'HTTP/2 in the clear, of TLS that the agent ended. Only if agreed for the tunnel.',
      refusals:
        'Nothing of a client: the gateway sends what the session was refused, see below, and ends. Only if agreed at enrolment.',
      udp: 'Nothing: [datagrams](#datagrams) go beside it, to and from the host and port of `authority`. Only if agreed at the upgrade.',
    };
    const rows = Object.entries(streamModeNumbers).map(([mode, number]) => [
      `${number}`,
      `\`${mode}\``,
      notes[mode as keyof typeof streamModeNumbers],
    ]);
    assertDocsTable('wire.md', 'modes', markdownTable(['octet', 'mode', 'bytes of the stream'], rows));
  });

  test('numbers nothing twice', () => {
    for (const numbers of [
      Object.values(frameShapes).map(({ number }) => number),
      Object.values(openFieldNumbers),
      Object.values(streamModeNumbers),
    ]) {
      assert.equal(new Set<number>(numbers).size, numbers.length);
    }
  });
});
