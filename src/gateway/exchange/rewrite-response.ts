// A response whose JSON a rule changes, held until it is whole.

import { Buffer } from 'node:buffer';
import type { ResponseHead } from '../../http/message-head.ts';
import { ProxyError } from '../../protocol/error.ts';
import { GatheredOctets } from '../../protocol/gathered-octets.ts';
import { defaultLimits, type Limits } from '../../protocol/limits.ts';
import { UnreadableBody } from '../../understand/json-value.ts';
import { readJson } from '../../understand/read-json.ts';
import { type JsonRewrite, rewriteJson } from '../../understand/rewrite-json.ts';
import { writeJson } from '../../understand/write-json.ts';
import { withoutDigests } from '../scrub/searchable-response.ts';
import type { ResponseClient } from './response-client.ts';

export interface ResponseRewriteOptions {
  readonly client: ResponseClient;
  readonly rewrite: JsonRewrite;
  readonly limits: Pick<Limits, 'listBytesMax'>;
  /** Takes room for what is held. @throws ProxyError limit_exceeded */
  readonly keep: (octets: number) => void;
  readonly onRewritten: (changes: number) => void;
}

/** Room is taken in steps, and kept as long as the response lasts. */
const roomStep = 65_536;

/** The client of a response whose fields are changed; what is not JSON goes on as it is. */
export function withRewrittenJson(options: ResponseRewriteOptions): ResponseClient {
  const { client, limits, keep } = options;
  const octets = new GatheredOctets();
  let head: ResponseHead | undefined;
  let room = 0;
  return {
    signal: client.signal,
    sendInformation: (status, rawHeaders) => client.sendInformation(status, rawHeaders),
    sendHead: (given, endsAtHead) => {
      if (endsAtHead === true || !isJson(given)) client.sendHead(given, endsAtHead);
      else head = given;
    },
    sendData: (chunk) => {
      if (head === undefined) return client.sendData(chunk);
      const length = octets.length + chunk.byteLength;
      if (length > limits.listBytesMax)
        throw unreadable(`it is longer than ${String(limits.listBytesMax)} bytes (listBytesMax)`);
      for (; room < length; room += roomStep) keep(roomStep);
      octets.push(chunk);
      return true;
    },
    onDrain: (listener) => client.onDrain(listener),
    sendEnd: (rawTrailers) => {
      if (head !== undefined) sendRewritten(head, octets.take(), options);
      client.sendEnd(rawTrailers);
    },
  };
}

function isJson({ headers }: ResponseHead): boolean {
  const type = headers.all('content-type').join(', ').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  return type === 'application/json' || type === 'text/json' || type.endsWith('+json');
}

function sendRewritten(
  head: ResponseHead,
  octets: Buffer | Uint8Array,
  options: ResponseRewriteOptions,
): void {
  const { client, rewrite, onRewritten } = options;
  const coding = head.headers.all('content-encoding').join(', ').trim().toLowerCase();
  if (coding !== '' && coding !== 'identity')
    throw unreadable('it comes with a Content-Encoding that was not asked for');
  let body = octets;
  let headers = head.headers;
  if (octets.length > 0) {
    const { jsonDepthMax: depthMax, jsonValuesMax: valuesMax } = defaultLimits;
    const text = readJson(octets, { depthMax, valuesMax });
    if (text instanceof UnreadableBody) throw unreadable(`it ${text.reason}`);
    const { value, changes } = rewriteJson(text.value, rewrite);
    if (changes > 0) {
      onRewritten(changes);
      body = Buffer.from(writeJson(value));
      // None of these holds for what the client gets.
      headers = withoutDigests(headers.without('content-length', 'etag', 'last-modified')).with(
        'content-length',
        String(body.length),
      );
    }
  }
  client.sendHead({ ...head, headers });
  if (body.length > 0) client.sendData(body);
}

function unreadable(why: string): ProxyError {
  return new ProxyError(
    'origin_malformed',
    `its rule changes fields of the response, which cannot be read: ${why}`,
  );
}
