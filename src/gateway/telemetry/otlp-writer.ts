// Messages of OTLP as octets: the parts that traces, logs and metrics share (opentelemetry/proto/common, resource). Field numbers are those of
// the published files, against which a test decodes what is written here.

import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import type { Attributes, AttributeValue } from './exchange-spans.ts';

/** What sends: the same in every message of a process. */
export interface Origin {
  readonly resource: Attributes;
  readonly version: string;
}

export class OtlpWriter {
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

  text(field: number, value: string | undefined): this {
    // A lone surrogate is no UTF-8.
    if (value !== undefined && value !== '')
      this.#writer.tag(field, WireType.LengthDelimited).string(value.toWellFormed());
    return this;
  }

  hex(field: number, value: string | undefined): this {
    if (value !== undefined)
      this.#writer.tag(field, WireType.LengthDelimited).bytes(Buffer.from(value, 'hex'));
    return this;
  }

  number(field: number, value: number): this {
    this.#writer.tag(field, WireType.Varint).uint32(value);
    return this;
  }

  fixed32(field: number, value: number): this {
    this.#writer.tag(field, WireType.Bit32).fixed32(value);
    return this;
  }

  fixed64(field: number, value: number): this {
    this.#writer.tag(field, WireType.Bit64).fixed64(BigInt(Math.max(0, Math.trunc(value))));
    return this;
  }

  double(field: number, value: number): this {
    this.#writer.tag(field, WireType.Bit64).double(value);
    return this;
  }

  packedFixed64(field: number, values: readonly number[]): this {
    return this.message(field, () => {
      for (const value of values) this.#writer.fixed64(BigInt(value));
    });
  }

  packedDoubles(field: number, values: readonly number[]): this {
    return this.message(field, () => {
      for (const value of values) this.#writer.double(value);
    });
  }

  /** Milliseconds since 1970 as nanoseconds; a double holds these to a quarter of a microsecond. */
  time(field: number, ms: number): this {
    const whole = Math.floor(ms);
    const nanoseconds = BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1_000_000));
    this.#writer.tag(field, WireType.Bit64).fixed64(nanoseconds);
    return this;
  }

  attributes(field: number, all: Attributes): this {
    for (const [key, value] of Object.entries(all)) {
      if (value === undefined) continue;
      this.message(field, () => {
        this.text(1, key);
        this.message(2, () => this.#value(value));
      });
    }
    return this;
  }

  /** Resource and scope, in which all that is sent stands: `inner` writes the repeated field of the scope's message. */
  scoped({ resource, version }: Origin, inner: () => void): this {
    return this.message(1, () => {
      this.message(1, () => this.attributes(1, resource));
      this.message(2, () => {
        this.message(1, () => this.text(1, 'upstreamproxy').text(2, version));
        inner();
      });
    });
  }

  /** A text as AnyValue. */
  body(field: number, text: string): this {
    return this.message(field, () => this.#value(text));
  }

  #value(value: AttributeValue): void {
    switch (typeof value) {
      case 'string':
        // Of a oneof that is empty something else is meant than of an empty text.
        this.#writer.tag(1, WireType.LengthDelimited).string(value.toWellFormed());
        return;
      case 'boolean':
        this.#writer.tag(2, WireType.Varint).bool(value);
        return;
      case 'number':
        if (Number.isSafeInteger(value)) this.#writer.tag(3, WireType.Varint).int64(value);
        else this.#writer.tag(4, WireType.Bit64).double(value);
    }
  }
}

/** How many items a collector says that it refused (ExportTracePartialSuccess and its like). Whatever cannot be read says nothing. */
export function refusedItems(response: Uint8Array): number {
  try {
    const partial = lastField(new BinaryReader(response), 1, WireType.LengthDelimited, (reader) =>
      reader.bytes(),
    );
    if (partial === undefined) return 0;
    const refused = lastField(new BinaryReader(partial), 1, WireType.Varint, (reader) => reader.int64());
    return refused === undefined ? 0 : Number(refused);
  } catch {
    return 0;
  }
}

function lastField<T>(
  reader: BinaryReader,
  field: number,
  type: WireType,
  read: (reader: BinaryReader) => T,
): T | undefined {
  let found: T | undefined;
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === field && wireType === type) found = read(reader);
    else reader.skip(wireType, number);
  }
  return found;
}
