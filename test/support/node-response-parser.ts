// The parser of node:http (llhttp, strict) on its own, to compare ours with. Node does not document it.

import { createRequire } from 'node:module';

export interface ParsedResponse {
  readonly status: number;
  readonly raw: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  readonly isWhole: boolean;
}

type Callback = (...values: readonly unknown[]) => number | undefined;
interface NativeParser {
  [event: number]: Callback;
  initialize(type: number, resource: object, maxHeaderSize: number, lenientFlags: number): void;
  execute(bytes: Buffer): unknown;
  finish(): unknown;
}
type NativeParserClass = { new (): NativeParser } & Readonly<
  Record<'RESPONSE' | 'kOnHeaders' | 'kOnHeadersComplete' | 'kOnBody' | 'kOnMessageComplete', number>
>;

// What the module exports since Node 20.
const { HTTPParser } = createRequire(import.meta.url)('_http_common') as { HTTPParser: NativeParserClass };

/** Of llhttp: a line may end without CR. */
export const takesBareLineEnds = 256;

/**
 * What node:http reads in these bytes, in which the connection then ends: the interim responses and the response, up to the first
 * fault. `isRefused` tells of one.
 */
export function readByNode(
  bytes: Buffer,
  requestMethod: string,
  lenientFlags = 0,
): { readonly responses: readonly ParsedResponse[]; readonly isRefused: boolean } {
  const responses: { -readonly [K in keyof ParsedResponse]: ParsedResponse[K] }[] = [];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.RESPONSE, {}, 64 * 1024, lenientFlags);
  const latest = (): (typeof responses)[number] | undefined => responses.at(-1);
  // Fields come in parts where there are many, and trailers always.
  let raw: string[] = [];
  parser[HTTPParser.kOnHeaders] = (...[part]) => {
    // Name, value, name, value …
    raw.push(...(part as string[]));
    return undefined;
  };
  parser[HTTPParser.kOnHeadersComplete] = (...values) => {
    const [, , whole, , , status] = values;
    const fields = whole === undefined ? raw : (whole as string[]);
    raw = [];
    responses.push({ status: Number(status), raw: fields, body: '', trailers: [], isWhole: false });
    return requestMethod === 'HEAD' ? 1 : 0;
  };
  parser[HTTPParser.kOnBody] = (...[piece]) => {
    const response = latest();
    if (response !== undefined) response.body += (piece as Buffer).toString('latin1');
    return undefined;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    const response = latest();
    if (response !== undefined) {
      response.isWhole = true;
      response.trailers = raw;
    }
    raw = [];
    return undefined;
  };
  const isRefused = parser.execute(bytes) instanceof Error || parser.finish() instanceof Error;
  return { responses, isRefused };
}
