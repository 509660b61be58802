// A response is searched for injected values as bytes: all of it, not encoded, in a charset in which ASCII is ASCII. A client that
// could ask for half of it, or for another alphabet, would read the value past the search.

import { HeaderList } from '../../http/header-list.ts';
import { decodableCodings } from './response-decoder.ts';

/** `Request-Range` is the draft's name, which Apache httpd still knows; `x-ms-range` is Azure's, and outranks Range there. */
const rangeFields = ['range', 'if-range', 'request-range', 'x-ms-range'] as const;
/** Other charsets (RFC 9110 §12.5.2), and deltas and ranges as instance manipulations (RFC 3229). */
const formFields = ['accept-charset', 'a-im'] as const;

/** In these a byte below 0x80 outside of a longer character is ASCII. UTF-16, UTF-7, EBCDIC and what nobody knows are not. */
const asciiCharset =
  /^(?:utf-?8|us-ascii|ascii|iso-?8859-?\d{1,2}(?:-[ei])?|iso_8859-\d{1,2}|latin-?\d|windows-\d{3,4}|cp125\d|koi8-[ru]|gbk|gb2312|gb18030|big5(?:-hkscs)?|shift[_-]jis|euc-(?:jp|kr|tw)|tis-620|binary)$/i;
const charsetParameter = /[ \t]*;[ \t]*charset[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s;,]*)/gi;

export interface SearchOptions {
  /** Whether an encoded response is decoded to be searched. */
  readonly decode: boolean;
  /** Whether the origin never repeats the values in what it serves in ranges. */
  readonly keepsRange: boolean;
}

/** The fields of a request whose response will be searched. */
export function askSearchable(headers: HeaderList, { decode, keepsRange }: SearchOptions): HeaderList {
  const whole = keepsRange ? headers : headers.without(...rangeFields);
  return withoutCharsets(whole.without(...formFields)).with(
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
      return [name, value.replace(charsetParameter, (part) => (isForeign(part) ? '' : part))] as const;
    }),
  );
}

/** A charset that is named there and in which a value would not be found. */
export function foreignCharset(value: string): string | undefined {
  for (const [, charset = ''] of value.matchAll(charsetParameter)) {
    const plain = charset.replace(/^"(.*)"$/, '$1');
    if (!asciiCharset.test(plain)) return plain;
  }
  return undefined;
}
