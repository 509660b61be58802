// A response is searched for injected values as bytes: all of it, not encoded, in a charset in which ASCII is ASCII. A client that
// could ask for half of it, or for another alphabet, would read the value past the search.

import { HeaderList } from '../../http/header-list.ts';
import { decodableCodings } from './response-decoder.ts';

/** `Request-Range` is the draft's name, which Apache httpd still knows; `x-ms-range` is Azure's, and outranks Range there. */
const rangeFields = ['range', 'if-range', 'request-range', 'x-ms-range'] as const;
/**
 * Other charsets (RFC 9110 §12.5.2), deltas and ranges as instance manipulations (RFC 3229), and codings that lie above the content
 * coding or beside it: of messages (gRPC, Connect), and by a dictionary (RFC 9842).
 */
const formFields = [
  'accept-charset',
  'a-im',
  'accept-encoding',
  'grpc-accept-encoding',
  'connect-accept-encoding',
  'x-accept-encoding',
  'available-dictionary',
  'dictionary-id',
] as const;
/** Fields by which a response tells the coding of its messages. */
const messageCodings = ['grpc-encoding', 'connect-content-encoding'] as const;
/** Digests of what the origin sent: of the value too, which could be guessed by them. */
const digestFields = ['content-md5', 'digest', 'repr-digest', 'content-digest'] as const;

/** In these a byte below 0x80 outside of a longer character is ASCII. UTF-16, UTF-7, EBCDIC and what nobody knows are not. */
const asciiCharset =
  /^(?:utf-?8|us-ascii|ascii|iso-?8859-?\d{1,2}(?:-[ei])?|iso_8859-\d{1,2}|latin-?\d|windows-\d{3,4}|cp125\d|koi8-[ru]|gbk|gb2312|gb18030|big5(?:-hkscs)?|shift[_-]jis|euc-(?:jp|kr|tw)|tis-620|binary)$/i;
export interface SearchOptions {
  /** Whether an encoded response is decoded to be searched. */
  readonly decode: boolean;
  /** Whether the origin never repeats the values in what it serves in ranges. */
  readonly keepsRange: boolean;
}

/** The fields of a request whose response will be searched. */
export function askSearchable(headers: HeaderList, { decode, keepsRange }: SearchOptions): HeaderList {
  const whole = keepsRange ? headers : headers.withoutAlike(...rangeFields);
  return withoutCharsets(whole.withoutAlike(...formFields)).with(
    'accept-encoding',
    decode ? decodableCodings : 'identity',
  );
}

/** Some frameworks write the response in the charset that Accept names beside a type. */
function withoutCharsets(headers: HeaderList): HeaderList {
  const isForeign = (value: string): boolean => foreignCharset(value) !== undefined;
  if (!headers.all('accept').some(isForeign)) return headers;
  return new HeaderList(
    [...headers].map(([name, value]) => {
      if (name.toLowerCase() !== 'accept') return [name, value] as const;
      return [name, withoutForeign(value)] as const;
    }),
  );
}

/** A charset that is named there and in which a value would not be found. */
export function foreignCharset(value: string): string | undefined {
  return charsetsOf(value).find(({ charset }) => !asciiCharset.test(charset))?.charset;
}

function withoutForeign(value: string): string {
  let kept = '';
  let from = 0;
  for (const { start, end, charset } of charsetsOf(value)) {
    if (asciiCharset.test(charset)) continue;
    kept += value.slice(from, start);
    from = end;
  }
  return kept + value.slice(from);
}

/** A parameter `; charset=…` with the blanks around it, from `start` up to `end`. */
interface CharsetParameter {
  readonly start: number;
  readonly end: number;
  readonly charset: string;
}

/** All of them, in one way through the value: a client chooses how long it is. */
function charsetsOf(value: string): readonly CharsetParameter[] {
  const found: CharsetParameter[] = [];
  for (let semicolon = value.indexOf(';'); semicolon >= 0;) {
    const name = behindBlanks(value, semicolon + 1);
    const equals = behindBlanks(value, name + 'charset'.length);
    const isNamed = value.slice(name, name + 'charset'.length).toLowerCase() === 'charset';
    if (!isNamed || value[equals] !== '=') {
      semicolon = value.indexOf(';', semicolon + 1);
      continue;
    }
    const from = behindBlanks(value, equals + 1);
    const quoted = value[from] === '"' ? quoteEnd(value, from) : undefined;
    const end = quoted ?? tokenEnd(value, from);
    const charset = quoted === undefined ? value.slice(from, end) : value.slice(from + 1, end - 1);
    let start = semicolon;
    while (start > 0 && isBlank(value.charCodeAt(start - 1))) start -= 1;
    found.push({ start, end, charset });
    semicolon = value.indexOf(';', end);
  }
  return found;
}

/** Behind the quoted string that begins there; undefined if it does not end. */
function quoteEnd(value: string, from: number): number | undefined {
  for (let at = from + 1; at < value.length; at++) {
    if (value[at] === '\\') at += 1;
    else if (value[at] === '"') return at + 1;
  }
  return undefined;
}

/** The coding of its messages that a response names, other than none. */
export function messageCoding(headers: HeaderList): string | undefined {
  return messageCodings
    .flatMap((name) => headers.all(name))
    .find((coding) => coding.trim().toLowerCase() !== 'identity');
}

/** The fields of a searched response, or its trailers, without what tells of the octets that were there before. */
export function withoutDigests(headers: HeaderList): HeaderList {
  return headers.without(...digestFields);
}

function tokenEnd(value: string, from: number): number {
  let at = from;
  while (at < value.length && !' \t;,'.includes(value[at] ?? '')) at += 1;
  return at;
}

function behindBlanks(value: string, from: number): number {
  let at = from;
  while (isBlank(value.charCodeAt(at))) at += 1;
  return at;
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
