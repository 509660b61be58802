// Readers of what workloads send out, where it is searched.

import type { Transform } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { BodyGuard } from '../../../src/gateway/leaks/body-guard.ts';
import { CodedBodyGuard, isSearchableCoding } from '../../../src/gateway/leaks/coded-body-guard.ts';
import { redactFields, searchFields, searchHead } from '../../../src/gateway/leaks/head-search.ts';
import { leakHash, LeakSearch } from '../../../src/gateway/leaks/leak-search.ts';
import { PercentDecoder } from '../../../src/gateway/leaks/percent-decoder.ts';
import { marksOf } from '../../../src/gateway/leaks/response-marks.ts';
import { ShapeSearch } from '../../../src/gateway/leaks/shape-search.ts';
import { ValueSearch } from '../../../src/gateway/leaks/value-search.ts';
import { WebSocketGuard } from '../../../src/gateway/leaks/websocket-guard.ts';
import { PlaceholderMessages } from '../../../src/gateway/credentials/request/placeholder-messages.ts';
import { OperationGuard } from '../../../src/gateway/exchange/operation-guard.ts';
import { agreedProtocol } from '../../../src/gateway/exchange/socket-operations.ts';
import { ToldMessages } from '../../../src/gateway/exchange/told-messages.ts';
import { Secret } from '../../../src/protocol/secret.ts';
import { HeldOctets } from '../../../src/protocol/held-octets.ts';
import { noBorders } from '../../../src/gateway/scrub/borders.ts';
import { HeaderList } from '../../../src/http/header-list.ts';
import { screenMarks } from '../../../src/policy/screen-rule.ts';
import { sample, soughtFor } from '../../gateway/support/leaks.ts';
import { bothWays, latin1, tried, type GrowthCases } from './growth-case.ts';

const nothing = (): undefined => undefined;
const sought = soughtFor({ held: sample.token });
const search = (): LeakSearch => new LeakSearch(sought);
/** The beginning of a value, a value, beginnings of shapes, and what is passed over. */
const pieces = [
  sample.token,
  sample.token.slice(0, -1),
  'SK',
  'xoxb-',
  'ghp_a',
  `ghp_${'a'.repeat(36)}`,
  '.',
  'a',
];

function openTransform(transform: Transform): (bytes: Buffer) => unknown {
  transform.on('error', nothing).resume();
  return (bytes) => transform._transform(bytes, 'latin1', nothing);
}

export const leakCases: GrowthCases = {
  'frames of a WebSocket whose messages are judged': {
    pieces: ['\x01\x81abcdx', '\x00\x81abcdx', '\x00\x80abcd', '\x89\x81abcdx', 'a'],
    read: (text) => {
      bothWays(text, () =>
        openTransform(
          new OperationGuard({
            judge: () => Promise.resolve(true),
            onEnd: nothing,
            messageBytesMax: 1_000_000,
            held: new HeldOctets(),
            sessionId: 's',
          }),
        ),
      );
      bothWays(text, () => openTransform(new ToldMessages()));
      tried(() => agreedProtocol([text]));
    },
  },
  'a text that is searched for leaks': {
    pieces,
    read: (text) => {
      for (const open of [() => new ValueSearch(sought.table), () => new ShapeSearch(), search])
        bothWays(text, () => {
          const one = open();
          return (bytes) => one.run(bytes);
        });
      leakHash(text);
      isSearchableCoding(text);
    },
  },
  'a head that is searched for leaks': {
    pieces: [...pieces, '%', '%25', '%2E', '&a=', 'a=%ff&'],
    read: (text) => {
      const headers = new HeaderList([
        ['x-a', text],
        ['authorization', `basic ${text}`],
      ]);
      const destination = { scheme: 'https', host: 'a.test', port: 443 } as const;
      searchHead(
        { method: 'GET', destination, path: '/', query: `?${text}`, headers, httpVersion: '1.1' },
        sought,
      );
      searchFields(headers, sought);
      redactFields(headers, sought);
    },
  },
  'a body that is searched for leaks': {
    pieces: [sample.token, 'ghp_a', '%', '%41'],
    read: (text) => {
      bothWays(text, () =>
        openTransform(
          new BodyGuard({
            search: search(),
            isWaiting: true,
            borders: noBorders,
            decoded: search(),
            onLeak: nothing,
          }),
        ),
      );
      bothWays(text, () => {
        const decoder = new PercentDecoder();
        return (bytes) => decoder.push(bytes);
      });
    },
  },
  'a response that is screened': {
    pieces: ['a', ' ', '\\u200b', '\u{e0061}', 'ignore all previous ', sample.token],
    read: (text) => {
      const marks = new Set(screenMarks);
      return marksOf(Buffer.from(text), { marks, canaries: sought });
    },
  },
  'an encoded body that is searched for leaks': {
    pieces: ['a', sample.token],
    read: (text) => {
      const guard = new CodedBodyGuard({
        coding: 'gzip',
        search: search(),
        onLeak: nothing,
        hold: nothing,
        onUnsearchable: nothing,
      });
      openTransform(guard)(gzipSync(latin1(text)));
      guard.destroy();
    },
  },
  'messages of a client that are searched for leaks': {
    pieces: ['\x82\x81\0\0\0\0a', '\x02\x80\0\0\0\0\x80\x80\0\0\0\0', '\x89\x81\0\0\0\0a', 'a'],
    read: (text) =>
      bothWays(text, () =>
        openTransform(
          new WebSocketGuard({
            searches: { messages: search(), controls: search() },
            onLeak: nothing,
            onEnd: nothing,
          }),
        ),
      ),
  },
  'messages of a client that are searched for placeholders': {
    pieces: [
      '\x81\x81\0\0\0\0{',
      '\x01\x80\0\0\0\0',
      '\0\x80\0\0\0\0',
      '\x80\x80\0\0\0\0',
      '\x89\x81\0\0\0\0a',
      '"',
    ],
    read: (text) =>
      bothWays(text, () =>
        openTransform(
          new PlaceholderMessages(
            [{ name: 'a', placeholder: 'upstreamproxy-a', secret: new Secret('b'), messages: 16 }],
            nothing,
          ),
        ),
      ),
  },
};
