// Messages of Envoy's external authorization (envoy/service/auth/v3): CheckRequest as octets, and what a CheckResponse says. Field
// numbers are those of the published files, against which a test reads and writes the same.

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { hostField } from '../../http/authority.ts';
import { DeciderFault, type DeciderQuestion, type QuestionBody, type Verdict } from './decider.ts';
import { textOf } from './question-json.ts';

export function checkRequest(question: DeciderQuestion): Uint8Array {
  const { principal, rule, policyVersion, request } = question;
  const writer = new MessageWriter();
  // CheckRequest.attributes
  writer.message(1, () => {
    // AttributeContext: source, request, context_extensions
    writer.message(1, () => writer.text(4, principal.id));
    // Request.http. Its time is left out: the same question is the same octets.
    writer.message(4, () => writer.message(2, () => writeHttp(writer, request, question.body)));
    writer.map(10, [
      ['rule', rule],
      ['policy', policyVersion],
      ['session', principal.sessionId],
      ['claims', JSON.stringify(principal.claims)],
      ['posture', principal.posture.join(' ')],
      // An empty body is one that was seen.
      ['body', body(question.body)],
    ]);
  });
  return writer.finish();
}

function body({ kind }: QuestionBody): string {
  return kind === 'unseen' ? 'unseen' : 'seen';
}

/** AttributeContext.HttpRequest */
function writeHttp(writer: MessageWriter, request: DeciderQuestion['request'], given: QuestionBody): void {
  const { method, destination, path, query, headers } = request;
  const host = hostField(destination);
  const target = path + query;
  const fields = Map.groupBy(headers, ([name]) => name.toLowerCase());
  writer
    .text(2, method)
    .map(3, [
      [':authority', host],
      [':method', method],
      [':path', target],
      [':scheme', destination.scheme],
      ...[...fields].map(([name, all]) => [name, all.map(([, value]) => value).join(',')] as const),
    ])
    .text(4, target)
    .text(5, host)
    .text(6, destination.scheme)
    .text(10, 'HTTP/1.1');
  if (given.kind === 'unseen') return writer.number(9, -1n);
  const octets = given.kind === 'whole' ? given.octets : Buffer.alloc(0);
  writer.number(9, BigInt(octets.length));
  // A text of protobuf is UTF-8.
  const text = textOf(octets);
  if (text === undefined) writer.octets(12, octets);
  else writer.text(11, text);
}

class MessageWriter {
  readonly #writer = new BinaryWriter();

  finish(): Uint8Array {
    return this.#writer.finish();
  }

  message(field: number, write: () => void): this {
    this.#writer.tag(field, WireType.LengthDelimited).fork();
    write();
    this.#writer.join();
    return this;
  }

  text(field: number, value: string): this {
    // A lone surrogate is no UTF-8.
    if (value !== '') this.#writer.tag(field, WireType.LengthDelimited).string(value.toWellFormed());
    return this;
  }

  octets(field: number, value: Uint8Array): this {
    this.#writer.tag(field, WireType.LengthDelimited).bytes(value);
    return this;
  }

  number(field: number, value: bigint): void {
    this.#writer.tag(field, WireType.Varint).int64(value);
  }

  map(field: number, entries: readonly (readonly [string, string])[]): this {
    for (const [key, value] of entries) this.message(field, () => this.text(1, key).text(2, value));
    return this;
  }
}

interface Ok {
  readonly set: readonly (readonly [string, string])[];
  readonly removed: readonly string[];
}

/**
 * `status` has to be there, with code 0, and no denial beside it: an empty message says nothing. What it asks for beyond request fields cannot
 * be done, so it is a fault. @throws DeciderFault
 */
export function checkVerdict(octets: Uint8Array): Verdict {
  let status: { readonly code: number; readonly message: string } | undefined;
  let ok: Ok | undefined;
  let isDenied = false;
  readFields(octets, (field, reader, type) => {
    // Of two, some readers take the last and others both.
    if ((field === 1 && status !== undefined) || (field === 3 && ok !== undefined))
      throw new DeciderFault('its response says one thing twice');
    if (field === 1 && type === WireType.LengthDelimited) status = statusIn(reader.bytes());
    else if (field === 2) {
      // What its client would be told is told to nobody.
      isDenied = true;
      reader.skip(type, field);
    } else if (field === 3 && type === WireType.LengthDelimited) ok = okIn(reader.bytes());
    else reader.skip(type, field);
  });
  if (status === undefined) return { outcome: isDenied ? 'denied' : 'undefined', set: [], removed: [] };
  const said = status.message === '' ? {} : { said: status.message };
  if (status.code !== 0 || isDenied) return { outcome: 'denied', ...said, set: [], removed: [] };
  return { outcome: 'allowed', ...said, ...(ok ?? { set: [], removed: [] }) };
}

/** google.rpc.Status */
function statusIn(octets: Uint8Array): { readonly code: number; readonly message: string } {
  let code = 0;
  let message = '';
  readFields(octets, (field, reader, type) => {
    if (field === 1 && type === WireType.Varint) code = reader.int32();
    else if (field === 2 && type === WireType.LengthDelimited) message = reader.string();
    else reader.skip(type, field);
  });
  return { code, message };
}

/** OkHttpResponse. `dynamic_metadata` is for filters of Envoy, and changes nothing. */
function okIn(octets: Uint8Array): Ok {
  const set: (readonly [string, string])[] = [];
  const removed: string[] = [];
  readFields(octets, (field, reader, type) => {
    if (field === 2 && type === WireType.LengthDelimited) set.push(optionIn(reader.bytes()));
    else if (field === 5 && type === WireType.LengthDelimited) removed.push(reader.string());
    else if (field === 3) reader.skip(type, field);
    else
      throw new DeciderFault(
        `it asks for a change other than of request fields (OkHttpResponse, field ${String(field)})`,
      );
  });
  return { set, removed };
}

/** HeaderValueOption. How it is added does not matter: what the client sent of such a field is gone. */
function optionIn(octets: Uint8Array): readonly [string, string] {
  let header: readonly [string, string] | undefined;
  readFields(octets, (field, reader, type) => {
    if (field === 1 && header !== undefined) throw new DeciderFault('a field stands in one place twice');
    if (field === 1 && type === WireType.LengthDelimited) header = headerIn(reader.bytes());
    else reader.skip(type, field);
  });
  return header ?? ['', ''];
}

/** HeaderValue: `raw_value` stands in place of `value`. */
function headerIn(octets: Uint8Array): readonly [string, string] {
  let [name, value, raw] = ['', '', ''];
  readFields(octets, (field, reader, type) => {
    if (field === 1 && type === WireType.LengthDelimited) name = reader.string();
    else if (field === 2 && type === WireType.LengthDelimited) value = reader.string();
    else if (field === 3 && type === WireType.LengthDelimited)
      raw = Buffer.from(reader.bytes()).toString('latin1');
    else reader.skip(type, field);
  });
  if (value !== '' && raw !== '') throw new DeciderFault('a field has two values');
  return [name, value === '' ? raw : value];
}

function readFields(
  octets: Uint8Array,
  read: (field: number, reader: BinaryReader, type: WireType) => void,
): void {
  const reader = new BinaryReader(octets);
  try {
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      read(field, reader, type);
    }
  } catch (error) {
    if (error instanceof DeciderFault) throw error;
    throw new DeciderFault('its response is no CheckResponse', { cause: error });
  }
  if (reader.pos !== reader.len) throw new DeciderFault('its response is no CheckResponse');
}
