// Fuzz target: what we read in the bytes of an origin, and what other clients read in them. Whenever we take a response, its status,
// its fields and the octets of its body are those that the others read, or the difference is one of a list, with its reason. An input
// is as in response-parser.ts. Readers that are not installed are named and left out.

import assert from 'node:assert/strict';
import { gunzipSync, inflateSync } from 'node:zlib';

import { codingBeforeChunks } from '../src/http/response-framing.ts';
import { ResponseParser } from '../src/http/response-parser.ts';
import { ProxyError } from '../src/protocol/error.ts';
import { defaultLimits } from '../src/protocol/limits.ts';
import { openResponseReaders, type ReadByOther } from '../test/support/response-readers.ts';
import { generateResponse } from '../test/support/response-vocabulary.ts';
import { runTarget } from './run-target.ts';

type Read = NonNullable<ReadByOther>;

interface Difference {
  readonly readers: readonly string[];
  readonly reason: string;
  /** Whether it is this one. */
  readonly is: (ours: Read, other: Read) => boolean;
}

/** Where another reader reads something else, and why ours stays. */
const differences: Readonly<Record<string, Difference>> = {
  'an interim response is the response': {
    readers: ['http.client'],
    reason: 'It knows 100 alone as interim (RFC 9110 §15.2: any number of 1xx before the response).',
    is: (_ours, other) => other.status > 100 && other.status < 200,
  },
  'a response without a body has chunks': {
    readers: ['http.client'],
    reason:
      'It looks at Transfer-Encoding before the status; RFC 9112 §6.3 has no body behind 204 and 304, whatever the fields say.',
    is: (ours, other) =>
      (ours.status === 204 || ours.status === 304) &&
      isSame(comparable({ ...other, body: '' }), comparable(ours)),
  },
  'a list of transfer codings is no framing': {
    readers: ['http.client'],
    reason:
      'It knows the value "chunked" alone, and reads to the end of the connection; RFC 9112 §6.3 looks at the last coding. Behind such a response we look for no other.',
    is: (ours, other) =>
      ours.status === other.status &&
      isCoded(ours) &&
      isSame(comparable({ ...other, body: ours.body }), comparable(ours)) &&
      other.body !== ours.body,
  },
};

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);
const isCoded = ({ fields }: Read): boolean => codingOf(fields) !== undefined;

function codingOf(fields: Read['fields']): 'gzip' | 'deflate' | undefined {
  const values = fields.filter(([name]) => name === 'transfer-encoding').map(([, value]) => value);
  const coding = values.length === 0 ? undefined : codingBeforeChunks(values);
  return coding === 'none' ? undefined : coding;
}

interface OurReading {
  readonly response: Read;
  /** Octets up to its end. */
  readonly used: number;
}

function readByUs(bytes: Buffer, method: string): OurReading | undefined {
  let read: { status: number; fields: (readonly [string, string])[]; body: string } | undefined;
  let isWhole = false;
  const parser = new ResponseParser(
    {
      onInformation: () => undefined,
      onHead: (status, raw) => {
        const fields = raw.flatMap((name, i) =>
          i % 2 === 0 ? [[name.toLowerCase(), raw[i + 1] ?? ''] as const] : [],
        );
        read = { status, fields, body: '' };
      },
      onData: (piece) => {
        if (read !== undefined) read.body += Buffer.from(piece).toString('latin1');
        return true;
      },
      onEnd: () => (isWhole = true),
      onSwitch: () => undefined,
    },
    defaultLimits,
  );
  parser.begin({ method, asksToSwitch: false });
  let used = 0;
  try {
    used = parser.push(bytes);
    if (!parser.isOver) parser.endOfConnection();
  } catch (error) {
    if (error instanceof ProxyError && error.code === 'origin_malformed') return undefined;
    throw error;
  }
  return isWhole && read !== undefined ? { response: read, used } : undefined;
}

/** Fields by name: not all readers keep the order of different ones. */
const comparable = ({ status, fields, body }: Read): unknown => [
  status,
  fields.toSorted(([one], [other]) => (one < other ? -1 : one > other ? 1 : 0)),
  body,
];

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST']);

/** With its coding taken off, as curl does. */
function decoded(ours: Read): Read {
  const coding = codingOf(ours.fields);
  if (coding === undefined || ours.body === '') return ours;
  const bytes = Buffer.from(ours.body, 'latin1');
  try {
    return { ...ours, body: (coding === 'gzip' ? gunzipSync : inflateSync)(bytes).toString('latin1') };
  } catch {
    return ours;
  }
}

function isKnown(name: string, ours: Read, other: Read): boolean {
  return Object.values(differences).some((one) => one.readers.includes(name) && one.is(ours, other));
}

await using readers = await openResponseReaders();
for (const what of readers.absent) console.log(`left out: ${what}`);
assert.ok(readers.names.length >= 3, 'there are too few readers to compare with');

await runTarget({
  name: 'response readers',
  generate: generateResponse,
  async check(input) {
    const bar = input.indexOf('|');
    const method = bar === -1 ? 'GET' : input.slice(0, bar);
    const bytes = Buffer.from(input.slice(bar + 1), 'latin1');
    const ours = readByUs(bytes, method);
    if (ours === undefined || !methods.has(method)) return false;
    const all = await readers.read(bytes, method);
    let agreeing = 0;
    for (const [name, other] of all) {
      if (other === undefined) continue;
      const expected: Read = name === 'curl' ? decoded(ours.response) : ours.response;
      if (isSame(comparable(expected), comparable(other))) agreeing += 1;
      else if (!isKnown(name, expected, other))
        assert.deepEqual(comparable(other), comparable(expected), `${name} reads another response`);
    }
    if (agreeing > 0) return true;
    // All refuse it, or what stands behind it: then they have to take it without that.
    const alone = await readers.read(bytes.subarray(0, ours.used), method);
    const isRead = [...alone.values()].some(
      (other) => other !== undefined && isSame(comparable(ours.response), comparable(other)),
    );
    assert.ok(isRead, 'nobody reads what we read');
    return true;
  },
});
