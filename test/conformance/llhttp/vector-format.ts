// The format of llhttp's vectors: Markdown in which a heading names a case, a block has what is sent and the next one what llhttp says of it.

export interface Vector {
  /** File and heading, with a number where a file has the heading twice. */
  readonly id: string;
  /** `request`, `response`, and what llhttp is told beside. */
  readonly type: string;
  /** Whether llhttp is told to pause or to leave the body out. */
  readonly isSteered: boolean;
  readonly input: Buffer;
  readonly log: readonly string[];
}

/** @param name of the file, without its ending */
export function readVectors(name: string, text: string): readonly Vector[] {
  const vectors: Vector[] = [];
  const uses = new Map<string, number>();
  let heading = '';
  const pattern =
    /^#+ +(.+)$|<!-- *meta=(\{.*?\}) *-->\s*```http\n((?:(?!```)[^])*)```\s*```log\n((?:(?!```)[^])*)```/gm;
  for (const [, title, meta, input = '', log = ''] of text.matchAll(pattern)) {
    if (title !== undefined) heading = title;
    if (meta === undefined) continue;
    // Written by llhttp's authors as JSON.
    const told = JSON.parse(meta) as {
      readonly type?: string;
      readonly pause?: string;
      readonly skipBody?: boolean;
    };
    const use = (uses.get(heading) ?? 0) + 1;
    uses.set(heading, use);
    vectors.push({
      id: `${name}: ${heading}${use > 1 ? ` (${use})` : ''}`,
      type: told.type ?? '',
      isSteered: told.pause !== undefined || told.skipBody === true,
      input: Buffer.from(octetsOf(input), 'latin1'),
      log: log.replaceAll('\\t', '\t').replaceAll('\\f', '\f').split('\n').slice(0, -1),
    });
  }
  return vectors;
}

/** In this order: a line that ends by a backslash goes on, line ends are CR LF, the rest is escaped. */
function octetsOf(text: string): string {
  return text
    .replace(/\n$/, '')
    .replaceAll(/\\(?:\r\n|\r|\n)/g, '')
    .replaceAll(/\r\n|\r|\n/g, '\r\n')
    .replaceAll('\\r', '\r')
    .replaceAll('\\n', '\n')
    .replaceAll('\\t', '\t')
    .replaceAll('\\f', '\f')
    .replaceAll(/\\x([0-9a-fA-F]+)/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    .replaceAll(/\\([0-7]{1,3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
    .replaceAll(/\$\{'(.*?)'\.repeat\((\d+)\)\}/g, (_, part: string, times: string) =>
      part.repeat(Number(times)),
    );
}

export interface ReadMessage {
  readonly status: number;
  readonly method: string;
  readonly target: string;
  /** `name: value`. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly trailers: readonly string[];
  readonly isWhole: boolean;
}

export interface ReadLog {
  /** Those whose head is whole. */
  readonly messages: readonly ReadMessage[];
  /** Method and target of the first message, as far as they came. */
  readonly first: { readonly method: string; readonly target: string };
  readonly fault: { readonly at: number; readonly reason: string } | undefined;
}

const octetNames: Readonly<Record<string, string>> = { cr: '\r', lf: '\n' };

/** What llhttp read. An upgrade, which it calls an error, is none. */
export function readLog(lines: readonly string[]): ReadLog {
  const messages: Writable[] = [];
  const heads = new Set<Writable>();
  let fault: ReadLog['fault'];
  let [name, value] = ['', ''];
  for (const line of lines) {
    if (/^off=\d+ message begin/.test(line)) messages.push(emptyMessage());
    const message = messages.at(-1);
    const error = /^off=(\d+) error code=(\d+) reason="(.*)"$/.exec(line);
    if (error !== null && error[2] !== '22') fault = { at: Number(error[1]), reason: error[3] ?? '' };
    if (message === undefined) continue;
    const span = /^off=\d+ len=\d+ span\[(\w+)\]=(?:"(.*)"|(\w+))$/s.exec(line);
    const [, kind, quoted, octet = ''] = span ?? [];
    const text = quoted ?? octetNames[octet] ?? '';
    if (kind === 'method') message.method += text;
    else if (kind === 'url') message.target += text;
    else if (kind === 'body') message.body += text;
    else if (kind === 'header_field') name += text;
    else if (kind === 'header_value') value += text;
    else if (line.includes('header_value complete')) {
      (heads.has(message) ? message.trailers : message.fields).push(`${name}: ${value.trim()}`);
      [name, value] = ['', ''];
    } else if (line.includes('headers complete')) {
      message.status = Number(/status=(\d+)/.exec(line)?.[1] ?? 0);
      heads.add(message);
    } else if (line.includes('message complete') || line.endsWith('finish=1')) message.isWhole = true;
  }
  const { method = '', target = '' } = messages[0] ?? {};
  return {
    messages: messages.filter((message) => heads.has(message)),
    first: { method, target },
    fault,
  };
}

type Writable = {
  -readonly [Name in keyof ReadMessage]: ReadMessage[Name] extends readonly string[]
    ? string[]
    : ReadMessage[Name];
};

function emptyMessage(): Writable {
  return {
    status: 0,
    method: '',
    target: '',
    fields: [],
    body: '',
    trailers: [],
    isWhole: false,
  };
}
