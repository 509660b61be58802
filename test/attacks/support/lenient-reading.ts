// How a careless origin reads the bytes that it gets: written by hand, with every leniency that servers are known for.

export interface LenientRequest {
  readonly method: string;
  readonly path: string;
  readonly host: string;
  readonly bodyBytes: number;
}

/** All requests that a lenient server finds in the bytes; bare LF, folded lines, the last of several lengths, all of it. */
export function readLeniently(bytes: Buffer): LenientRequest[] {
  const requests: LenientRequest[] = [];
  let text = bytes.toString('latin1').replace(/^[\r\n]+/, '');
  while (text !== '') {
    const split = /\r?\n\r?\n/.exec(text);
    if (split === null)
      return [...requests, { method: text.slice(0, 40), path: 'unfinished', host: '', bodyBytes: 0 }];
    const [line = '', ...lines] = text.slice(0, split.index).split(/\r\n|\n|\r/);
    const [method = '', path = ''] = line.trim().split(/\s+/);
    const fields = lines.map((one) => /^\s*([^:]*?)\s*:\s*(.*?)\s*$/.exec(one) ?? ['', one, '']);
    const last = (name: string): string =>
      fields.findLast(([, given = '']) => given.toLowerCase().replaceAll('_', '-') === name)?.[2] ?? '';
    text = text.slice(split.index + split[0].length);
    const isChunked = last('transfer-encoding').toLowerCase().includes('chunked');
    const body = isChunked ? chunkedLength(text) : sizedLength(text, last('content-length'));
    text = text.slice(body.taken).replace(/^[\r\n]+/, '');
    requests.push({
      method: method.toUpperCase(),
      path,
      host: last('host').replace(/:\d+$/, ''),
      bodyBytes: body.bytes,
    });
  }
  return requests;
}

interface BodyLength {
  readonly taken: number;
  readonly bytes: number;
}

function sizedLength(text: string, value: string): BodyLength {
  const length = Math.min(Number.parseInt(value, 10) || 0, text.length);
  return { taken: length, bytes: length };
}

function chunkedLength(text: string): BodyLength {
  let at = 0;
  let bytes = 0;
  for (;;) {
    const end = text.indexOf('\n', at);
    const size = Number.parseInt(text.slice(at, end), 16) || 0;
    if (end === -1 || size === 0) {
      const trailers = /\r?\n\r?\n/.exec(text.slice(Math.max(0, end - 1)));
      return {
        taken:
          end === -1
            ? text.length
            : Math.max(0, end - 1) + (trailers === null ? 0 : trailers.index + trailers[0].length),
        bytes,
      };
    }
    bytes += size;
    at = end + 1 + size + (text.startsWith('\r\n', end + 1 + size) ? 2 : 1);
  }
}
