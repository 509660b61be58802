// The parser of requests of node:http (llhttp, strict) on its own, to compare ours with. Node does not document it.

import { createRequire } from 'node:module';

export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  readonly httpVersion: string;
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
}
type NativeParserClass = { new (): NativeParser } & Readonly<
  Record<'REQUEST' | 'kOnHeaders' | 'kOnHeadersComplete' | 'kOnBody' | 'kOnMessageComplete', number>
>;

// What the module exports since Node 20.
const { HTTPParser, methods } = createRequire(import.meta.url)('_http_common') as {
  HTTPParser: NativeParserClass;
  methods: readonly string[];
};

/** Methods that it knows; a request with another one is none to it. */
export const nodeMethods: ReadonlySet<string> = new Set(methods);

/** What node:http reads in these bytes, up to the first fault. `isRefused` tells of one. */
export function readRequestsByNode(bytes: Buffer): {
  readonly requests: readonly ReadRequest[];
  readonly isRefused: boolean;
} {
  const requests: { -readonly [K in keyof ReadRequest]: ReadRequest[K] }[] = [];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 64 * 1024, 0);
  let raw: string[] = [];
  let url = '';
  // Fields come in parts where there are many, and trailers always; the target comes with the first part.
  parser[HTTPParser.kOnHeaders] = (...[part, target]) => {
    raw.push(...(part as string[]));
    url += String(target);
    return undefined;
  };
  parser[HTTPParser.kOnHeadersComplete] = (...values) => {
    const [major, minor, whole, method, target] = values;
    requests.push({
      method: methods[Number(method)] ?? '',
      target: whole === undefined ? url : String(target),
      httpVersion: `${String(major)}.${String(minor)}`,
      raw: whole === undefined ? raw : (whole as string[]),
      body: '',
      trailers: [],
      isWhole: false,
    });
    raw = [];
    url = '';
    return 0;
  };
  parser[HTTPParser.kOnBody] = (...[piece]) => {
    const request = requests.at(-1);
    if (request !== undefined) request.body += (piece as Buffer).toString('latin1');
    return undefined;
  };
  parser[HTTPParser.kOnMessageComplete] = () => {
    const request = requests.at(-1);
    if (request !== undefined) {
      request.isWhole = true;
      request.trailers = raw;
    }
    raw = [];
    return undefined;
  };
  return { requests, isRefused: parser.execute(bytes) instanceof Error };
}
