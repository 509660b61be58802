import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { parseClientHello } from '../../src/intercept/client-hello.ts';
import type { ClientHelloResult } from '../../src/intercept/client-hello.ts';
import { ProxyError } from '../../src/protocol/error.ts';
import { defaultLimits } from '../../src/protocol/limits.ts';
import {
  alpn,
  hello,
  helloMessage,
  octets,
  records,
  serverName,
  text,
  vector,
  versions,
} from './hello-bytes.ts';
import type { Extension, HelloParts } from './hello-bytes.ts';
import { nativePair } from './stream-pair.ts';

const parse = (bytes: Uint8Array): ClientHelloResult => parseClientHello(bytes, defaultLimits);

const usual: readonly Extension[] = [
  [0x0a0a, octets()],
  serverName(text('api.example.com')),
  alpn(text('h2'), text('http/1.1')),
  versions(0x1a1a, 0x0304, 0x0303),
];

const malformed = (message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ProxyError, String(error));
  assert.equal(error.code, 'tls_handshake');
  assert.match(error.message, message);
  return true;
};

describe('a ClientHello', () => {
  test('says its server name, protocols and versions', () => {
    assert.deepEqual(parse(hello({ extensions: usual })), {
      state: 'hello',
      sni: 'api.example.com',
      alpn: ['h2', 'http/1.1'],
      versions: ['TLSv1.3', 'TLSv1.2'],
      ech: false,
      earlyData: false,
      resumption: false,
    });
  });

  test('without extensions is one of TLS 1.2 or before', () => {
    const result = parse(hello({ version: 0x0301 }));
    assert.equal(result.state, 'hello');
    assert.deepEqual(result.state === 'hello' && [result.sni, result.alpn, result.versions], [
      undefined,
      [],
      ['TLSv1'],
    ]);
  });

  test('tells encrypted hello, early data and resumption', () => {
    const extensions: Extension[] = [
      [0xfe0d, octets(0, 1, 2)],
      [42, octets()],
      [41, octets(0, 0)],
    ];
    const result = parse(hello({ extensions }));
    assert.equal(result.state, 'hello');
    assert.ok(result.state === 'hello' && result.ech && result.earlyData && result.resumption);
  });

  test('of a real client is read', async () => {
    const { client, server } = await nativePair();
    const socket = connect({
      socket: client,
      servername: 'Real.Example.com',
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    socket.on('error', () => undefined);
    // The event's argument is the first segment.
    const [bytes] = (await once(server, 'data')) as [Buffer];
    server.destroy();
    const result = parse(bytes);
    assert.ok(result.state === 'hello');
    assert.equal(result.sni, 'real.example.com');
    assert.deepEqual(result.alpn, ['h2', 'http/1.1']);
    assert.deepEqual(result.versions, ['TLSv1.3', 'TLSv1.2']);
  });

  test('is found in bytes that go on with other records', () => {
    const bytes = Buffer.concat([
      hello({ extensions: usual }),
      octets(20, 3, 3, 0, 1, 1),
      octets(23, 3, 3, 0, 4, 1, 2, 3, 4),
    ]);
    assert.equal(parse(bytes).state, 'hello');
  });

  test('may share its record with bytes behind it', () => {
    const bytes = records(Buffer.concat([helloMessage({ extensions: usual }), octets(1, 2, 3)]));
    assert.equal(parse(bytes).state, 'hello');
  });
});

describe('a ClientHello in pieces', () => {
  test('gives the same result for every size of its records', () => {
    const message = helloMessage({ extensions: usual });
    const whole = parse(records(message));
    for (let size = Math.ceil(message.length / 64); size <= message.length; size++) {
      assert.deepEqual(parse(records(message, size)), whole, String(size));
    }
  });

  test('asks for bytes until it is whole, and never for too many', () => {
    for (const bytes of [hello({ extensions: usual }), records(helloMessage({ extensions: usual }), 9)]) {
      for (let length = 0; length < bytes.length; length++) {
        const result = parse(bytes.subarray(0, length));
        assert.ok(result.state === 'incomplete');
        assert.ok(result.bytesNeeded > length && result.bytesNeeded <= bytes.length, String(length));
      }
    }
  });

  test('split over more than 64 records is refused', () => {
    const message = helloMessage({ extensions: usual });
    assert.ok(message.length > 65);
    assert.throws(() => parse(records(message, 1)), malformed(/more than 64 records/));
  });

  test('that is larger than its limit is refused from its length alone', () => {
    const claim = octets(22, 3, 1, 0, 4, 1, 0x01, 0x00, 0x00);
    assert.throws(() => parse(claim), malformed(/larger than clientHelloBytesMax \(65536 bytes\)/));
    const tight = { clientHelloBytesMax: 100 };
    assert.throws(
      () => parseClientHello(hello({ extensions: [[9, new Uint8Array(100)]] }), tight),
      malformed(/100 bytes/),
    );
  });

  test('as large as its limit is read', () => {
    const padding: Extension[] = [1, 2, 3].map((type) => [type, new Uint8Array(20_000)]);
    assert.equal(parse(records(helloMessage({ extensions: [...usual, ...padding] }))).state, 'hello');
  });
});

describe('server names', () => {
  const sni = (...names: readonly Uint8Array[]): string | undefined => {
    const result = parse(hello({ extensions: [serverName(...names)] }));
    return result.state === 'hello' ? result.sni : undefined;
  };

  for (const [name, sent, read] of [
    ['in upper case is lower-cased', 'API.Example.COM', 'api.example.com'],
    ['with a trailing dot loses it', 'api.example.com.', 'api.example.com'],
    ['with two trailing dots keeps one, and fits no host', 'api.example.com..', 'api.example.com.'],
    ['that is an address is given as it is', '192.0.2.1', '192.0.2.1'],
    ['with a wildcard is given as it is, and fits no host', '*.example.com', '*.example.com'],
  ] as const) {
    test(`a name ${name}`, () => {
      assert.equal(sni(text(sent)), read);
    });
  }

  for (const [name, extension, message] of [
    ['a NUL inside', serverName(text('allowed.test\0.evil.test')), /not visible ASCII/],
    ['a space', serverName(text('a b')), /not visible ASCII/],
    ['a line end', serverName(text('a\r\nb')), /not visible ASCII/],
    ['octets above ASCII', serverName(octets(0xc3, 0xbc)), /not visible ASCII/],
    ['no name', serverName(text('')), /no allowed length/],
    ['a name of 256 octets', serverName(text('a'.repeat(256))), /no allowed length/],
    ['two names', serverName(text('allowed.test'), text('evil.test')), /more than one server name/],
    ['an empty list', [0, vector(2)], /longer than its container/],
    ['another type of name', [0, vector(2, octets(1), vector(2, text('a.test')))], /not a host name/],
    [
      'bytes behind the list',
      [0, Buffer.concat([vector(2, octets(0), vector(2, text('a.test'))), octets(0)])],
      /behind the list/,
    ],
    ['a list longer than the extension', [0, octets(0, 9, 0, 0, 1, 0x61)], /longer than its container/],
    ['an empty extension', [0, octets()], /longer than its container/],
  ] as readonly (readonly [string, Extension, RegExp])[]) {
    test(`${name} is refused`, () => {
      assert.throws(() => parse(hello({ extensions: [extension] })), malformed(message));
    });
  }
});

describe('a malformed ClientHello is refused', () => {
  const refused: readonly (readonly [name: string, bytes: Uint8Array, message: RegExp])[] = [
    ['an alert record', octets(21, 3, 1, 0, 2, 1, 0), /handshake record/],
    [
      'another record between its fragments',
      octets(22, 3, 1, 0, 1, 1, 20, 3, 3, 0, 1, 1),
      /handshake record/,
    ],
    ['a record of version 2', octets(22, 2, 1, 0, 1, 1), /version of a record/],
    ['an empty record', octets(22, 3, 1, 0, 0), /length of a record/],
    ['a record that is too long', octets(22, 3, 1, 0xff, 0xff), /length of a record/],
    ['another handshake message', octets(22, 3, 1, 0, 4, 2, 0, 0, 0), /not a ClientHello/],
    ['an empty message', octets(22, 3, 1, 0, 4, 1, 0, 0, 0), /longer than its container/],
  ];
  for (const [name, bytes, message] of refused) {
    test(name, () => {
      assert.throws(() => parse(bytes), malformed(message));
    });
  }

  const parts: readonly (readonly [name: string, parts: HelloParts, message: RegExp])[] = [
    ['a session id of 33 octets', { sessionId: new Uint8Array(33) }, /session id/],
    ['no cipher suite', { cipherSuites: octets() }, /cipher suites/],
    ['half a cipher suite', { cipherSuites: octets(0x13) }, /cipher suites/],
    ['no compression method', { compression: octets() }, /compression/],
    ['bytes behind the extensions', { extensions: [], behind: octets(0) }, /behind the extensions/],
    ['one octet in the place of the extensions', { behind: octets(0) }, /longer than its container/],
    [
      'two server names in two extensions',
      { extensions: [serverName(text('a.test')), serverName(text('b.test'))] },
      /occurs twice/,
    ],
    [
      'any extension twice',
      {
        extensions: [
          [9, octets()],
          [9, octets()],
        ],
      },
      /extension 9 occurs twice/,
    ],
    ['an empty list of protocols', { extensions: [[16, vector(2)]] }, /list of protocols/],
    ['an empty protocol', { extensions: [alpn(text(''))] }, /protocol name is empty/],
    [
      'bytes behind the protocols',
      { extensions: [[16, Buffer.concat([vector(2, vector(1, text('h2'))), octets(0)])]] },
      /list of protocols/,
    ],
    ['an empty list of versions', { extensions: [versions()] }, /list of versions/],
    ['half a version', { extensions: [[43, vector(1, octets(3, 4, 3))]] }, /longer than its container/],
  ];
  for (const [name, part, message] of parts) {
    test(name, () => {
      assert.throws(() => parse(hello(part)), malformed(message));
    });
  }

  test('protocol names are printable whatever they hold', () => {
    const result = parse(
      hello({ extensions: [alpn(octets(0x0a, 0x0a), text('h2\n'), text('a\\b'), text('é'))] }),
    );
    assert.deepEqual(result.state === 'hello' && result.alpn, ['\\x0a\\x0a', 'h2\\x0a', 'a\\x5cb', '\\xe9']);
  });

  test('any bytes give a result or a ProxyError, nothing else', () => {
    const valid = hello({ extensions: usual });
    const changed = fc
      .tuple(
        fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { maxLength: 4 }),
        fc.nat(valid.length),
      )
      .map(([edits, length]) => {
        const bytes = Uint8Array.from(valid);
        for (const [index, octet] of edits) bytes[index] = octet;
        return bytes.subarray(0, length);
      });
    fc.assert(
      fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        try {
          parse(bytes);
        } catch (error) {
          assert.ok(error instanceof ProxyError, String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
