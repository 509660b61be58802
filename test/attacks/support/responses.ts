// What a client got: every HTTP response on a connection, and how the connection ended.

import type { Duplex } from 'node:stream';

export interface Response {
  readonly status: number;
  readonly head: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** The response had all that its head promised. */
  readonly complete: boolean;
}

export interface Reply {
  readonly bytes: Buffer;
  readonly text: string;
  /** Final responses; those with a 1xx status are in `interim`. */
  readonly responses: readonly Response[];
  readonly interim: readonly Response[];
  /** Status of the first final response; 0 if there is none. */
  readonly status: number;
  readonly statuses: readonly number[];
  /** `end` is a clean end, `reset` a broken one, `open` says that the deadline passed first. */
  readonly ending: 'end' | 'reset' | 'open';
}

/** Collects until the connection ends or the deadline passes. */
export function readReply(socket: Duplex, deadlineMs: number): Promise<Reply> {
  const chunks: Buffer[] = [];
  const { promise, resolve } = Promise.withResolvers<Reply>();
  let ended = false;
  const finish = (ending: Reply['ending']): void => {
    clearTimeout(timer);
    resolve(replyOf(Buffer.concat(chunks), ending));
  };
  const timer = setTimeout(() => {
    finish('open');
    socket.destroy();
  }, deadlineMs);
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.once('end', () => {
    ended = true;
    finish('end');
  });
  socket.once('close', () => {
    if (!ended) finish('reset');
  });
  return promise;
}

function replyOf(bytes: Buffer, ending: Reply['ending']): Reply {
  const text = bytes.toString('latin1');
  const all = parseResponses(text);
  const responses = all.filter(({ status }) => status >= 200 || status === 101);
  const interim = all.filter(({ status }) => status < 200 && status !== 101);
  const statuses = responses.map(({ status }) => status);
  return { bytes, text, responses, interim, status: statuses[0] ?? 0, statuses, ending };
}

function parseResponses(text: string): Response[] {
  const responses: Response[] = [];
  let at = 0;
  for (;;) {
    const start = text.indexOf('HTTP/1.', at);
    if (start !== at) return responses;
    const split = text.indexOf('\r\n\r\n', start);
    const headEnd = split === -1 ? text.length : split;
    const [statusLine = '', ...lines] = text.slice(start, headEnd).split('\r\n');
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1] ?? Number.NaN);
    const headers = new Map(
      lines.map((line): [string, string] => {
        const colon = line.indexOf(':');
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const { body, next, complete } = bodyAt(text, headEnd + 4, status, headers, text.slice(start, headEnd));
    responses.push({ status, head: text.slice(start, headEnd), headers, body, complete });
    at = next;
    if (at >= text.length) return responses;
  }
}

function bodyAt(
  text: string,
  at: number,
  status: number,
  headers: ReadonlyMap<string, string>,
  head: string,
): { readonly body: string; readonly next: number; readonly complete: boolean } {
  if (head.includes('Connection established')) return { body: '', next: at, complete: true };
  if (status < 200 || status === 204 || status === 304) return { body: '', next: at, complete: true };
  const length = headers.get('content-length');
  if (length !== undefined) {
    const body = text.slice(at, at + Number(length));
    return { body, next: at + Number(length), complete: body.length === Number(length) };
  }
  if (headers.get('transfer-encoding') !== 'chunked')
    return { body: text.slice(at), next: text.length, complete: true };
  let body = '';
  for (;;) {
    const line = text.indexOf('\r\n', at);
    if (line === -1) return { body, next: text.length, complete: false };
    const size = Number.parseInt(text.slice(at, line), 16);
    if (size === 0) {
      const end = text.indexOf('\r\n\r\n', line);
      return { body, next: end === -1 ? text.length : end + 4, complete: end !== -1 };
    }
    body += text.slice(line + 2, line + 2 + size);
    at = line + 2 + size + 2;
  }
}
