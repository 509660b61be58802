// Readers of what comes in pieces: heads, bodies, frames. Each reads its text whole, and octet by octet.

import { Readable, type Transform } from 'node:stream';

import { TokenGuard } from '../../../src/gateway/exchange/token-guard.ts';
import { isTokenName } from '../../../src/gateway/exchange/token-search.ts';
import { ResponseRelay } from '../../../src/gateway/exchange/response-relay.ts';
import { keepCompact } from '../../../src/gateway/front/compact-body.ts';
import { TunnelStream, type TunnelStreamHost } from '../../../src/net/tunnel-stream.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { createScanner, ScanTransform } from '../../../src/gateway/credentials/request/body-scanner.ts';
import { AwsChunkDecoder } from '../../../src/gateway/credentials/sigv4/chunk-decoder.ts';
import { codingMemory } from '../../../src/gateway/scrub/coding-memory.ts';
import { CodedPartGuard } from '../../../src/gateway/scrub/coded-part-guard.ts';
import { EnvelopeBorders, envelopeFormOf } from '../../../src/gateway/scrub/envelope-borders.ts';
import { EventBorders, lineBorders } from '../../../src/gateway/scrub/line-borders.ts';
import type { Borders } from '../../../src/gateway/scrub/borders.ts';
import type { SearchedValues } from '../../../src/gateway/scrub/response-scrubber.ts';
import { ResponseScrubber } from '../../../src/gateway/scrub/response-scrubber.ts';
import { WebSocketScrubber } from '../../../src/gateway/scrub/websocket-scrubber.ts';
import { joinedBytes } from '../../../src/http/joined-bytes.ts';
import { parseProxyHead } from '../../../src/http/proxy-head.ts';
import { ProxyHeadReader } from '../../../src/http/proxy-head-reader.ts';
import { RequestParser } from '../../../src/http/request-parser.ts';
import { ResponseParser } from '../../../src/http/response-parser.ts';
import { ResponseReader } from '../../../src/http/response-reader.ts';
import { ByteReader } from '../../../src/intercept/byte-reader.ts';
import { parseClientHello } from '../../../src/intercept/client-hello.ts';
import { classifyFirstBytes } from '../../../src/intercept/first-bytes.ts';
import { MessageFrames } from '../../../src/net/message-frames.ts';
import { parseResumeName } from '../../../src/net/resume-name.ts';
import { parseProxyProtocol } from '../../../src/net/proxy-protocol.ts';
import { compact, TunnelInboundQueue } from '../../../src/net/tunnel-inbound-queue.ts';
import { applyMask, decodeClose } from '../../../src/net/websocket-frame.ts';
import { WebSocketFrameGuard } from '../../../src/net/websocket-frame-guard.ts';
import { WebSocketGate } from '../../../src/net/websocket-gate.ts';
import { WebSocketParser } from '../../../src/net/websocket-parser.ts';
import { PushCommandReader } from '../../../src/policy/git-commands.ts';
import { CollectTimes } from '../../../src/gateway/packages/collect-times.ts';
import { EventStreamReader, eventText } from '../../../src/understand/event-stream.ts';
import { BlindHosts } from '../../../src/protocol/blind-hosts.ts';
import { decodeChunk } from '../../../src/protocol/chunk-codec.ts';
import { crc32c } from '../../../src/protocol/crc32c.ts';
import { ProxyError } from '../../../src/protocol/error.ts';
import { FrameParser } from '../../../src/protocol/frame-codec.ts';
import { defaultLimits } from '../../../src/protocol/limits.ts';
import { decodeLinkFrame } from '../../../src/protocol/link-frames.ts';
import { decodeResumeFrame } from '../../../src/protocol/resume-frames.ts';
import { decodeOpenFields, decodeText } from '../../../src/protocol/open-fields.ts';
import { TunnelConnection } from '../../../src/protocol/tunnel-connection.ts';
import { searchedFor } from '../../gateway/support/searched.ts';
import { bothWays, eachOctet, latin1, tried, type GrowthCases } from './growth-case.ts';

