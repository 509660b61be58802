// What servers of OAuth and tools that log in there say to each other.

import { HeaderList } from '../../../src/http/header-list.ts';
import { InsideExchange } from '../../../src/gateway/credentials/inside/inside-exchange.ts';
import type { InsideTokens } from '../../../src/gateway/credentials/inside/inside-tokens.ts';
import { readAddress, writeAddress } from '../../../src/gateway/credentials/inside/token-address.ts';
import { readTokens } from '../../../src/gateway/credentials/inside/token-document.ts';
import { decodedText, encodeText, readForm } from '../../../src/gateway/credentials/inside/token-form.ts';
import {
  isPlace,
  isPlaceOf,
  tokenKindInAddress,
  tokenKindOf,
} from '../../../src/gateway/credentials/inside/token-members.ts';
import { placeholderForToken } from '../../../src/gateway/credentials/inside/token-placeholder.ts';
import { mentionedInField, readRequest } from '../../../src/gateway/credentials/inside/token-request.ts';
import { InsideGuard } from '../../../src/gateway/exchange/inside-guard.ts';
import { UnreadableBody } from '../../../src/understand/json-value.ts';
import { eachOctet, type GrowthCases, latin1, tried } from './growth-case.ts';

const nothing = (): undefined => undefined;
const asItIs = (text: string): string => text;
const random = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, n) => n % 7);
const bounds = { isError: false, known: new Map(), tokensMax: 16, tokenCharactersMax: 16_384 } as const;

function readBoth(text: string): void {
  const octets = latin1(text);
  for (const form of ['json', 'form'] as const) {
    const document = readTokens(octets, { ...bounds, form });
    if (!(document instanceof UnreadableBody)) document.write(asItIs);
    const request = readRequest(octets, form);
    if (!(request instanceof UnreadableBody)) request.write(new Map([['token', 'x']]));
  }
  readForm(octets, 64);
}

function readNames(text: string): void {
  for (const read of [tokenKindOf, tokenKindInAddress, isPlace, decodedText, encodeText]) read(text);
  isPlaceOf(text, 'access');
  const address = readAddress(text);
  if (address !== undefined) writeAddress(address, asItIs);
  for (const isIssuer of [true, false]) mentionedInField(`Basic ${text}`, isIssuer);
  mentionedInField(text, true);
}

function readGuarded(type: string, text: string): void {
  // None is kept: what is given out is never asked for.
  const tokens = { keep: () => Promise.resolve('x') } as unknown as InsideTokens;
  const owner = { sessionId: 's', logIn: 'l' };
  const options = {
    tokens,
    owner,
    origin: 'https://a.test:443',
    used: [],
    claim: undefined,
    onKept: nothing,
  };
  for (const isWhole of [true, false]) {
    const next = { onInformation: nothing, onHead: nothing, onData: () => true, onTrailers: nothing };
    const guard = new InsideGuard(next, 'a.test', new InsideExchange(options));
    const fields = new HeaderList([
      ['content-type', type],
      ['location', text],
    ]);
    guard.onHead(200, fields.toRaw());
    tried(() => (isWhole ? guard.onData(latin1(text)) : eachOctet(text, (octet) => guard.onData(octet))));
    guard.end().catch(nothing);
  }
}

export const insideCases: GrowthCases = {
  'documents that hand tokens out': {
    pieces: [
      '{"access_token":',
      '"abcdefgh"',
      '"',
      '{',
      '[',
      ',',
      '&',
      'token=',
      'abcdefgh',
      '%41',
      ';',
      '?',
      'é',
    ],
    read: (text) => {
      readBoth(text);
      readBoth(`{"access_token":"${text}"}`);
      readBoth(`access_token=${text}`);
      readBoth(`{"redirect":"https://a.test/?${text}"}`);
      readGuarded('application/json', text);
      readGuarded('application/x-www-form-urlencoded', text);
    },
  },
  'names and addresses of tokens': {
    pieces: [
      'a',
      'token',
      '_',
      '-',
      '.',
      '%',
      '%41',
      '&',
      '=',
      '?',
      '#',
      ';',
      'https://a.test/',
      ' ',
      'code=',
      ':',
    ],
    read: (text) => {
      readNames(text);
      readNames(`https://a.test/?${text}`);
    },
  },
  'what stands in the place of a token': {
    pieces: ['gho_', 'eyJ', 'a', '.', '-', '0', '"', 'e30', '{'],
    read: (text) => {
      placeholderForToken(text, random);
      placeholderForToken(
        `eyJhbGciOiJub25lIn0.${Buffer.from(`{"sub":"${text}"}`).toString('base64url')}.x`,
        random,
      );
    },
  },
};