const large = 1 << 24;
/** So that the work is not cut short by a bound that is one of another test. */
const limits = {
  ...defaultLimits,
  headBytesMax: large,
  connectHeadBytesMax: large,
  headersCountMax: large,
  chunkLineBytesMax: large,
  chunkOverheadBytesMax: large,
  interimHeadsMax: large,
  controlFrameBytesMax: large,
  clientHelloBytesMax: large,
};
const nothing = (): undefined => undefined;
const sink = {
  onInformation: nothing,
  onHead: nothing,
  onData: () => true,
  onEnd: nothing,
  onSwitch: nothing,
};

function openParser(before: string): (bytes: Buffer) => unknown {
  const parser = new ResponseParser(sink, limits);
  parser.begin({ method: 'GET', asksToSwitch: false });
  if (before !== '') parser.push(latin1(before));
  return (bytes) => parser.push(bytes);
}

function openRequest(before: string): (bytes: Buffer) => unknown {
  const parser = new RequestParser({ ...sink, onHead: () => 'body' }, limits);
  parser.begin();
  if (before !== '') parser.push(latin1(before));
  return (bytes) => parser.push(bytes);
}

function openReader(): (bytes: Buffer) => unknown {
  const reader = new ResponseReader({
    request: { method: 'GET', asksToSwitch: false },
    limits,
    bodyBytesMax: large,
    fault: (reason) => new ProxyError('gateway_protocol', reason),
  });
  reader.push(latin1('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n'));
  return (bytes) => reader.push(bytes);
}

function openScrubber(borders?: Borders): (bytes: Buffer) => unknown {
  const searched = searchedFor('canary-0123456789');
  const scrubber = new ResponseScrubber(searched, borders === undefined ? {} : { borders });
  return (bytes) => scrubber.push(bytes);
}

function openTransform(transform: Transform): (bytes: Buffer) => unknown {
  // Nothing waits in it: what it gives is thrown away.
  transform.on('error', nothing).resume();
  return (bytes) => transform._transform(bytes, 'latin1', nothing);
}

/** Takes all that comes. */
function openRelay(searched: SearchedValues | undefined): (bytes: Buffer) => unknown {
  const client = { sendHead: nothing, sendData: () => true, sendEnd: nothing, onDrain: nothing };
  const request = {
    method: 'GET',
    destination: { scheme: 'https', host: 'a.test', port: 443 },
    path: '/',
    query: '',
    headers: new HeaderList(),
    httpVersion: '1.1',
  } as const;
  // Of a client a relay needs no more while all goes well.
  const options = {
    client: client as never,
    searched,
    request,
    limits,
    spendBytes: undefined,
    fail: nothing,
  };
  const relay = new ResponseRelay(options);
  relay.onHead(200, ['content-type', 'text/plain']);
  return (bytes) => relay.onData(bytes, nothing);
}

/** A response that could be a token, to its end. */
function readGuarded(text: string): void {
  for (const isWhole of [true, false]) {
    const guard = new TokenGuard({ ...sink, onTrailers: nothing }, 'a.test');
    guard.onHead(200, ['content-type', 'application/json']);
    const push = (bytes: Buffer): unknown => guard.onData(bytes, nothing);
    tried(() => (isWhole ? push(latin1(text)) : eachOctet(text, push)));
    tried(() => guard.end());
  }
  isTokenName(text);
}

const idleHost: TunnelStreamHost = {
  accept: nothing,
  refuse: nothing,
  requestSend: nothing,
  sendData: () => 0,
  sendDatagram: () => false,
  lacksCredit: () => true,
  end: nothing,
  consumptionChanged: nothing,
  closed: nothing,
};

const ok = 'HTTP/1.1 200 OK\r\n';
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;
const chunkedRequest = 'PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n';
const grpc = envelopeFormOf('application/grpc', 'a.test');
const events = envelopeFormOf('application/vnd.amazon.eventstream', 'a.test');
/** A frame of a server: final, binary, and so long. */
const frame = (length: number): string => `\x82${String.fromCharCode(length)}${'a'.repeat(length)}`;

export const streamCases: GrowthCases = {
  'events of a stream': {
    pieces: ['data: {"a":1}', '\n', '\r', 'data', ':', 'id: 1', ' ', 'é'],
    read: (text) =>
      bothWays(text, () => {
        const reader = new EventStreamReader(limits.listBytesMax);
        return (bytes) => reader.push(bytes).map(eventText);
      }),
  },
  'what a registry says of a package': {
    pieces: ['{"versions":{', '"1.0.0":{', '}', ',', '"', '\\', 'a', '[', ']', ':', '"time":{', ' '],
    read: (text) =>
      bothWays(`{"versions":{${text}`, () => {
        const collected = new CollectTimes({ registry: 'npm', name: 'a' }, limits, () => undefined);
        collected.onHead(200, []);
        return (bytes) => collected.onData(bytes, () => undefined);
      }),
  },
  'a document that may hold tokens': {
    pieces: ['[', '{"data":', '"a":"b",', '\\', '<', 'eyJhbGciOi.', 'token=a&', ' ', '"', '{"a":', '_'],
    read: readGuarded,
  },
  'the first line of a request': {
    pieces: ['GET / HTTP/1.1', 'a', ' ', '\r\n', '\t'],
    read: (text) => bothWays(`${text} / HTTP/1.1\r\n`, () => openRequest('')),
  },
  'the head of a request': {
    pieces: [
      'a: b\r\n',
      'a',
      'content-length: 1\r\n',
      'Transfer-Encoding: chunked\r\n',
      ' ',
      'content_length: 1\r\n',
    ],
    read: (text) => bothWays(`${text}\r\n`, () => openRequest('GET / HTTP/1.1\r\n')),
  },
  'the chunks of a request': {
    pieces: ['1\r\na\r\n', '1;a="b"\r\na\r\n', ';a', ';a="', '00'],
    read: (text) => bothWays(`1${text}`, () => openRequest(chunkedRequest)),
  },
  'the trailers of a request': {
    pieces: ['a: b\r\n', 'a', ' '],
    read: (text) => bothWays(text, () => openRequest(`${chunkedRequest}0\r\n`)),
  },
  'the first line of a response': {
    pieces: ['HTTP/1.1 200 ', 'a', ' ', '\t'],
    read: (text) => bothWays(`HTTP/1.1 200 ${text}\r\n`, () => openParser('')),
  },
  'the head of a response': {
    pieces: ['a: b\r\n', 'a', ':\n', 'Content-Length: 1\r\n', ' '],
    read: (text) => bothWays(text, () => openParser(ok)),
  },
  'interim responses': {
    pieces: ['HTTP/1.1 100 a\r\n\r\n', 'HTTP/1.1 103\n\n'],
    read: (text) => bothWays(text, () => openParser('')),
  },
  'the chunks of a response': {
    pieces: ['1\r\na\r\n', '1;a="b"\r\na\r\n', ';a', ';a="', '00'],
    read: (text) => bothWays(`1${text}`, () => openParser(chunked)),
  },
  'the trailers of a response': {
    pieces: ['a: b\r\n', 'a', ' '],
    read: (text) => bothWays(text, () => openParser(`${chunked}0\r\n`)),
  },
  'a response in memory': {
    pieces: ['1\r\na\r\n', '2\r\naa\r\n'],
    read: (text) => bothWays(text, openReader),
  },
  'the head of a proxy client': {
    pieces: ['a: b\r\n', 'a', ' ', '\r\n'],
    read: (text) =>
      bothWays(`CONNECT a.test:443 HTTP/1.1\r\n${text}`, () => {
        const reader = new ProxyHeadReader(limits);
        return (bytes) => reader.push(bytes);
      }),
  },
  'a head of a proxy client that is there': {
    pieces: ['a: b\r\n', 'a', ' '],
    read: (text) => parseProxyHead(latin1(`CONNECT a.test:443 HTTP/1.1\r\n${text}`), limits),
  },
  'the first bytes of a connection': {
    pieces: ['A', ' ', '\x16\x03\x01', '\r\n'],
    read: (text) => [
      classifyFirstBytes(latin1(text)),
      ...['br', 'zstd', 'gzip'].map((coding) => codingMemory(coding, latin1(text))),
    ],
  },
  'a ClientHello': {
    pieces: ['\0\0\0\0', '\x16\x03\x01\0\x04\x01\0\0\0', 'a', '\xff'],
    read: (text) => {
      const bytes = latin1(`\x16\x03\x01\x40\0${text}`);
      const reader = new ByteReader(bytes);
      while (reader.remaining >= 2) reader.take(2);
      return parseClientHello(bytes, limits);
    },
  },
  'a head of PROXY': {
    pieces: ['\0', 'a'],
    read: (text) => parseProxyProtocol(latin1(`\r\n\r\n\0\r\nQUIT\n!\x11\xff\xff${text}`)),
  },
  'commands of a push': {
    pieces: ['0005a', '0005', 'a', '000a'],
    read: (text) =>
      bothWays(text, () => {
        const reader = new PushCommandReader();
        return (bytes) => reader.push(bytes);
      }),
  },
  'a body with a placeholder': {
    pieces: ['"', '"placeholder', ' ', '\\', '&a=', '=', ' :'],
    read: (text) => {
      const replacement = { placeholder: 'placeholder-0123456789', secret: 'secret' };
      for (const form of ['json', 'form', 'text'] as const)
        bothWays(text, () => openTransform(new ScanTransform(createScanner(form, replacement))));
    },
  },
  'aws-chunked': {
    pieces: ['1;chunk-signature=a\r\na\r\n', ';a', '0', '\r\n'],
    read: (text) =>
      bothWays(text, () => {
        const decoder = new AwsChunkDecoder();
        return (bytes) => decoder.push(bytes, nothing);
      }),
  },
  'a body that is searched': {
    pieces: ['canary-', 'canary-0123456789', 'Y2Fu', '\n', '%63', '\\'],
    read: (text) => {
      bothWays(text, () => openScrubber());
      bothWays(text, () => openScrubber(lineBorders));
      bothWays(text, () => openScrubber(new EventBorders()));
    },
  },
  'parts of a body that is searched': {
    pieces: ['a', '\r\n', 'Content-Type: a', ';charset=', ':', ' '],
    read: (text) => bothWays(text, () => openScrubber(new CodedPartGuard('a.test'))),
  },
  'messages of a body that is searched': {
    pieces: ['\0\0\0\0\0', '\0\0\0\0\x01a', '\0\0\0\x0ca', 'a'],
    read: (text) => {
      for (const form of [grpc, events])
        if (form !== undefined) bothWays(text, () => openScrubber(new EnvelopeBorders(form, 'a.test')));
    },
  },
  'frames of a WebSocket that is searched': {
    pieces: [frame(0), frame(1), `\x02${frame(1).slice(1)}\x80\0`, '\x89\x01a', 'a'],
    read: (text) =>
      bothWays(text, () => openTransform(new WebSocketScrubber(searchedFor('canary-0123456789')))),
  },
  'frames of a WebSocket that passes': {
    pieces: [frame(0), frame(1), '\x89\x01a', '\x88\x02\x03\xe8'],
    read: (text) => {
      bothWays(text, () => {
        const guard = new WebSocketFrameGuard({ sender: 'server', isCompressed: false });
        return (bytes) => guard.check(bytes);
      });
      bothWays(text, () =>
        openTransform(new WebSocketGate({ sender: 'server', isCompressed: false, onFault: nothing })),
      );
    },
  },
  'frames of a tunnel in WebSocket': {
    pieces: [frame(0), frame(1), '\x89\x01a', '\x8a\0'],
    read: (text) =>
      bothWays(text, () => {
        const ends = { data: nothing, messageEnd: nothing, ping: nothing, pong: nothing, close: nothing };
        const parser = new WebSocketParser({ role: 'client', messageBytesMax: large, sink: ends });
        return (bytes) => parser.receive(bytes);
      }),
  },
  'a close of a WebSocket': {
    pieces: ['a', '\xc3\xa9', '\0'],
    read: (text) => {
      applyMask(latin1(text), latin1('mask'), 0);
      return decodeClose(latin1(`\x03\xe8${text}`));
    },
  },
  'frames of a tunnel': {
    pieces: [
      '\x08\0\0\x04\0\0\0\0\0\0\0\0',
      '\x04\0\0\x01\0\0\0\x01a',
      '\x01\0\0\0\0\0\0\x01',
      '\x05\0\0\x04\0\0\0\0\0\0\0\x01',
    ],
    read: (text) => {
      bothWays(text, () => {
        const parser = new FrameParser(limits);
        return (bytes) => {
          parser.push(bytes);
          while (parser.next() !== undefined);
        };
      });
      bothWays(text, () => {
        const connection = new TunnelConnection({ role: 'gateway', limits, nowMs: 0 });
        return (bytes) => {
          connection.receive(bytes, 0);
          while (connection.nextEvent() !== undefined);
          connection.output.take();
        };
      });
    },
  },
  'one long frame of a tunnel': {
    pieces: ['a', '\0'],
    read: (text) => {
      const length = [text.length >> 16, (text.length >> 8) & 0xff, text.length & 0xff];
      const head = String.fromCharCode(7, ...length, 0, 0, 0, 1);
      bothWays(`${head}${text}`, () => {
        const parser = new FrameParser(limits);
        return (bytes) => {
          parser.push(bytes);
          while (parser.next() !== undefined);
        };
      });
    },
  },
  'fields of an open': {
    pieces: ['\0\x01\0\x01a', '\0\x07\0\0', '\xff\xff\0\x01a', 'a'],
    read: (text) => {
      try {
        decodeOpenFields(latin1(text));
      } catch {
        // It is refused.
      }
      return decodeText(latin1(text), 'a');
    },
  },
  'what agrees on modes for a tunnel': {
    pieces: ['\x03', 'a.test:443\n', '*.', '\xff', '\0'.repeat(64)],
    read: (text) => {
      const bytes = latin1(text);
      tried(() => decodeLinkFrame('challenge', bytes));
      tried(() => decodeLinkFrame('prove', bytes));
      tried(() => decodeLinkFrame('agree', bytes));
      tried(() => decodeLinkFrame('hosts', bytes));
      tried(() => decodeLinkFrame('identify', bytes));
      return new BlindHosts(text).covers(text);
    },
  },
  'what a tunnel goes on with': {
    pieces: ['A', '.1', 'A'.repeat(42), '9', '\0'.repeat(68), '\x08\0\0\x04\0\0\0\0\0\0\0\0'],
    read: (text) => {
      const bytes = latin1(text);
      tried(() => decodeResumeFrame('ack', bytes));
      tried(() => decodeResumeFrame('resume', bytes));
      tried(() => decodeResumeFrame('resumable', bytes));
      bothWays(text, () => {
        const frames = new MessageFrames(limits);
        return (part) => frames.push(part);
      });
      tried(() => {
        const frames = new MessageFrames(limits);
        frames.push(bytes);
        frames.take();
      });
      return parseResumeName(text);
    },
  },
  'a chunk of a tunnel': {
    pieces: ['\x0a\x01a', '\x0a', '\xff', '\0'],
    read: (text) => decodeChunk(latin1(text)),
  },
  'the sum of a record': {
    pieces: ['a', '\0'],
    read: (text) => crc32c(latin1(text)),
  },
  'a response on its way to its client': {
    pieces: ['a', 'canary-', '\n'],
    read: (text) => {
      for (const searched of [undefined, searchedFor('canary-0123456789')])
        bothWays(text, () => openRelay(searched));
    },
  },
  'a body of HTTP/2 that nobody reads': {
    pieces: ['a', 'ab'],
    read: (text) =>
      bothWays(text, () => {
        const stream = new Readable({ read: nothing });
        keepCompact(stream);
        return (bytes) => stream.push(bytes);
      }),
  },
  'data of a stream of a tunnel': {
    pieces: ['a', 'ab'],
    read: (text) =>
      bothWays(text, () => {
        const fields = { authority: 'a.test:443', mode: 'raw' } as const;
        const stream = new TunnelStream(idleHost, 1, fields);
        return (bytes) => stream.receiveData(bytes);
      }),
  },
  'what waits to be read': {
    pieces: ['a', 'ab'],
    read: (text) => {
      const queue = new TunnelInboundQueue();
      const pieces: Uint8Array[] = [];
      eachOctet(text, (octet) => queue.push(compact(octet)));
      for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) pieces.push(piece);
      return joinedBytes(pieces);
    },
  },
};
